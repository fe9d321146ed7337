// SPDX-License-Identifier: ISC
// Penalties for sources that keep crashing a front. Runs in the supervisor.
#include "supervisor/penalty.h"

#include "base/network.h"

#include <arpa/inet.h>

static struct penalty_source *source_find(struct penalty *penalty, struct id16 source)
{
    struct penalty_source *oldest = &penalty->source[0];
    for (size_t i = 0; i < PENALTY_SOURCES_MAX; i++) {
        struct penalty_source *one = &penalty->source[i];
        if (one->crashed_ms != 0 && memcmp(&one->source, &source, sizeof source) == 0) {
            return one;
        }
        if (one->crashed_ms < oldest->crashed_ms) {
            oldest = one;
        }
    }
    *oldest = (struct penalty_source){.source = source};
    return oldest;
}

uint32_t penalty_crash(struct penalty *penalty, struct id16 source, uint64_t now_ms)
{
    struct penalty_source *one = source_find(penalty, network_of(source));
    if (now_ms - one->crashed_ms > PENALTY_WINDOW_MS) {
        one->crashes = 0;
    }
    one->crashed_ms = now_ms;
    one->crashes++;
    if (one->crashes < PENALTY_CRASHES) {
        return 0;
    }
    uint32_t doublings = one->times < 6 ? one->times : 6;
    uint32_t seconds = (uint32_t)PENALTY_FIRST_S << doublings;
    seconds = seconds < PENALTY_LONGEST_S ? seconds : PENALTY_LONGEST_S;
    one->times++;
    one->crashes = 0;
    one->until_ms = now_ms + seconds * 1000ULL;
    return seconds;
}

uint32_t penalty_left_s(const struct penalty_source *source, uint64_t now_ms)
{
    return source->until_ms > now_ms ? (uint32_t)((source->until_ms - now_ms + 999) / 1000) : 0;
}

static bool within(struct view network, const struct id16 *source)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[64];
    uint8_t base[16];
    uint64_t bits;
    struct view address = view_cut(&network, '/');
    if (!view_to_cstr(address, text, sizeof text)) {
        return false;
    }
    unsigned width = 128;
    if (inet_pton(AF_INET, text, base + 12) == 1) {
        memcpy(base, mapped, sizeof mapped);
        width = 32;
    } else if (inet_pton(AF_INET6, text, base) != 1) {
        return false;
    }
    if (network.size == 0) {
        bits = width;
    } else if (!view_to_u64(network, &bits) || bits > width) {
        return false;
    }
    bits += 128 - width;
    if (memcmp(base, source->byte, bits / 8) != 0) {
        return false;
    }
    unsigned mask = bits % 8 == 0 ? 0 : 0xff00U >> bits % 8 & 0xffU;
    return mask == 0 || ((base[bits / 8] ^ source->byte[bits / 8]) & mask) == 0;
}

bool penalty_spares(const char *trusted_proxies, struct id16 source)
{
    struct view list = view_of_cstr(trusted_proxies);
    while (list.size > 0) {
        if (within(view_cut(&list, ','), &source)) {
            return true;
        }
    }
    return false;
}
