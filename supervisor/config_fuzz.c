// SPDX-License-Identifier: ISC
// Any bytes as a configuration: no crash, and problems are told with lines that exist.
#include "supervisor/config.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    static struct config_report report;
    bool fine = config_parse(&config, view_of(data, size), "/etc/stayd/stayd.conf", &report);
    assert(fine == (report.errors == 0));
    assert(config.listens <= CONFIG_LISTENS_MAX && config.rules <= CONFIG_RULES_MAX);
    for (unsigned i = 0; i < report.problems && i < CONFIG_PROBLEMS_MAX; i++) {
        assert(report.problem[i].line <= size + 1);
    }
    return 0;
}
