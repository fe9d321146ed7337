// SPDX-License-Identifier: ISC
// Shared by everything that changes something. Runs in stayd-front.
#include "front/change.h"

#include "base/log.h"
#include "http/form.h"

#include <sodium.h>

bool change_is_own(struct exchange *exchange, struct view form_token)
{
    const struct credentials *credentials = exchange_credentials(exchange);
    if (credentials->kind == CREDENTIALS_BEARER) {
        return true;
    }
    if (credentials_form_token_right(credentials, form_token)) {
        return true;
    }
    switch (origin_of(&exchange->settings->public_url, exchange->request)) {
    case ORIGIN_OWN:
        return true;
    case ORIGIN_FOREIGN:
        return false;
    case ORIGIN_UNSAID:
        break;
    }
    return !credentials->cookie_sent;
}

bool change_has_type(const struct exchange *exchange, struct view type)
{
    struct view value = http_request_known(exchange->request, HTTP_HEADER_CONTENT_TYPE);
    return !http_request_repeated(exchange->request, HTTP_HEADER_CONTENT_TYPE) &&
           view_equal_nocase(view_trim(view_cut(&value, ';')), type);
}

bool change_seal(const struct settings *settings, struct view password, struct sealed *sealed)
{
    static const uint8_t nothing[1];
    bool fits = password.size <= WIRE_PASSWORD_MAX;
    if (fits) {
        sealed->size = password.size + crypto_box_SEALBYTES;
        fits = crypto_box_seal(sealed->data, password.size == 0 ? nothing : password.data, password.size,
                               settings->hash_public_key.byte) == 0;
    }
    wipe((void *)(uintptr_t)password.data, password.size);
    return fits;
}

struct view change_device(const struct exchange *exchange)
{
    struct view value = {NULL, 0};
    if (http_request_cookie(exchange->request, exchange->settings->device_cookie_name, &value) !=
            HTTP_FOUND_ONE ||
        value.size > WIRE_DEVICE_MAX) {
        return (struct view){NULL, 0};
    }
    return value;
}

void granted_read(struct view rows, struct granted *granted)
{
    *granted = (struct granted){.has_grant = false};
    while (rows.size > 0) {
        struct granted next; // a decoder that fails may have written
        if (wire_grant_next(&rows, &next.grant)) {
            granted->grant = next.grant;
            granted->has_grant = true;
        } else if (wire_account_public_next(&rows, &next.account)) {
            granted->account = granted->has_account ? granted->account : next.account;
            granted->has_account = true;
        } else if (wire_session_public_next(&rows, &next.session)) {
            granted->session = granted->has_session ? granted->session : next.session;
            granted->has_session = true;
        } else if (wire_invite_next(&rows, &next.invite)) {
            granted->invite = next.invite;
            granted->has_invite = true;
        } else {
            return;
        }
    }
}

bool change_id_parse(struct view text, struct id16 *id)
{
    return base64url_decode(text, id->byte, sizeof(id->byte));
}

void change_warn_plain(struct exchange *exchange)
{
    if (exchange->front->warned_plain || exchange->https || exchange->settings->secure ||
        url_host_is_loopback(exchange->settings->public_url.host)) {
        return;
    }
    exchange->front->warned_plain = true;
    log_event(
        LOG_WARNING, "login_over_plain_http",
        "passwords cross the network unprotected: set public_url to https, and tls_certificate or a proxy");
}
