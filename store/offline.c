// SPDX-License-Identifier: ISC
// The command line of stayd-store's offline tools, and the check.
#include "store/offline.h"

#include "store/check_db.h"
#include "store/offline_file.h"

static const char usage[] =
    "usage: stayd-store --backup DATA_DIR/store/stayd.db OUT\n"
    "       stayd-store --restore FILE DATA_DIR\n"
    "       stayd-store --check FILE\n"
    "       stayd-store --check-db text|json|run < DATABASE, CA file, password: a line each\n"
    "stayctl backup, restore and check-db call it with the right paths.\n";

static const struct command {
    const char *name;
    int arguments;
} commands[] = {{"--backup", 2}, {"--restore", 2}, {"--check", 1}, {"--check-db", 1}};

static const struct command *find(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

bool offline_is_asked(int argc, char **argv)
{
    return find(argc, argv) != NULL;
}

enum offline_status offline_check(const char *file)
{
    sqlite3 *database = NULL;
    enum offline_status status = offline_open(file, SQLITE_OPEN_READONLY, &database);
    status = status == OFFLINE_DONE ? offline_schema(file, database) : status;
    status = status == OFFLINE_DONE ? offline_integrity(file, database) : status;
    (void)sqlite3_close(database);
    if (status == OFFLINE_DONE) {
        offline_say("%s is whole", file);
    }
    return status;
}

int offline_main(int argc, char **argv)
{
    const struct command *command = find(argc, argv);
    if (command == NULL || argc != 2 + command->arguments) {
        (void)fputs(usage, stderr);
        return OFFLINE_USAGE;
    }
    if (strcmp(command->name, "--backup") == 0) {
        return (int)offline_backup(argv[2], argv[3]);
    }
    if (strcmp(command->name, "--restore") == 0) {
        return (int)offline_restore(argv[2], argv[3]);
    }
    if (strcmp(command->name, "--check-db") == 0) {
        struct check_db how = {.json = strcmp(argv[2], "text") != 0, .run = strcmp(argv[2], "run") == 0};
        return (int)check_db(&how, stdin, stdout);
    }
    return (int)offline_check(argv[2]);
}
