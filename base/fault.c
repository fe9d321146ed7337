// SPDX-License-Identifier: ISC
// Fault points, see fault.h. Runs in every process, in test builds only.
#include "base/fault.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct fault {
    char name[FAULT_NAME_MAX + 1];
    _Atomic int64_t value;
    _Atomic uint32_t times;
};

// A place is used up when `count` says so: its name is written before.
struct fault_page {
    _Atomic uint32_t count;
    struct fault fault[FAULTS_MAX];
};

static struct fault_page own;
static struct fault_page *page = &own;

static struct fault *fault_find(struct view name)
{
    uint32_t count = atomic_load(&page->count);
    for (uint32_t i = 0; i < count && i < FAULTS_MAX; i++) {
        if (view_equal(view_of_cstr(page->fault[i].name), name)) {
            return &page->fault[i];
        }
    }
    return NULL;
}

bool fault_arm_value(struct view name, uint32_t times, int64_t value)
{
    struct fault *fault = fault_find(name);
    if (fault == NULL) {
        uint32_t place = atomic_load(&page->count);
        if (place >= FAULTS_MAX ||
            !view_to_cstr(name, page->fault[place].name, sizeof(page->fault[place].name))) {
            return false;
        }
        fault = &page->fault[place];
        atomic_store(&page->count, place + 1);
    }
    atomic_store(&fault->value, value);
    atomic_store(&fault->times, times);
    return true;
}

bool fault_arm(struct view name, uint32_t times)
{
    return fault_arm_value(name, times, 0);
}

bool fault_hit(const char *name)
{
    struct fault *fault = fault_find(view_of_cstr(name));
    if (fault == NULL) {
        return false;
    }
    uint32_t times = atomic_load(&fault->times);
    while (times != 0 && times != FAULT_ALWAYS) {
        if (atomic_compare_exchange_weak(&fault->times, &times, times - 1)) {
            return true;
        }
    }
    return times != 0;
}

int64_t fault_value(const char *name)
{
    struct fault *fault = fault_find(view_of_cstr(name));
    return fault == NULL || atomic_load(&fault->times) == 0 ? 0 : atomic_load(&fault->value);
}

// Two that note at once leave one of both times.
void fault_note(const char *name)
{
    if (fault_noted(name) == 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        (void)fault_arm_value(view_of_cstr(name), 0, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    }
}

uint64_t fault_noted(const char *name)
{
    struct fault *fault = fault_find(view_of_cstr(name));
    return fault == NULL ? 0 : (uint64_t)atomic_load(&fault->value);
}

static bool use_page(int fd)
{
    void *map = mmap(NULL, sizeof(struct fault_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        return false;
    }
    page = map;
    return true;
}

bool fault_share(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool done =
        fd >= 0 && fchmod(fd, 0666) == 0 && ftruncate(fd, sizeof(struct fault_page)) == 0 && use_page(fd);
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

#ifdef STAYD_FAULTS
static void use_file(const char *path)
{
    struct stat about;
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        if (fstat(fd, &about) == 0 && about.st_size == (off_t)sizeof(struct fault_page)) {
            (void)use_page(fd);
        }
        close(fd);
    }
}
#endif

void fault_begin(void)
{
#ifdef STAYD_FAULTS
    struct view rest = view_of_cstr(getenv("STAYD_FAULTS"));
    while (rest.size > 0) {
        struct view times = view_cut(&rest, ',');
        struct view name = view_cut(&times, '=');
        uint64_t count = 1;
        if (view_equal(times, VIEW("*"))) {
            count = FAULT_ALWAYS;
        } else if (times.size > 0 && !view_to_u64(times, &count)) {
            continue;
        }
        fault_arm(name, count < FAULT_ALWAYS ? (uint32_t)count : FAULT_ALWAYS);
    }
    use_file(getenv("STAYD_FAULTS_FILE"));
#endif
}

void fault_crash(void)
{
    raise(SIGSEGV);
    _exit(1);
}

void fault_hang(void)
{
    for (;;) {
        nanosleep(&(struct timespec){.tv_sec = 3600}, NULL);
    }
}

void fault_wait(int64_t ms)
{
    if (ms > 0) {
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
    }
}
