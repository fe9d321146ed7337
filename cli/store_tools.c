// SPDX-License-Identifier: ISC
// stayctl backup and restore: the work is stayd-store's, which owns the database; its messages and its exit
// code are passed through. Runs in stayctl.
#include "cli/cli.h"

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

static int run_store(const char *verb, const char *from, const char *to)
{
    char program[CLI_PATH_MAX + 64];
    if (!find_store(program, sizeof(program))) {
        cli_say("stayd-store is not beside stayctl, nor in %s: the installation is not complete.",
                STAYD_LIBEXEC);
        return CLI_REFUSED;
    }
    char *const argv[] = {program, (char *)(uintptr_t)verb, (char *)(uintptr_t)from, (char *)(uintptr_t)to,
                          NULL};
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execv(program, argv);
        _exit(126);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) == 126) {
        cli_say("%s could not be run, or was ended.", program);
        return CLI_REFUSED;
    }
    return WEXITSTATUS(status);
}

int store_backup(struct cli *cli)
{
    char database[CLI_PATH_MAX + 32];
    int code = cli_configure(cli);
    if (code != CLI_DONE) {
        return code;
    }
    snprintf(database, sizeof(database), "%s/store/stayd.db", cli->config.data_dir);
    code = run_store("--backup", database, cli->arguments->operand[0]);
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
    if (!arguments_has(cli->arguments, CLI_yes) && isatty(STDIN_FILENO)) {
        fprintf(stderr, "Put %s in place of the database? [y/N] ", file);
        if (fgets(answer, sizeof(answer), stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y')) {
            cli_say("Nothing was changed.");
            return CLI_REFUSED;
        }
    }
    code = run_store("--restore", file, cli->config.data_dir);
    if (code == CLI_DONE) {
        printf("Start stayd again. Accounts and sessions are those of the backup: sessions that were ended "
               "since it "
               "was made may be live again; \"stayctl session end --user NAME --all\" ends them.\n");
    }
    return code;
}
