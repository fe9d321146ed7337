// SPDX-License-Identifier: ISC
// Death records. Runs in the supervisor. A page is written by a process that may have been taken over before
// it died: every number in it is checked before use, and it holds no text but the names of loaded files.
#include "supervisor/death.h"

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/symbols.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

bool death_flight(const struct stats_page *page, uint32_t *class, struct id16 *source)
{
    static const struct id16 nobody;
    if (page == NULL) {
        return false;
    }
    uint64_t half[2] = {atomic_load_explicit(&page->flight.source[0], memory_order_relaxed),
                        atomic_load_explicit(&page->flight.source[1], memory_order_relaxed)};
    *class = atomic_load_explicit(&page->flight.class, memory_order_relaxed);
    memcpy(source->byte, half, sizeof half);
    return *class != STATS_CLASS_none && memcmp(source, &nobody, sizeof nobody) != 0;
}

static const char *cause_text(enum death_cause cause)
{
    static const char *const text[] = {"left", "crashed", "hung"};
    return text[cause];
}

// The name that the page gives a file, with nothing in it that could steer a terminal.
static void module_text(const struct stats_module *module, char *text, size_t size)
{
    size_t at = 0;
    for (; at + 1 < size && at < sizeof module->name && module->name[at] != '\0'; at++) {
        char c = module->name[at];
        text[at] = c > ' ' && c < 0x7f ? c : '?';
    }
    text[at] = '\0';
}

// One frame: function+0x12, or libc.so.6+0x1234.
static void frame_text(const struct stats_page *page, const struct symbols *symbols, uint64_t address,
                       char *text, size_t size)
{
    char name[128];
    uint64_t into;
    uint32_t modules = page->modules < STATS_MODULES_MAX ? page->modules : STATS_MODULES_MAX;
    for (uint32_t i = 0; i < modules; i++) {
        const struct stats_module *module = &page->module[i];
        uint64_t offset = address - module->base;
        if (address < module->base || offset >= module->size) {
            continue;
        }
        if (i == 0 && symbols_find(symbols, offset, name, sizeof name, &into)) {
            snprintf(text, size, "%s+0x%llx", name, (unsigned long long)into);
        } else {
            module_text(module, name, sizeof name);
            snprintf(text, size, "%s+0x%llx", name[0] != '\0' ? name : "program", (unsigned long long)offset);
        }
        return;
    }
    snprintf(text, size, "?");
}

static bool crash_known(const struct death *death)
{
    return death->page != NULL && stats_page_fits(death->page) &&
           atomic_load_explicit(&death->page->crash.state, memory_order_acquire) == STATS_CRASH_written;
}

static void backtrace_text(const struct death *death, const char *separator, struct bytes *text)
{
    struct symbols symbols;
    char frame[192];
    if (!crash_known(death)) {
        return;
    }
    const struct stats_crash *crash = &death->page->crash;
    uint32_t depth = crash->depth < STATS_BACKTRACE_MAX ? crash->depth : STATS_BACKTRACE_MAX;
    symbols_init(&symbols, death->executable);
    for (uint32_t i = 0; i < depth; i++) {
        frame_text(death->page, &symbols, crash->frame[i], frame, sizeof frame);
        bytes_append_format(text, "%s%s", i > 0 ? separator : "", frame);
    }
    symbols_release(&symbols);
}

static void build_id_text(const struct stats_page *page, char text[2 * STATS_BUILD_ID_SIZE + 1])
{
    uint32_t size = page->build_id_size < STATS_BUILD_ID_SIZE ? page->build_id_size : STATS_BUILD_ID_SIZE;
    hex_encode(page->build_id, size, text);
}

// The first signal, where the black box knows it: a sanitizer's report ends the process by another one.
static const char *signal_text(const struct death *death, char room[32])
{
    int signal = WTERMSIG(death->status);
    if (crash_known(death)) {
        signal = death->page->crash.signal;
    }
    const char *name = sigabbrev_np(signal);
    snprintf(room, 32, "SIG%s", name != NULL ? name : "?");
    return room;
}

void death_text(const struct death *death, char *text, size_t size)
{
    char how[64], room[32];
    struct bytes trace;
    if (WIFSIGNALED(death->status) || crash_known(death)) {
        snprintf(how, sizeof how, "by %s", signal_text(death, room));
    } else {
        snprintf(how, sizeof how, "with status %d", WEXITSTATUS(death->status));
    }
    bytes_init(&trace, 1400);
    backtrace_text(death, " < ", &trace);
    snprintf(text, size, "%s %u %s %s after %llu ms%s%.*s", death->name, death->index,
             cause_text(death->cause), how, (unsigned long long)death->lived_ms, trace.size > 0 ? " in " : "",
             (int)trace.size, (const char *)trace.data);
    bytes_release(&trace);
}

