// SPDX-License-Identifier: ISC
// argon2id hashes as PHC strings, made and checked by libsodium, in stayd-hash.
// The strings are parsed here too, more strictly than libsodium does: the cost of a check is known before it
// starts, and a hash that is not ours to check is told apart from a wrong password.
#include "keeper/phc.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>

#define SALT_SIZE   crypto_pwhash_argon2id_SALTBYTES
#define DIGEST_SIZE 32

static_assert(PHC_SIZE_MAX == crypto_pwhash_argon2id_STRBYTES);

struct parsed {
    struct phc_parameters parameters;
    uint8_t salt[SALT_SIZE];
    uint8_t digest[DIGEST_SIZE];
};

bool phc_parameters_valid(const struct phc_parameters *parameters)
{
    return parameters->memory_kib >= PHC_MEMORY_KIB_MIN && parameters->memory_kib <= PHC_MEMORY_KIB_MAX &&
           parameters->passes >= PHC_PASSES_MIN && parameters->passes <= PHC_PASSES_MAX;
}

// "m=19456" with name "m=": the number, without leading zeros.
static bool parse_number(struct view field, struct view name, uint32_t *number)
{
    uint64_t value;
    if (!view_starts_with(field, name)) {
        return false;
    }
    struct view digits = view_from(field, name.size);
    if (digits.size == 0 || digits.data[0] == '0' || !view_to_u64(digits, &value) || value > UINT32_MAX) {
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

static bool parse_parameters(struct view list, struct phc_parameters *parameters)
{
    struct view memory = view_cut(&list, ',');
    struct view passes = view_cut(&list, ',');
    return parse_number(memory, VIEW("m="), &parameters->memory_kib) &&
           parse_number(passes, VIEW("t="), &parameters->passes) && view_equal(list, VIEW("p=1")) &&
           phc_parameters_valid(parameters);
}

static bool decode(struct view text, uint8_t *out, size_t size)
{
    size_t written = 0;
    return sodium_base642bin(out, size, (const char *)text.data, text.size, NULL, &written, NULL,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
           written == size;
}

static bool parse(struct view phc, struct parsed *parsed)
{
    struct view rest = phc;
    if (phc.size >= PHC_SIZE_MAX || view_cut(&rest, '$').size != 0) {
        return false;
    }
    struct view algorithm = view_cut(&rest, '$');
    struct view version = view_cut(&rest, '$');
    struct view list = view_cut(&rest, '$');
    struct view salt = view_cut(&rest, '$');
    return view_equal(algorithm, VIEW("argon2id")) && view_equal(version, VIEW("v=19")) &&
           parse_parameters(list, &parsed->parameters) && decode(salt, parsed->salt, SALT_SIZE) &&
           decode(rest, parsed->digest, DIGEST_SIZE);
}

bool phc_parse(struct view phc, struct phc_parameters *parameters)
{
    struct parsed parsed;
    bool right = parse(phc, &parsed);
    if (right) {
        *parameters = parsed.parameters;
    }
    wipe(&parsed, sizeof parsed);
    return right;
}

bool phc_needs_rehash(struct view phc, const struct phc_parameters *wanted)
{
    struct phc_parameters have;
    return phc_parse(phc, &have) && (have.memory_kib != wanted->memory_kib || have.passes != wanted->passes);
}

void phc_make_dummy(const struct phc_parameters *parameters, char phc[PHC_SIZE_MAX])
{
    uint8_t random[SALT_SIZE + DIGEST_SIZE];
    char salt[sodium_base64_ENCODED_LEN(SALT_SIZE, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)];
    char digest[sodium_base64_ENCODED_LEN(DIGEST_SIZE, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)];
    assert(phc_parameters_valid(parameters));
    randombytes_buf(random, sizeof random);
    sodium_bin2base64(salt, sizeof salt, random, SALT_SIZE, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    sodium_bin2base64(digest, sizeof digest, random + SALT_SIZE, DIGEST_SIZE,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    int size = snprintf(phc, PHC_SIZE_MAX, "$argon2id$v=19$m=%u,t=%u,p=1$%s$%s", parameters->memory_kib,
                        parameters->passes, salt, digest);
    assert(size > 0 && size < PHC_SIZE_MAX);
    (void)size;
    wipe(random, sizeof random);
}

bool phc_make(struct view password, const struct phc_parameters *parameters, char phc[PHC_SIZE_MAX])
{
    assert(phc_parameters_valid(parameters));
    return crypto_pwhash_str_alg(phc, (const char *)password.data, password.size, parameters->passes,
                                 (size_t)parameters->memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

enum phc_verdict phc_verify(struct view phc, struct view password)
{
    struct parsed parsed;
    uint8_t digest[DIGEST_SIZE];
    enum phc_verdict verdict = PHC_MALFORMED;
    if (!parse(phc, &parsed)) {
        goto out;
    }
    // Not crypto_pwhash_str_verify: it reports want of memory as a mismatch, and an outage is not a wrong
    // password.
    if (crypto_pwhash(digest, sizeof digest, (const char *)password.data, password.size, parsed.salt,
                      parsed.parameters.passes, (size_t)parsed.parameters.memory_kib * 1024,
                      crypto_pwhash_ALG_ARGON2ID13) != 0) {
        verdict = PHC_NO_MEMORY;
        goto out;
    }
    verdict = equal_secret(digest, parsed.digest, DIGEST_SIZE) ? PHC_RIGHT : PHC_WRONG;
out:
    wipe(digest, sizeof digest);
    wipe(&parsed, sizeof parsed);
    return verdict;
}
