// SPDX-License-Identifier: ISC
// Networks by number and by name. Runs in front, core, the supervisor and watch. A label is 4 or 6 in its
// first byte, then the prefix.
#include "base/network.h"

#include <arpa/inet.h>

uint64_t network_label(struct id16 address)
{
    bool v4 = network_is_v4(address);
    uint64_t label = v4 ? 4 : 6;
    for (unsigned i = 0; i < 6; i++) {
        bool in = i < 3 || !v4;
        label = label << 8 | (in ? address.byte[v4 ? 12 + i : i] : 0);
    }
    return label << 8;
}

void network_label_text(uint64_t label, char out[static NETWORK_TEXT_SIZE])
{
    uint8_t address[16] = {0};
    bool v4 = label >> 56 == 4;
    char text[INET6_ADDRSTRLEN] = "?";
    for (unsigned i = 0; i < 6; i++) {
        address[i] = (uint8_t)(label >> (48 - 8 * i));
    }
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, address, text, sizeof(text));
    snprintf(out, NETWORK_TEXT_SIZE, "%s/%d", text, v4 ? 24 : 48);
}
