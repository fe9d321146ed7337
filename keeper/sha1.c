// SPDX-License-Identifier: ISC
// SHA-1 as FIPS 180-4 section 6.1 writes it. What it leaves on the stack is wiped, as messages are passwords.
#include "keeper/sha1.h"

#define BLOCK_SIZE 64

static uint32_t rotate(uint32_t word, unsigned int bits)
{
    return (word << bits) | (word >> (32 - bits));
}

static uint32_t load_word(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static void schedule(const uint8_t *block, uint32_t word[80])
{
    for (int i = 0; i < 16; i++) {
        word[i] = load_word(block + (ptrdiff_t)4 * i);
    }
    for (int i = 16; i < 80; i++) {
        word[i] = rotate(word[i - 3] ^ word[i - 8] ^ word[i - 14] ^ word[i - 16], 1);
    }
}

// The function and constant of round i (sections 4.1.1 and 4.2.1).
static uint32_t round_term(int i, const uint32_t s[5])
{
    if (i < 20) {
        return ((s[1] & s[2]) ^ (~s[1] & s[3])) + 0x5A827999;
    }
    if (i < 40) {
        return (s[1] ^ s[2] ^ s[3]) + 0x6ED9EBA1;
    }
    if (i < 60) {
        return ((s[1] & s[2]) ^ (s[1] & s[3]) ^ (s[2] & s[3])) + 0x8F1BBCDC;
    }
    return (s[1] ^ s[2] ^ s[3]) + 0xCA62C1D6;
}

static void absorb(uint32_t state[5], const uint8_t *block)
{
    uint32_t word[80];
    uint32_t s[5];

    schedule(block, word);
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 80; i++) {
        uint32_t first = rotate(s[0], 5) + round_term(i, s) + s[4] + word[i];

        s[4] = s[3];
        s[3] = s[2];
        s[2] = rotate(s[1], 30);
        s[1] = s[0];
        s[0] = first;
    }
    for (int i = 0; i < 5; i++) {
        state[i] += s[i];
    }
    wipe(word, sizeof word);
    wipe(s, sizeof s);
}

// The rest of the message, a one bit, zeros and the length in bits fill one or two blocks (section 5.1.1).
static void absorb_end(uint32_t state[5], struct view rest, uint64_t message_size)
{
    uint8_t end[2 * BLOCK_SIZE] = {0};
    size_t size = rest.size + 9 <= BLOCK_SIZE ? BLOCK_SIZE : 2 * BLOCK_SIZE;

    if (rest.size > 0) {
        memcpy(end, rest.data, rest.size);
    }
    end[rest.size] = 0x80;
    for (size_t i = 0; i < 8; i++) {
        end[size - 1 - i] = (uint8_t)(message_size * 8 >> (8 * i));
    }
    absorb(state, end);
    if (size > BLOCK_SIZE) {
        absorb(state, end + BLOCK_SIZE);
    }
    wipe(end, sizeof end);
}

void sha1(struct view message, uint8_t digest[SHA1_SIZE])
{
    uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    struct view rest = message;

    for (; rest.size >= BLOCK_SIZE; rest = view_from(rest, BLOCK_SIZE)) {
        absorb(state, rest.data);
    }
    absorb_end(state, rest, message.size);
    for (size_t i = 0; i < SHA1_SIZE; i++) {
        digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
    }
    wipe(state, sizeof state);
}
