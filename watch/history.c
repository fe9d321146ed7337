// SPDX-License-Identifier: ISC
// The file of weeks. Runs in stayd-watch.
// 1. A minute has one place, minute modulo HISTORY_MINUTES: the file never grows past its bound, and a row
// that
//    is overwritten is five weeks old.
// 2. A row is written whole, by one call, and carries a sum over itself: one that was half-written in a crash
//    is passed over, and costs one minute. Nothing is synced: a power failure may cost the last minutes.
// 3. Two rows of one minute (watch was started again, or the wall clock stepped back) become one.
// A row: magic, layout (a sum over the names of fields and resources: rows of another version are passed
// over), minute, fields, full, sum. Numbers are little-endian.
#include "watch/history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HISTORY_NAME ".history"
#define SUM_BEGIN    0xcbf29ce484222325u
enum { MAGIC = 0x79616473, ROWS_AT_ONCE = 512 };
enum { FIELDS_AT = 16, FULL_AT = FIELDS_AT + 4 * HISTORY_FIELD_COUNT, SUM_AT = HISTORY_ROW_SIZE - 8 };
static_assert(FULL_AT + SATURATION_RESOURCES_MAX <= SUM_AT);

static void put_u32(uint8_t *out, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> 8 * i);
    }
}

static void put_u64(uint8_t *out, uint64_t value)
{
    put_u32(out, (uint32_t)value);
    put_u32(out + 4, (uint32_t)(value >> 32));
}

