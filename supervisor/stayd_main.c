// SPDX-License-Identifier: ISC
// `stayd`: the command line of the supervisor.
#include "supervisor/supervisor.h"

#include <getopt.h>
#include <limits.h>
#include <unistd.h>

#ifndef STAYD_VERSION
#define STAYD_VERSION "0"
#endif
#ifndef STAYD_SYSCONFDIR
#define STAYD_SYSCONFDIR "/etc"
#endif

static const char usage[] =
    "usage: stayd [-c FILE] [--check]\n"
    "\n"
    "  -c, --config FILE  the configuration (default " STAYD_SYSCONFDIR "/stayd/stayd.conf)\n"
    "      --check        read it, say everything that is wrong with it, and end\n"
    "      --version      print the version\n"
    "      --help         print this\n"
    "\n"
    "SIGHUP reads the configuration again, SIGTERM finishes what is in progress and ends.\n"
    "\n"
    "  stayd --check -c /etc/stayd/stayd.conf\n"
    "  stayd -c ./stayd.conf\n";

struct options {
    const char *file;
    bool check;
};

// The exit status, or -1 to go on.
static int options_read(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                          {"check", no_argument, NULL, 'k'},
                                          {"version", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;
    *options = (struct options){.file = STAYD_SYSCONFDIR "/stayd/stayd.conf"};
    while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            options->file = optarg;
            break;
        case 'k':
            options->check = true;
            break;
        case 'v':
            printf("stayd %s\n", STAYD_VERSION);
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "stayd: \"%s\" is not an option\n%s", argv[optind], usage);
        return 2;
    }
    return -1;
}

// The judge is a front; it says itself what it finds.
static bool check_front(const struct config *config, const struct slices_files *files)
{
    struct slices_keys keys;
    static struct spawn spawn;
    char why[512] = "not enough memory";
    struct slices slices = {
        .config = config, .keys = &keys, .files = files, .fronts = 1, .version = STAYD_VERSION};
    bool ready = spawn_init(&spawn, why, sizeof why) && slices_keys_init(&keys);
    if (!ready) {
        fprintf(stderr, "stayd: %s\n", why);
    }
    bool fine = ready && reload_front_check(&slices, &spawn);
    spawn_release(&spawn);
    slices_keys_release(&keys);
    return fine;
}

// What a configuration names must be there and make sense, too.
static bool check_files(const struct config *config, const char *file)
{
    struct slices_files files;
    struct password_list lists[SUPERVISOR_PASSWORD_LISTS_MAX];
    unsigned count = 0;
    char why[512];
    bool fine = slices_files_init(&files, config, why, sizeof why) &&
                reload_passwords_open(config, lists, &count, why, sizeof why);
    reload_passwords_close(lists, &count);
    if (!fine) {
        fprintf(stderr, "%s: error: %s\n", file, why);
    }
    fine = fine && check_front(config, &files);
    slices_files_release(&files);
    return fine;
}

// Paths in messages and in the configuration must hold after a change of folder.
static const char *absolute(const char *file)
{
    static char real[PATH_MAX];
    return realpath(file, real) != NULL ? real : file;
}

int main(int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, argc, argv);
    if (status >= 0) {
        return status;
    }
    struct config *config = calloc(1, sizeof *config);
    struct config_report *report = calloc(1, sizeof *report);
    if (config == NULL || report == NULL) {
        fputs("stayd: not enough memory\n", stderr);
        return 1;
    }
    const char *file = absolute(options.file);
    bool fine = config_read(config, file, report);
    config_report_print(report, options.file, stderr);
    free(report);
    if (!fine) {
        free(config);
        return options.check ? 1 : 2;
    }
    if (options.check) {
        fine = check_files(config, options.file);
        if (fine) {
            printf("%s: fine\n", options.file);
        }
        config_wipe(config);
        free(config);
        return fine ? 0 : 1;
    }
    return supervisor_run(config, file);
}