static void log_death(const struct death *death)
{
    struct log_line line;
    struct bytes trace;
    struct id16 source;
    uint32_t class = STATS_CLASS_none;
    char room[2 * STATS_BUILD_ID_SIZE + 1];
    log_begin(&line, LOG_ERROR, "process_died");
    log_text(&line, "name", death->name);
    log_u64(&line, "index", death->index);
    log_u64(&line, "pid", (uint64_t)death->pid);
    log_text(&line, "cause", cause_text(death->cause));
    if (WIFSIGNALED(death->status) || crash_known(death)) {
        log_text(&line, "signal", signal_text(death, room));
    }
    if (WIFEXITED(death->status)) {
        log_u64(&line, "status", (uint64_t)WEXITSTATUS(death->status));
    }
    log_u64(&line, "lived_ms", death->lived_ms);
    log_u64(&line, "restart_in_ms", death->restart_in_ms);
    if (death->page != NULL && stats_page_fits(death->page)) {
        bool sourced = death_flight(death->page, &class, &source);
        log_text(&line, "class", stats_class_label(class));
        if (sourced) {
            log_address(&line, "source", source);
        }
        build_id_text(death->page, room);
        log_text(&line, "build_id", room);
    }
    bytes_init(&trace, 1400);
    backtrace_text(death, " ", &trace);
    if (trace.size > 0) {
        log_text(&line, "address", stats_address_text(death->page->crash.address));
        log_view(&line, "backtrace", bytes_view(&trace));
    }
    bytes_release(&trace);
    log_end(&line);
}

// Names begin with the time, so the smallest is the oldest.
static void make_room(int incidents)
{
    char oldest[256] = "";
    unsigned count = 0;
    int again = openat(incidents, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *entry;
    while (list != NULL && (entry = readdir(list)) != NULL) {
        if (strncmp(entry->d_name, "crash-", 6) != 0) {
            continue;
        }
        count++;
        if (oldest[0] == '\0' || strcmp(entry->d_name, oldest) < 0) {
            snprintf(oldest, sizeof oldest, "%s", entry->d_name);
        }
    }
    if (list != NULL) {
        closedir(list);
    }
    if (count >= DEATH_FILES_MAX) {
        (void)unlinkat(incidents, oldest, 0);
    }
}

static void file_text(const struct death *death, const char *when, struct bytes *text)
{
    struct id16 source;
    uint32_t class = STATS_CLASS_none;
    char room[2 * STATS_BUILD_ID_SIZE + 1];
    char address[46];
    bytes_append_format(text, "%s %u %s at %s\n", death->name, death->index, cause_text(death->cause), when);
    bytes_append_format(text, "pid %d, lived %llu ms\n", death->pid, (unsigned long long)death->lived_ms);
    if (WIFSIGNALED(death->status) || crash_known(death)) {
        bytes_append_format(text, "signal %s\n", signal_text(death, room));
    }
    if (WIFEXITED(death->status)) {
        bytes_append_format(text, "exit status %d\n", WEXITSTATUS(death->status));
    }
    if (death->page == NULL || !stats_page_fits(death->page)) {
        return;
    }
    build_id_text(death->page, room);
    bytes_append_format(text, "build id %s\n", room);
    if (death_flight(death->page, &class, &source)) {
        log_address_text(source, address);
        bytes_append_format(text, "in flight: a request of class %s from %s\n", stats_class_label(class),
                            address);
    } else {
        bytes_append_format(text, "in flight: %s\n", stats_class_label(class));
    }
    if (crash_known(death)) {
        bytes_append_format(text, "address: %s, thread %d\nbacktrace:\n  ",
                            stats_address_text(death->page->crash.address), death->page->crash.thread);
        backtrace_text(death, "\n  ", text);
        bytes_append_byte(text, '\n');
    }
}

static void file_write(const struct death *death, int incidents)
{
    char when[32];
    char name[128];
    struct bytes text;
    struct tm parts;
    time_t now = (time_t)clock_wall_s();
    gmtime_r(&now, &parts);
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &parts);
    snprintf(name, sizeof name, "crash-%s-%s-%u-%d.log", when, death->name, death->index, death->pid);
    bytes_init(&text, 16384);
    file_text(death, when, &text);
    make_room(incidents);
    int fd = openat(incidents, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || write(fd, text.data, text.size) != (ssize_t)text.size) {
        log_event(LOG_WARNING, "incident_not_written", "incidents/%s: %s", name, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    bytes_release(&text);
}

void death_record(const struct death *death, int incidents)
{
    log_death(death);
    if (incidents >= 0) {
        file_write(death, incidents);
    }
}