static uint32_t get_u32(const uint8_t *in)
{
    return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

static uint64_t get_u64(const uint8_t *in)
{
    return get_u32(in) | (uint64_t)get_u32(in + 4) << 32;
}

// FNV-1a: against chance, not against people.
static uint64_t sum_over(const uint8_t *data, size_t size, uint64_t sum)
{
    for (size_t i = 0; i < size; i++) {
        sum = (sum ^ data[i]) * 0x100000001b3u;
    }
    return sum;
}

static uint32_t layout(void)
{
#define X(id, merge) #id " "
    static const char fields[] = HISTORY_FIELDS(X);
#undef X
    uint64_t sum = sum_over((const uint8_t *)fields, sizeof(fields), SUM_BEGIN);
    for (unsigned i = 0; i < saturation_row_count; i++) {
        const char *name = saturation_rows[i].resource;
        sum = sum_over((const uint8_t *)name, strlen(name) + 1, sum);
    }
    return (uint32_t)(sum ^ sum >> 32);
}

void history_encode(const struct history_row *row, uint8_t out[static HISTORY_ROW_SIZE])
{
    memset(out, 0, HISTORY_ROW_SIZE);
    put_u32(out, MAGIC);
    put_u32(out + 4, layout());
    put_u64(out + 8, row->minute);
    for (unsigned i = 0; i < HISTORY_FIELD_COUNT; i++) {
        put_u32(out + FIELDS_AT + 4 * i, row->field[i]);
    }
    memcpy(out + FULL_AT, row->full, sizeof(row->full));
    put_u64(out + SUM_AT, sum_over(out, SUM_AT, SUM_BEGIN));
}

bool history_decode(const uint8_t in[static HISTORY_ROW_SIZE], struct history_row *row)
{
    if (get_u32(in) != MAGIC || get_u32(in + 4) != layout() ||
        get_u64(in + SUM_AT) != sum_over(in, SUM_AT, SUM_BEGIN)) {
        return false;
    }
    row->minute = get_u64(in + 8);
    for (unsigned i = 0; i < HISTORY_FIELD_COUNT; i++) {
        row->field[i] = get_u32(in + FIELDS_AT + 4 * i);
    }
    memcpy(row->full, in + FULL_AT, sizeof(row->full));
    return true;
}

// ---- one row out of two

static uint32_t ADD(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static uint32_t MOST(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t LEAST(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void merge(struct history_row *to, const struct history_row *from)
{
#define X(id, how) to->field[HISTORY_##id] = how(to->field[HISTORY_##id], from->field[HISTORY_##id]);
    HISTORY_FIELDS(X)
#undef X
    for (unsigned i = 0; i < SATURATION_RESOURCES_MAX; i++) {
        uint8_t a = to->full[i];
        uint8_t b = from->full[i];
        to->full[i] = a == HISTORY_UNKNOWN || (b != HISTORY_UNKNOWN && b > a) ? b : a;
    }
}

// ---- the file

void history_init(struct history *history)
{
    *history = (struct history){.fd = -1};
}

static off_t place_of(uint64_t minute)
{
    return (off_t)(minute % HISTORY_MINUTES * HISTORY_ROW_SIZE);
}

static void count_row(void *context, const struct history_row *row)
{
    (void)context;
    (void)row;
}

bool history_open(struct history *history, int folder, unsigned *rows)
{
    struct stat status;
    int fd = openat(folder, HISTORY_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        (status.st_size > (off_t)HISTORY_MINUTES * HISTORY_ROW_SIZE && ftruncate(fd, 0) != 0)) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    if (history->fd >= 0) {
        close(history->fd);
    }
    history->fd = fd;
    *rows = history_read(history, UINT64_MAX, NULL, count_row);
    return true;
}

static void write_row(struct history *history)
{
    uint8_t data[HISTORY_ROW_SIZE];
    struct history_row there;
    off_t place = place_of(history->row.minute);
    if (history->fd < 0 || history->row.field[HISTORY_seconds] == 0) {
        return;
    }
    if (pread(history->fd, data, sizeof(data), place) == (ssize_t)sizeof(data) &&
        history_decode(data, &there) && there.minute == history->row.minute) {
        merge(&history->row, &there);
    }
    history_encode(&history->row, data);
    // A full disk costs a minute of history and nothing else.
    (void)!pwrite(history->fd, data, sizeof(data), place);
}

// ---- the minute under way

static uint32_t small(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static void most(struct history_row *row, enum history_field field, uint64_t value)
{
    row->field[field] = MOST(row->field[field], small(value));
}

static uint64_t sum_of_rows(const struct sums *between, enum stats_counter first)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < STATS_statement_wait_account_by_name - STATS_statement_account_by_name; i++) {
        sum += between->counter[first + i];
    }
    return sum;
}

static uint32_t p99_us(const struct sums *between, enum stats_histogram histogram)
{
    return small(stats_quantile_ns(&between->times[histogram], 0.99) / 1000);
}

// What the whole minute adds up to.
static void settle(struct history *history)
{
    static struct sums between;
    uint32_t *field = history->row.field;
    sums_between(&history->begin, &history->latest, &between);
    field[HISTORY_checks] = small(sums_answered(&between, SUMS_check));
    field[HISTORY_logins] = small(sums_answered(&between, SUMS_login));
    field[HISTORY_changes] = small(sums_answered(&between, SUMS_change));
    field[HISTORY_others] = small(sums_answered(&between, SUMS_other));
    for (unsigned i = 0; i < SUMS_GROUPS; i++) {
        field[HISTORY_refused] = ADD(field[HISTORY_refused], small(between.answered[i][SUMS_REFUSED]));
        field[HISTORY_failed] = ADD(field[HISTORY_failed], small(between.answered[i][SUMS_FAILED]));
    }
    field[HISTORY_check_p99_us] = p99_us(&between, STATS_TIME_check);
    field[HISTORY_login_p99_us] = p99_us(&between, STATS_TIME_login);
    field[HISTORY_change_p99_us] = p99_us(&between, STATS_TIME_change);
    field[HISTORY_front_processor_ms] = small(between.front_processor_us / 1000);
    field[HISTORY_hashed] = small(between.hashed);
    field[HISTORY_hashed_ms] = small(between.hashed_ns / 1000000);
    field[HISTORY_statements] = small(sum_of_rows(&between, STATS_statement_account_by_name));
    field[HISTORY_statements_ms] = small(sum_of_rows(&between, STATS_statement_hold_account_by_name) / 1000);
    field[HISTORY_restarts] =
        small(between.counter[STATS_restarts_crashed] + between.counter[STATS_restarts_hung] +
              between.counter[STATS_restarts_left]);
}

static void begin_minute(struct history *history, uint64_t minute)
{
    history->row = (struct history_row){.minute = minute};
    history->row.field[HISTORY_disk_free_mib] = UINT32_MAX;
    memset(history->row.full, HISTORY_UNKNOWN, sizeof(history->row.full));
    history->begin = history->latest;
}

static void end_minute(struct history *history)
{
    settle(history);
    write_row(history);
}

static uint64_t rose(const struct sums *from, const struct sums *to, enum sums_group group)
{
    uint64_t before = sums_answered(from, group);
    uint64_t now = sums_answered(to, group);
    return now > before ? now - before : 0;
}

static void take_second(struct history *history, const struct watched *watched, const struct sums *sums)
{
    struct history_row *row = &history->row;
    uint64_t disk_free = watched_sum(watched, STATS_disk_free_bytes, STATS_ROLE_supervisor) >> 20;
    row->field[HISTORY_seconds]++;
    most(row, HISTORY_checks_peak, rose(&history->latest, sums, SUMS_check));
    most(row, HISTORY_logins_peak, rose(&history->latest, sums, SUMS_login));
    most(row, HISTORY_changes_peak, rose(&history->latest, sums, SUMS_change));
    most(row, HISTORY_sessions, watched_sum(watched, STATS_sessions_live, STATS_ROLE_core));
    most(row, HISTORY_connections, watched_sum(watched, STATS_connections_open, STATS_ROLE_front));
    most(row, HISTORY_journal, watched_sum(watched, STATS_journal_entries, STATS_ROLE_store));
    most(row, HISTORY_memory_used_mib,
         watched_sum(watched, STATS_machine_memory_used, STATS_ROLE_supervisor) >> 20);
    row->field[HISTORY_disk_free_mib] = LEAST(row->field[HISTORY_disk_free_mib], small(disk_free));
    for (unsigned i = 0; i < saturation_row_count; i++) {
        double full = saturation_now(watched, &saturation_rows[i]);
        uint8_t percent = full < 0 ? HISTORY_UNKNOWN : (uint8_t)(full * 100 + 0.5);
        if (row->full[i] == HISTORY_UNKNOWN || (percent != HISTORY_UNKNOWN && percent > row->full[i])) {
            row->full[i] = percent;
        }
    }
}

void history_take(struct history *history, const struct watched *watched, const struct sums *sums,
                  const struct watched_now *now)
{
    uint64_t minute = now->wall_ms / 60000;
    if (!history->began) {
        history->latest = *sums;
        begin_minute(history, minute);
        history->began = true;
        return; // what was before is not of this second
    }
    if (minute != history->row.minute) {
        end_minute(history);
        begin_minute(history, minute);
    }
    take_second(history, watched, sums);
    history->latest = *sums;
}

void history_release(struct history *history)
{
    if (history->began) {
        end_minute(history);
    }
    if (history->fd >= 0) {
        close(history->fd);
    }
    history_init(history);
}

// ---- reading

struct reading {
    uint64_t from, to; // minutes
    void *context;
    void (*row)(void *context, const struct history_row *row);
    unsigned count;
};

// The places [first, end) in order.
static void read_places(const struct history *history, struct reading *reading, unsigned first, unsigned end)
{
    static uint8_t data[ROWS_AT_ONCE * HISTORY_ROW_SIZE];
    struct history_row row;
    while (first < end) {
        unsigned rows = end - first < ROWS_AT_ONCE ? end - first : ROWS_AT_ONCE;
        ssize_t got = pread(history->fd, data, rows * HISTORY_ROW_SIZE, (off_t)first * HISTORY_ROW_SIZE);
        if (got <= 0) {
            return;
        }
        for (unsigned i = 0; i < (unsigned)got / HISTORY_ROW_SIZE; i++) {
            const uint8_t *at = data + (size_t)i * HISTORY_ROW_SIZE;
            // A place's row is of a minute that belongs there: the file may be anything.
            if (history_decode(at, &row) && row.minute % HISTORY_MINUTES == first + i &&
                row.minute >= reading->from && row.minute <= reading->to) {
                reading->row(reading->context, &row);
                reading->count++;
            }
        }
        first += rows;
    }
}

unsigned history_read(const struct history *history, uint64_t minute, void *context,
                      void (*row)(void *context, const struct history_row *row))
{
    struct reading reading = {.to = minute, .context = context, .row = row};
    if (history->fd < 0) {
        return 0;
    }
    if (minute == UINT64_MAX) {
        read_places(history, &reading, 0, HISTORY_MINUTES);
        return reading.count;
    }
    // The minute after `minute` in the ring is the oldest.
    unsigned newest = (unsigned)(minute % HISTORY_MINUTES);
    reading.from = minute < HISTORY_MINUTES ? 0 : minute - HISTORY_MINUTES + 1;
    read_places(history, &reading, newest + 1, HISTORY_MINUTES);
    read_places(history, &reading, 0, newest + 1);
    return reading.count;
}
