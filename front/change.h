// SPDX-License-Identifier: ISC
// What the API and the pages share when they change something: is the request the person's own, is the body
// what it says, how is a password sealed, what did core grant. Used by stayd-front. Owns nothing.
#ifndef FRONT_CHANGE_H
#define FRONT_CHANGE_H

#include "front/answer.h"
#include "front/ask.h"
#include "front/origin.h"

// May this request change something? `form_token` is empty where there is none. A request that names
// another site as its origin never; one with a cookie only with an origin of ours or the form token.
[[nodiscard]] bool change_is_own(struct exchange *exchange, struct view form_token);
// The Content-Type, without parameters, is `type`.
[[nodiscard]] bool change_has_type(const struct exchange *exchange, struct view type);

struct sealed {
    uint8_t data[WIRE_SEALED_MAX];
    size_t size;
};
// Seals a password, even an empty one, to stayd-hash and wipes it where it stood. false: too long, or the key
// is none.
[[nodiscard]] bool change_seal(const struct settings *settings, struct view password, struct sealed *sealed);
static inline struct view sealed_view(const struct sealed *sealed)
{
    return view_of(sealed->data, sealed->size);
}

// The device cookie; empty without one.
struct view change_device(const struct exchange *exchange);

// What is in the rows of a reply. Views are the reply's.
struct granted {
    bool has_grant, has_account, has_session, has_invite;
    struct wire_grant grant;
    struct wire_account_public account;
    struct wire_session_public session; // the first
    struct wire_invite invite;
};
void granted_read(struct view rows, struct granted *granted);

// A public id of a session as text and back.
#define CHANGE_ID_SIZE 22
static inline struct view change_id_text(const struct id16 *id, char room[static CHANGE_ID_SIZE])
{
    return view_of(room, base64url_encode(id->byte, sizeof(id->byte), room));
}
[[nodiscard]] bool change_id_parse(struct view text, struct id16 *id);

// Log-in over plain http to a host that is not this machine works, and is worth a warning, once.
void change_warn_plain(struct exchange *exchange);

#endif
