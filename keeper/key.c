// SPDX-License-Identifier: ISC
// Sub-keys and authentication codes, in stayd-key.
// libsodium's key derivation (BLAKE2b with the number of the purpose as salt and a context of eight
// characters) makes the sub-keys independent: who learns one learns nothing of the others or of the data key.
// Keyed BLAKE2b needs no HMAC around it (RFC 7693 section 2.5).
#include "keeper/key.h"
#include "wire/types.h"

#include <assert.h>

#include <sodium.h>

#define CONTEXT "staydkey"

static_assert(sizeof CONTEXT - 1 == crypto_kdf_CONTEXTBYTES);
static_assert(KEY_SIZE == crypto_kdf_KEYBYTES);
static_assert(WIRE_KEY_DEVICE <= KEY_PURPOSE_MAX);

void key_init(struct key *key, const uint8_t data_key[KEY_SIZE])
{
    *key = (struct key){0};
    for (uint8_t purpose = 1; purpose <= KEY_PURPOSE_MAX; purpose++) {
        int failed = crypto_kdf_derive_from_key(key->purpose[purpose], KEY_SIZE, purpose, CONTEXT, data_key);
        assert(failed == 0);
        (void)failed;
    }
}

void key_release(struct key *key)
{
    wipe(key, sizeof *key);
}

static bool purpose_exists(uint8_t purpose)
{
    return purpose == WIRE_KEY_DEVICE;
}

bool key_mac(const struct key *key, uint8_t purpose, struct view data, struct hash32 *mac)
{
    return purpose_exists(purpose) && data.size <= KEY_DATA_SIZE_MAX &&
           crypto_generichash(mac->byte, sizeof mac->byte, data.data, data.size, key->purpose[purpose],
                              KEY_SIZE) == 0;
}
