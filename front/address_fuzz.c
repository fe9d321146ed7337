// SPDX-License-Identifier: ISC
// Fuzzes front/address: networks, and X-Forwarded-For behind them.
#include "front/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view rest = view_of(data, size);
    struct view list = view_cut(&rest, '\n');
    struct networks networks;
    struct peer peer = {.unix_socket = true};
    struct view lines[2];
    if (!networks_parse(list, &networks)) {
        networks = (struct networks){.count = 0};
    }
    lines[0] = view_cut(&rest, '\n');
    lines[1] = rest;
    struct id16 untrusted = address_of_client(&networks, &peer, lines, 2);
    if (!networks.unix_socket && memcmp(&untrusted, &peer.address, sizeof(untrusted)) != 0) {
        __builtin_trap(); // a stranger was believed
    }
    networks.unix_socket = true;
    (void)address_of_client(&networks, &peer, lines, 2);
    return 0;
}
