// SPDX-License-Identifier: ISC
// Unit tests of front/credentials.
#include "front/credentials.h"

#include <sodium.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TOKEN "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define OTHER "BBECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

static enum credentials_kind find(const char *headers, struct credentials *credentials)
{
    static char text[4096];
    static struct http_request request;
    size_t consumed;
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
    http_request_reset(&request);
    assert_int_equal(http_parse_head(&request, view_of_cstr(text), &http_limits_default, &consumed),
                     HTTP_DONE);
    credentials_find(&request, VIEW("__Host-stayd"), credentials);
    return credentials->kind;
}

static void tokens_are_found(void **state)
{
    (void)state;
    struct credentials found;
    assert_int_equal(find("Cookie: a=b; __Host-stayd=" TOKEN "; c=d\r\n", &found), CREDENTIALS_COOKIE);
    assert_int_equal(found.selector[15], 15);
    assert_int_equal(found.verifier[0], 16);
    uint8_t hash[16];
    credentials_hash(&found);
    crypto_generichash(hash, 16, found.verifier, 16, NULL, 0);
    assert_memory_equal(hash, found.verifier_hash, 16);
    assert_int_equal(find("Authorization: bearer  " TOKEN "\r\n", &found), CREDENTIALS_BEARER);
    assert_int_equal(find("Authorization: Bearer " OTHER "\r\nCookie: __Host-stayd=" TOKEN "\r\n", &found),
                     CREDENTIALS_BEARER);
    assert_int_equal(found.selector[0], 4);
    assert_int_equal(find("Authorization: Basic eDp5\r\nCookie: __Host-stayd=" TOKEN "\r\n", &found),
                     CREDENTIALS_COOKIE);
}

static void others_are_not(void **state)
{
    (void)state;
    struct credentials found;
    assert_int_equal(find("", &found), CREDENTIALS_NONE);
    assert_false(found.cookie_sent);
    assert_int_equal(
        find("Cookie: stayd=" TOKEN "; __Secure-stayd=" TOKEN "; __host-stayd=" TOKEN "\r\n", &found),
        CREDENTIALS_NONE);
    assert_int_equal(find("Cookie: __Host-stayd=" TOKEN "x\r\n", &found), CREDENTIALS_NONE);
    assert_true(found.cookie_sent);
    assert_int_equal(find("Cookie: __Host-stayd=\"" TOKEN "\"\r\n", &found), CREDENTIALS_NONE);
    assert_int_equal(find("Cookie: __Host-stayd=" TOKEN "; __Host-stayd=" OTHER "\r\n", &found),
                     CREDENTIALS_NONE);
    assert_int_equal(find("Cookie: __Host-stayd=" TOKEN "\r\nCookie: __Host-stayd=" OTHER "\r\n", &found),
                     CREDENTIALS_NONE);
    assert_true(found.cookie_sent);
    assert_int_equal(find("Authorization: Bearer " TOKEN "\r\nAuthorization: Bearer " TOKEN "\r\n", &found),
                     CREDENTIALS_NONE);
}

static void form_tokens_are_the_sessions(void **state)
{
    (void)state;
    struct credentials one, two;
    char token[CREDENTIALS_FORM_TOKEN_SIZE];
    assert_int_equal(find("Cookie: __Host-stayd=" TOKEN "\r\n", &one), CREDENTIALS_COOKIE);
    credentials_form_token(&one, token);
    assert_true(credentials_form_token_right(&one, view_of(token, sizeof(token))));
    assert_false(credentials_form_token_right(&one, view_of(token, sizeof(token) - 1)));
    assert_int_equal(find("Cookie: __Host-stayd=" TOKEN "\r\n", &two), CREDENTIALS_COOKIE);
    two.verifier[3] ^= 1;
    assert_false(credentials_form_token_right(&two, view_of(token, sizeof(token))));
    two.kind = CREDENTIALS_NONE;
    assert_false(credentials_form_token_right(&two, (struct view){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_found),
        cmocka_unit_test(others_are_not),
        cmocka_unit_test(form_tokens_are_the_sessions),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
