// SPDX-License-Identifier: ISC
// What the sanitizers' runtimes do unless the environment says otherwise; in every executable of a sanitizer
// build, and in no other. A child of stayd need not have the environment it was started with, so it is said
// here.
//
// Leaks are looked for only where asked (the unit tests): the search needs to stop threads, which no sandbox
// allows. Memory that can't be had is NULL, as in the real thing: code that copes with it is tested, not
// ended.
//
// Freed memory is kept back by the sanitizer, so that use of it is seen, but less of it than it would by
// itself (256 MiB): a process that only grows by that would be taken for one that leaks.

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0:abort_on_error=1:strict_string_checks=1:allocator_may_return_null=1:"
           "quarantine_size_mb=8";
}

const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:abort_on_error=1:print_stacktrace=1";
}
