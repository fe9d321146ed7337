// SPDX-License-Identifier: ISC
// Rights of stayd-store towards a server. Runs in stayd-store, before the sandbox.
// A Unix socket needs no right here: Landlock does not look at connecting to one, its folder's mode does.
//
// Landlock's rights stick to files, not to names: a resolv.conf that is replaced can't be read any more, and
// look-ups would go to 127.0.0.1. Where it leads to a folder of a manager's own (systemd-resolved,
// NetworkManager, resolvconf), that folder is allowed as a whole, so that a new one is seen.
#include "store/reach.h"

#include <dlfcn.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#define DNS_PORT 53 // over TCP, when an answer is too long for UDP

// libpq's TLS reads openssl.cnf when it begins.
static const char *const names_files[] = {"/etc/resolv.conf",   "/etc/hosts",    "/etc/host.conf",
                                          "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/ssl/openssl.cnf"};

// "hosts: files resolve [!UNAVAIL=return] dns" → libnss_resolve.so.2. files and dns are in the C library.
static void load_modules(struct view words)
{
    while (words.size > 0) {
        struct view word = view_trim(view_cut(&words, ' '));
        char name[32], library[64];
        if (word.size == 0 || word.data[0] == '[' || view_index(word, '/') < word.size ||
            !view_to_cstr(word, name, sizeof(name))) {
            continue;
        }
        (void)snprintf(library, sizeof(library), "libnss_%s.so.2", name);
        (void)dlopen(library, RTLD_NOW | RTLD_NODELETE);
    }
}

void reach_load(void)
{
    char line[256];
    FILE *file = fopen("/etc/nsswitch.conf", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        struct view text = view_of(line, strcspn(line, "#\n"));
        if (view_starts_with(text, VIEW("hosts:"))) {
            load_modules(view_from(text, 6));
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    struct addrinfo *list = NULL;
    if (getaddrinfo("localhost", NULL, NULL, &list) == 0) { // /etc/hosts knows it: nobody is asked
        freeaddrinfo(list);
    }
}

static void allow(struct sandbox_options *options, const char *path)
{
    if (options->dirs < SANDBOX_DIRS_MAX) {
        options->dir[options->dirs++] = (struct sandbox_dir){path, SANDBOX_READ};
    }
}

static void allow_resolver(struct reach *reach, struct sandbox_options *options)
{
    char real[PATH_MAX];
    reach->resolver[0] = '\0';
    if (realpath("/etc/resolv.conf", real) == NULL || strncmp(real, "/run/", 5) != 0) {
        return;
    }
    char *slash = strrchr(real, '/');
    *slash = '\0';
    if (strlen(real) > 5 && view_to_cstr(view_of_cstr(real), reach->resolver, sizeof(reach->resolver))) {
        allow(options, reach->resolver);
    }
}

static void allow_port(struct sandbox_options *options, uint16_t port)
{
    for (unsigned i = 0; i < options->ports; i++) {
        if (options->port[i] == port) {
            return;
        }
    }
    if (options->ports < SANDBOX_PORTS_MAX) {
        options->port[options->ports++] = port;
    }
}

void reach_allow(struct reach *reach, const struct postgres_target *target, struct sandbox_options *options)
{
    static const char *const words[REACH_FILES_MAX] = {"sslrootcert", "sslcert", "sslkey"};
    reach->files = 0;
    for (size_t i = 0; i < sizeof(names_files) / sizeof(names_files[0]); i++) {
        allow(options, names_files[i]);
    }
    allow_resolver(reach, options);
    for (size_t i = 0; i < REACH_FILES_MAX; i++) {
        const char *path = postgres_target_get(target, words[i]);
        char *file = reach->file[reach->files];
        if (path != NULL && view_to_cstr(view_of_cstr(path), file, sizeof(reach->file[0]))) {
            allow(options, file);
            reach->files++;
        }
    }
    for (unsigned i = 0; i < target->hosts; i++) {
        uint64_t port = 0;
        if (view_to_u64(view_of_cstr(target->host[i].port), &port) && port > 0 && port <= UINT16_MAX) {
            allow_port(options, (uint16_t)port);
        }
    }
    allow_port(options, DNS_PORT);
}
