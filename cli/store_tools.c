// SPDX-License-Identifier: ISC
// stayctl backup, restore and check-db: the work is stayd-store's, which owns the database; its messages and
// its exit code are passed through. Runs in stayctl.
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/wait.h>
#include <unistd.h>

// stayd-store lies beside stayctl (a build folder), or where it was installed.
static bool find_store(char *path, size_t size)
{
    char self[CLI_PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length > 0) {
        self[length] = '\0';
        const char *folder = dirname(self);
        int used = snprintf(path, size, "%s/stayd-store", folder);
        if (used > 0 && (size_t)used < size && access(path, X_OK) == 0) {
            return true;
        }
        used = snprintf(path, size, "%s/../libexec/stayd/stayd-store", folder);
        if (used > 0 && (size_t)used < size && access(path, X_OK) == 0) {
            return true;
        }
    }
    snprintf(path, size, "%s/stayd-store", STAYD_LIBEXEC);
    return access(path, X_OK) == 0;
}

// Runs stayd-store; `input` (may be NULL) is what it reads.
static int run_store(const char *verb, const char *from, const char *to, const char *input)
{
    char program[CLI_PATH_MAX + 64];
    int ends[2] = {-1, -1};
    if (!find_store(program, sizeof(program))) {
        cli_say("stayd-store is not beside stayctl, nor in %s: the installation is not complete.",
                STAYD_LIBEXEC);
        return CLI_REFUSED;
    }
    char *const argv[] = {program, (char *)(uintptr_t)verb, (char *)(uintptr_t)from, (char *)(uintptr_t)to,
                          NULL};
    fflush(NULL);
    // It fits into the pipe, so nobody waits for anybody.
    bool fine = input == NULL || (pipe2(ends, O_CLOEXEC) == 0 &&
                                  write(ends[1], input, strlen(input)) == (ssize_t)strlen(input));
    pid_t child = fine ? fork() : -1;
    if (child == 0) {
        if (input == NULL || dup2(ends[0], STDIN_FILENO) == STDIN_FILENO) {
            execv(program, argv);
        }
        _exit(126);
    }
    for (size_t i = 0; i < 2; i++) {
        if (ends[i] >= 0) {
            close(ends[i]);
        }
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) == 126) {
        cli_say("%s could not be run, or was ended.", program);
        return CLI_REFUSED;
    }
    return WEXITSTATUS(status);
}

static bool is_sqlite(const struct cli_config *config)
{
    return config->database[0] == '\0' || strcmp(config->database, "sqlite") == 0;
}

// What PostgreSQL holds is backed up by its own tools, which can do more; the keys are in the data folder.
static int refuse_postgres(const struct cli_config *config)
{
    cli_say("The data is in PostgreSQL: back it up with pg_dump or continuous archiving, and keep %s/keys "
            "with it.",
            config->data_dir);
    return CLI_REFUSED;
}

int store_backup(struct cli *cli)
{
    char database[CLI_PATH_MAX + 32];
    int code = cli_configure(cli);
    if (code != CLI_DONE) {
        return code;
    }
    if (!is_sqlite(&cli->config)) {
        return refuse_postgres(&cli->config);
    }
    snprintf(database, sizeof(database), "%s/store/stayd.db", cli->config.data_dir);
    code = run_store("--backup", database, cli->arguments->operand[0], NULL);
    if (code == CLI_DONE) {
        printf("%s is written.\n", cli->arguments->operand[0]);
    }
    return code;
}

int store_restore(struct cli *cli)
{
    const char *file = cli->arguments->operand[0];
    char answer[8];
    int code = cli_configure(cli);
    if (code != CLI_DONE) {
        return code;
    }
    if (!is_sqlite(&cli->config)) {
        return refuse_postgres(&cli->config);
    }
    if (!arguments_has(cli->arguments, CLI_yes) && isatty(STDIN_FILENO)) {
        fprintf(stderr, "Put %s in place of the database? [y/N] ", file);
        if (fgets(answer, sizeof(answer), stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y')) {
            cli_say("Nothing was changed.");
            return CLI_REFUSED;
        }
    }
    code = run_store("--restore", file, cli->config.data_dir, NULL);
    if (code == CLI_DONE) {
        printf("Start stayd again. Accounts and sessions are those of the backup: sessions that were ended "
               "since it "
               "was made may be live again; \"stayctl session end --user NAME --all\" ends them.\n");
    }
    return code;
}

// The password's line, without its end; empty when no file is named.
static bool read_password(const char *file, char *out, size_t out_size)
{
    out[0] = '\0';
    if (file[0] == '\0') {
        return true;
    }
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, out, out_size - 1);
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (got < 0) {
        cli_say("database_password_file %s can't be read: %s.", file, strerror(error));
        return false;
    }
    out[got] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return true;
}

int store_check_db(struct cli *cli)
{
    char input[2 * CLI_PATH_MAX + 512];
    char password[512];
    const struct cli_config *config = &cli->config;
    int code = cli_configure(cli);
    if (code != CLI_DONE) {
        return code;
    }
    if (!read_password(config->database_password_file, password, sizeof(password))) {
        return CLI_REFUSED;
    }
    int size = is_sqlite(config) ? snprintf(input, sizeof(input), "%s/store/stayd.db\n\n\n", config->data_dir)
                                 : snprintf(input, sizeof(input), "%s\n%s\n%s\n", config->database,
                                            config->database_ca, password);
    code =
        size < 0 || (size_t)size >= sizeof(input)
            ? CLI_REFUSED
            : run_store("--check-db", arguments_has(cli->arguments, CLI_json) ? "json" : "text", NULL, input);
    wipe(password, sizeof(password));
    wipe(input, sizeof(input));
    return code;
}
