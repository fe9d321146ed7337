// SPDX-License-Identifier: ISC
// Any bytes as a file of /proc: a process chooses its own name, brackets and line ends among it, and other
// kernels write other fields. No crash, and what is said is of the text.
#include "supervisor/proc.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_process(struct view text)
{
    struct proc_process process;
    if (!proc_process_parse(text, &process)) {
        return;
    }
    assert(process.pid > 0 && (process.started > 0 || process.pid == 1));
    assert(memchr(process.name, '\0', sizeof process.name) != NULL);
    const char *name = memchr(text.data, '(', text.size);
    assert(name != NULL && memcmp(name + 1, process.name, strlen(process.name)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_of(data, size);
    struct proc_ticks ticks;
    struct proc_status status;
    cpu_set_t processors;
    CPU_ZERO(&processors);
    assert(!proc_ticks_parse(text, &processors, &ticks) && ticks.busy == 0); // none of them is asked for
    for (unsigned i = 0; i < 4; i++) {
        CPU_SET(i, &processors);
    }
    bool known = proc_ticks_parse(text, &processors, &ticks);
    assert(known || (ticks.busy == 0 && ticks.stolen == 0));
    (void)proc_status_parse(text, &status);
    assert(proc_pressure_parse(text) == 0 || size >= sizeof("some total="));
    (void)proc_descriptors_limit_parse(text);
    read_process(text);
    return 0;
}
