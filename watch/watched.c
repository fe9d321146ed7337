// SPDX-License-Identifier: ISC
// Mappings of what others write. Runs in stayd-watch.
// 1. At most one page of a role and index: a process that was started again replaces its own.
// 2. The supervisor answers no heartbeats; watch ends with it, so it is up as long as there is anyone to ask.
#include "watch/watched.h"

#include "base/clock.h"

#include <sys/mman.h>
#include <unistd.h>

struct watched_now watched_now(void)
{
    return (struct watched_now){.mono_ns = clock_mono_ns(), .wall_ms = clock_wall_ms()};
}

void watched_init(struct watched *watched)
{
    *watched = (struct watched){0};
}

static void table_release(struct watched_table *table)
{
    if (table->map != NULL) {
        munmap((void *)(uintptr_t)table->map, table->size);
    }
    *table = (struct watched_table){0};
}

void watched_release(struct watched *watched)
{
    for (unsigned i = 0; i < watched->pages; i++) {
        if (watched->page[i].page != stats_here) {
            stats_unmap(watched->page[i].page);
        }
    }
    table_release(&watched->sessions);
    table_release(&watched->accounts);
    watched_init(watched);
}

static bool role_of(uint8_t owner, enum stats_role *role)
{
    static const struct {
        enum wire_role wire;
        enum stats_role stats;
    } roles[] = {{WIRE_SUPERVISOR, STATS_ROLE_supervisor},
                 {WIRE_FRONT, STATS_ROLE_front},
                 {WIRE_CORE, STATS_ROLE_core},
                 {WIRE_STORE, STATS_ROLE_store},
                 {WIRE_HASH, STATS_ROLE_hash},
                 {WIRE_KEY, STATS_ROLE_key},
                 {WIRE_WATCH, STATS_ROLE_watch}};
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (roles[i].wire == (enum wire_role)owner) {
            *role = roles[i].stats;
            return true;
        }
    }
    return false;
}

void watched_add(struct watched *watched, enum stats_role role, uint16_t index, const struct stats_page *page)
{
    unsigned at = 0;
    while (at < watched->pages && (watched->page[at].role < role ||
                                   (watched->page[at].role == role && watched->page[at].index < index))) {
        at++;
    }
    struct watched_page *place = &watched->page[at];
    if (at < watched->pages && place->role == role && place->index == index) {
        if (place->page != stats_here && place->page != page) {
            stats_unmap(place->page);
        }
        place->page = page;
        return;
    }
    if (watched->pages == WATCHED_PAGES_MAX) {
        return;
    }
    memmove(place + 1, place, (watched->pages - at) * sizeof(*place));
    *place = (struct watched_page){.role = role, .index = index, .page = page};
    watched->pages++;
}

static bool map_table(struct watched *watched, struct watched_table *table, uint64_t size, int fd)
{
    void *map = size == 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        return false;
    }
    table_release(table);
    *table = (struct watched_table){.map = map, .size = size};
    watched->has_tables =
        watched->sessions.map != NULL && watched->accounts.map != NULL &&
        sessions_reader_init(&watched->reader, watched->sessions.map, watched->sessions.size,
                             watched->accounts.map, watched->accounts.size);
    return true;
}

static bool map_page(struct watched *watched, const struct wire_memory *memory, int fd)
{
    enum stats_role role;
    const struct stats_page *page;
    if (!role_of(memory->owner, &role) || memory->size < STATS_PAGE_SIZE) {
        return false;
    }
    page = stats_map(fd);
    if (page == NULL) {
        return false;
    }
    watched_add(watched, role, memory->index, page);
    return true;
}

bool watched_map(struct watched *watched, const struct wire_memory *memory, int fd)
{
    bool mapped = false;
    if (memory->kind == WIRE_MEMORY_STATS) {
        mapped = map_page(watched, memory, fd);
    } else if (memory->kind == WIRE_MEMORY_SESSIONS) {
        mapped = map_table(watched, &watched->sessions, memory->size, fd);
    } else if (memory->kind == WIRE_MEMORY_ACCOUNTS) {
        mapped = map_table(watched, &watched->accounts, memory->size, fd);
    }
    close(fd);
    return mapped;
}

static uint64_t started_ns(const struct watched_page *page)
{
    return atomic_load_explicit(&page->page->started_ns, memory_order_relaxed);
}

enum watched_state watched_state(const struct watched_page *page, const struct watched_now *now)
{
    if (!stats_page_fits(page->page) || started_ns(page) == 0) {
        return WATCHED_ABSENT;
    }
    if (page->role == STATS_ROLE_supervisor || page->page == stats_here) {
        return WATCHED_UP;
    }
    uint64_t heartbeat_ms = stats_read(page->page, STATS_heartbeat_ms);
    uint64_t now_ms = now->mono_ns / 1000000u;
    if (heartbeat_ms == 0) {
        return now->mono_ns - started_ns(page) < WATCHED_FRESH_MS * 2000000ull ? WATCHED_STARTING
                                                                               : WATCHED_SILENT;
    }
    return heartbeat_ms + WATCHED_FRESH_MS >= now_ms ? WATCHED_UP : WATCHED_SILENT;
}

const char *watched_state_text(enum watched_state state)
{
    static const char *const text[] = {"absent", "starting", "up", "silent"};
    return text[state];
}

double watched_uptime_s(const struct watched_page *page, const struct watched_now *now)
{
    uint64_t started = stats_page_fits(page->page) ? started_ns(page) : 0;
    return started == 0 || started > now->mono_ns ? 0 : (double)(now->mono_ns - started) / 1e9;
}

unsigned watched_up(const struct watched *watched, enum stats_role role, const struct watched_now *now)
{
    unsigned up = 0;
    for (unsigned i = 0; i < watched->pages; i++) {
        up += watched->page[i].role == role && watched_state(&watched->page[i], now) == WATCHED_UP;
    }
    return up;
}

uint64_t watched_sum(const struct watched *watched, enum stats_counter counter, enum stats_role role)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < watched->pages; i++) {
        bool wanted = role == STATS_ROLE_COUNT || watched->page[i].role == role;
        if (wanted && stats_page_fits(watched->page[i].page)) {
            sum += stats_read(watched->page[i].page, counter);
        }
    }
    return sum;
}

bool watched_ready(const struct watched *watched, const struct watched_now *now)
{
    return watched_up(watched, STATS_ROLE_core, now) > 0 && watched_up(watched, STATS_ROLE_front, now) > 0;
}

bool watched_is_change(unsigned class)
{
    switch (class) {
    case STATS_CLASS_logout:
    case STATS_CLASS_register:
    case STATS_CLASS_password:
    case STATS_CLASS_setup:
    case STATS_CLASS_session:
    case STATS_CLASS_account:
    case STATS_CLASS_admin:
        return true;
    default:
        return false;
    }
}
