// SPDX-License-Identifier: ISC
// Backup, restore and check: while others write, into a used folder, against a lock, of damaged and foreign
// files.
#include "store/offline.h"

#include "store/testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <sys/file.h>

struct offline {
    char top[64];
    char data[96], store[96], keys[96], database[128], backup[96];
    struct backend backend; // a server on `database`
};

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static bool file_is(const char *folder, const char *name, const char *text)
{
    char path[256], content[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_RDONLY);
    ssize_t size = fd < 0 ? -1 : read(fd, content, sizeof(content));
    if (fd >= 0) {
        close(fd);
    }
    return size == (ssize_t)strlen(text) && memcmp(content, text, strlen(text)) == 0;
}

static mode_t mode_of(const char *path)
{
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    return file.st_mode & 07777;
}

static void serve(struct offline *o)
{
    char why[STORE_WHY_MAX];
    o->backend = (struct backend){.kind = BACKEND_SQLITE};
    store_answer_init(&o->backend.answer);
    assert_int_equal(store_sqlite_open(&o->backend.sqlite, o->database, STORE_WRITE, why), STORE_OPENED);
}

static void stop(struct offline *o)
{
    store_sqlite_close(&o->backend.sqlite);
    store_answer_release(&o->backend.answer);
}

static int setup(void **state)
{
    struct offline *o = calloc(1, sizeof(*o));
    testing_folder(o->top);
    (void)snprintf(o->data, sizeof(o->data), "%s/data", o->top);
    (void)snprintf(o->store, sizeof(o->store), "%s/data/store", o->top);
    (void)snprintf(o->keys, sizeof(o->keys), "%s/data/keys", o->top);
    (void)snprintf(o->database, sizeof(o->database), "%s/data/store/stayd.db", o->top);
    (void)snprintf(o->backup, sizeof(o->backup), "%s/backup", o->top);
    assert_int_equal(mkdir(o->data, 0755) | mkdir(o->store, 0700) | mkdir(o->keys, 0700), 0);
    write_file(o->keys, "data.key", "0123456789abcdef0123456789abcdef");
    serve(o);
    *state = o;
    return 0;
}

static int remove_one(const char *path, const struct stat *file, int kind, struct FTW *where)
{
    (void)file;
    (void)kind;
    (void)where;
    return remove(path);
}

