// SPDX-License-Identifier: ISC
// stayctl backup and restore: the work is stayd-store's, which owns the database; its messages and its exit
// code are passed through. Runs in stayctl.
#include "cli/cli.h"

#include <errno.h>
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

// An absolute path, since stayd-store works in its own folder.
static bool absolute(const char *given, char *out, size_t size)
{
    char here[CLI_PATH_MAX] = "";
    if (given[0] != '/' && getcwd(here, sizeof(here)) == NULL) {
        return false;
    }
    int used = snprintf(out, size, "%s%s%s", here, given[0] == '/' ? "" : "/", given);
    return used > 0 && (size_t)used < size;
}

static int run_store(struct cli *cli, const char *verb)
{
    char program[CLI_PATH_MAX + 64];
    char file[CLI_PATH_MAX];
    char folder[CLI_PATH_MAX + 16];
    int code = cli_configure(cli);
    if (code != CLI_DONE) {
        return code;
    }
    if (!find_store(program, sizeof(program))) {
        cli_say("stayd-store is not beside stayctl, nor in %s: the installation is not complete.",
                STAYD_LIBEXEC);
        return CLI_REFUSED;
    }
    if (!absolute(cli->arguments->operand[0], file, sizeof(file))) {
        cli_say("The path is too long.");
        return CLI_REFUSED;
    }
    snprintf(folder, sizeof(folder), "%s/store", cli->config.data_dir);
    char *const argv[] = {program, (char *)(uintptr_t)verb, file, (char *)(uintptr_t) "--folder", folder,
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
        cli_say("%s could not be run: %s.", program, strerror(errno));
        return CLI_REFUSED;
    }
    return WEXITSTATUS(status);
}

int store_backup(struct cli *cli)
{
    return run_store(cli, "--backup");
}

int store_restore(struct cli *cli)
{
    const char *file = cli->arguments->operand[0];
    char answer[8];
    if (!arguments_has(cli->arguments, CLI_yes) && isatty(STDIN_FILENO)) {
        fprintf(stderr, "Put %s in place of the database? [y/N] ", file);
        if (fgets(answer, sizeof(answer), stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y')) {
            cli_say("Nothing was changed.");
            return CLI_REFUSED;
        }
    }
    int code = run_store(cli, "--restore");
    if (code == CLI_DONE) {
        printf("Start stayd again. Accounts and sessions are those of the backup: sessions that were ended "
               "since it "
               "was made may be live again; \"stayctl session end --user NAME --all\" ends them.\n");
    }
    return code;
}
