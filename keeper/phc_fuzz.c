// SPDX-License-Identifier: ISC
// Fuzz target of keeper/phc: stored hashes may come from an imported file.
#include "keeper/phc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct phc_parameters parameters = {0};
    if (phc_parse(view_of(data, size), &parameters)) {
        if (!phc_parameters_valid(&parameters) || phc_needs_rehash(view_of(data, size), &parameters)) {
            abort();
        }
        if (parameters.memory_kib <= 256 && parameters.passes == 1 &&
            phc_verify(view_of(data, size), VIEW("x")) == PHC_MALFORMED) {
            abort();
        }
    }
    return 0;
}