static int teardown(void **state)
{
    struct offline *o = *state;
    stop(o);
    (void)nftw(o->top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(o);
    return 0;
}

static void fill(struct offline *o, uint32_t from, uint32_t end)
{
    testing_alice(&o->backend);
    for (uint32_t i = from; i < end; i++) {
        OK(&o->backend, session_grant, SESSION(1, i));
    }
}

static size_t kept_files(const char *folder)
{
    DIR *files = opendir(folder);
    const struct dirent *entry;
    size_t kept = 0;
    while ((entry = readdir(files)) != NULL) {
        kept += strstr(entry->d_name, ".before-restore-") != NULL;
    }
    closedir(files);
    return kept;
}

static void a_backup_is_one_private_file_taken_while_serving(void **state)
{
    struct offline *o = *state;
    fill(o, 0, 50);
    assert_int_equal(offline_backup(o->database, o->backup), OFFLINE_DONE);
    assert_int_equal(mode_of(o->backup), 0600);
    fill(o, 50, 60);                                                        // the server goes on
    assert_int_equal(offline_backup(o->database, o->backup), OFFLINE_DONE); // in place of the older one
    assert_int_equal(offline_check(o->backup), OFFLINE_DONE);
    assert_int_equal(offline_check(o->database), OFFLINE_DONE);
    DIR *files = opendir(o->top);
    size_t count = 0;
    while (readdir(files) != NULL) {
        count++;
    }
    closedir(files);
    assert_int_equal(count, 4); // . .. data backup: nothing beside it
}

static void a_restore_brings_back_sessions_and_keys_and_keeps_what_was_there(void **state)
{
    struct offline *o = *state;
    fill(o, 0, 20);
    assert_int_equal(offline_backup(o->database, o->backup), OFFLINE_DONE);
    fill(o, 20, 40);
    stop(o);
    write_file(o->keys, "data.key", "another key, made since then....");
    assert_int_equal(offline_restore(o->backup, o->data), OFFLINE_DONE);
    assert_int_equal(mode_of(o->database), 0600);
    assert_true(file_is(o->keys, "data.key", "0123456789abcdef0123456789abcdef"));
    assert_int_equal(kept_files(o->keys), 1);
    assert_true(kept_files(o->store) >= 1);
    assert_int_equal(offline_check(o->database), OFFLINE_DONE);
    sqlite3 *database;
    assert_int_equal(sqlite3_open(o->database, &database), SQLITE_OK);
    assert_int_not_equal(sqlite3_exec(database, "SELECT * FROM backup_files", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    serve(o);
    assert_true(testing_session_is_there(&o->backend, 19));
    assert_false(testing_session_is_there(&o->backend, 20));
}

static void a_restore_into_an_empty_place_makes_the_folders(void **state)
{
    struct offline *o = *state;
    fill(o, 0, 5);
    assert_int_equal(offline_backup(o->database, o->backup), OFFLINE_DONE);
    char fresh[128], keys[160];
    (void)snprintf(fresh, sizeof(fresh), "%s/fresh", o->top);
    (void)snprintf(keys, sizeof(keys), "%s/keys", fresh);
    assert_int_equal(offline_restore(o->backup, fresh), OFFLINE_DONE);
    assert_true(file_is(keys, "data.key", "0123456789abcdef0123456789abcdef"));
}

static void a_running_stayd_is_not_restored_over(void **state)
{
    struct offline *o = *state;
    fill(o, 0, 5);
    assert_int_equal(offline_backup(o->database, o->backup), OFFLINE_DONE);
    write_file(o->data, "stayd.lock", "1\n");
    char lock[128];
    (void)snprintf(lock, sizeof(lock), "%s/stayd.lock", o->data);
    int fd = open(lock, O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(offline_restore(o->backup, o->data), OFFLINE_REFUSED);
    assert_int_equal(kept_files(o->store), 0);
    close(fd);
}

static void what_is_not_a_whole_backup_is_refused_before_anything_is_touched(void **state)
{
    struct offline *o = *state;
    fill(o, 0, 300);
    assert_int_equal(offline_backup(o->database, o->backup), OFFLINE_DONE);
    int fd = open(o->backup, O_WRONLY);
    static char garbage[8192];
    memset(garbage, 0xee, sizeof(garbage));
    assert_int_equal(pwrite(fd, garbage, sizeof(garbage), 20 * 4096), sizeof(garbage));
    close(fd);
    assert_int_equal(offline_check(o->backup), OFFLINE_REFUSED);
    assert_int_equal(offline_restore(o->backup, o->data), OFFLINE_REFUSED);
    write_file(o->top, "text",
               "this is not a database, but it is long enough to be looked at twice, or is it not?");
    char text[128];
    (void)snprintf(text, sizeof(text), "%s/text", o->top);
    assert_int_equal(offline_restore(text, o->data), OFFLINE_REFUSED);
    assert_int_equal(offline_check(text), OFFLINE_REFUSED);
    write_file(o->top, "text", "");
    assert_int_equal(offline_restore(text, o->data), OFFLINE_REFUSED);
    assert_int_equal(offline_check("/nowhere/at/all"), OFFLINE_REFUSED);
    sqlite3 *other;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/other.db", o->top);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "CREATE TABLE t (x)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(offline_restore(path, o->data), OFFLINE_REFUSED);
    assert_int_equal(kept_files(o->store) + kept_files(o->keys), 0);
    assert_true(testing_session_is_there(&o->backend, 299));
}

static void a_backup_that_fails_leaves_the_older_one(void **state)
{
    struct offline *o = *state;
    fill(o, 0, 5);
    write_file(o->top, "backup", "older");
    char missing[160];
    (void)snprintf(missing, sizeof(missing), "%s/none.db", o->store);
    assert_int_equal(offline_backup(missing, o->backup), OFFLINE_REFUSED);
    assert_true(file_is(o->top, "backup", "older"));
    char nowhere[160];
    (void)snprintf(nowhere, sizeof(nowhere), "%s/none/backup", o->top);
    assert_int_equal(offline_backup(o->database, nowhere), OFFLINE_UNAVAILABLE);
}

#define IN_FOLDER(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_backup_is_one_private_file_taken_while_serving),
        IN_FOLDER(a_restore_brings_back_sessions_and_keys_and_keeps_what_was_there),
        IN_FOLDER(a_restore_into_an_empty_place_makes_the_folders),
        IN_FOLDER(a_running_stayd_is_not_restored_over),
        IN_FOLDER(what_is_not_a_whole_backup_is_refused_before_anything_is_touched),
        IN_FOLDER(a_backup_that_fails_leaves_the_older_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
