// SPDX-License-Identifier: ISC
// make-common-passwords: makes the file of common or breached passwords that stayd-hash reads, from text.
// Runs at build time and by hand of an administrator; never while stayd serves. Reads plain lists (one
// password a line) or, with --hashes, published SHA-1 lists ("40 hex digits:count" a line). Bound: 8 bytes of
// memory an entry.
#include "keeper/common.h"
#include "keeper/rules.h"
#include "keeper/sha1.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

struct collection {
    uint8_t (*keys)[COMMON_KEY_SIZE];
    size_t count;
    size_t capacity;
    size_t skipped;
    bool hashes;
};

static const char usage[] =
    "usage: make-common-passwords [--hashes] -o OUTPUT [FILE]...\n"
    "Makes a list of refused passwords for stayd (config: breached_passwords = OUTPUT).\n"
    "FILE has one password a line; passwords shorter than 8 characters are left out, as stayd refuses them "
    "anyway.\n"
    "With --hashes FILE has one SHA-1 a line, as published by Have I Been Pwned (anything after the hash is "
    "ignored).\n"
    "Without FILE, standard input is read.\n";

static bool collection_add(struct collection *collection, const uint8_t key[COMMON_KEY_SIZE])
{
    if (collection->count == collection->capacity) {
        size_t capacity = collection->capacity == 0 ? 65536 : collection->capacity * 2;
        void *keys = realloc(collection->keys, capacity * COMMON_KEY_SIZE);
        if (keys == NULL) {
            return false;
        }
        collection->keys = keys;
        collection->capacity = capacity;
    }
    memcpy(collection->keys[collection->count++], key, COMMON_KEY_SIZE);
    return true;
}

static bool key_of_hash(struct view line, uint8_t key[COMMON_KEY_SIZE])
{
    uint8_t digest[SHA1_SIZE];
    struct view digits = view_first(line, (size_t)2 * SHA1_SIZE);
    struct view after = view_from(line, (size_t)2 * SHA1_SIZE);
    if ((after.size > 0 && after.data[0] != ':') || !hex_decode(digits, digest, sizeof digest)) {
        return false;
    }
    memcpy(key, digest, COMMON_KEY_SIZE);
    return true;
}

static bool key_of_password(struct view line, uint8_t key[COMMON_KEY_SIZE])
{
    struct secret folded = {0};
    bool usable = text_fold(line, &folded) == TEXT_OK &&
                  text_characters(view_of(folded.data, folded.size)) >= RULES_CHARACTERS_MIN;
    if (usable) {
        common_key(view_of(folded.data, folded.size), key);
    }
    secret_release(&folded);
    return usable;
}

static bool add_line(struct collection *collection, struct view line)
{
    uint8_t key[COMMON_KEY_SIZE];
    bool usable = collection->hashes ? key_of_hash(line, key) : key_of_password(line, key);
    if (!usable) {
        collection->skipped++;
        return true;
    }
    return collection_add(collection, key);
}

static bool add_file(struct collection *collection, FILE *file)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    bool added = true;
    while (added && (size = getline(&line, &capacity, file)) >= 0) {
        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r')) {
            size--;
        }
        added = size == 0 || add_line(collection, view_of(line, (size_t)size));
    }
    free(line);
    return added && ferror(file) == 0;
}

static bool add_path(struct collection *collection, const char *path)
{
    FILE *file = fopen(path, "re");
    bool added = file != NULL && add_file(collection, file);
    if (!added) {
        fprintf(stderr, "make-common-passwords: %s: %s\n", path, strerror(errno));
    }
    if (file != NULL) {
        fclose(file);
    }
    return added;
}

static bool add_all(struct collection *collection, char *const paths[], int count)
{
    if (count == 0) {
        return add_file(collection, stdin);
    }
    for (int i = 0; i < count; i++) {
        if (!add_path(collection, paths[i])) {
            return false;
        }
    }
    return true;
}

// Beside the old file and then in its place, so that a running stayd never sees half of one.
static bool save(struct collection *collection, const char *path)
{
    char temporary[4096];
    int size = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (size < 0 || (size_t)size >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return false;
    }
    bool saved = common_write(fd, collection->keys, collection->count) && fsync(fd) == 0;
    saved = close(fd) == 0 && saved;
    return saved && rename(temporary, path) == 0;
}

static int make(struct collection *collection, const char *output, char *const paths[], int count)
{
    if (!add_all(collection, paths, count)) {
        return 1;
    }
    if (collection->count == 0) {
        fprintf(stderr, "make-common-passwords: no usable line in the input%s\n",
                collection->hashes ? "" : " (is it a list of hashes? Then add --hashes)");
        return 1;
    }
    if (!save(collection, output)) {
        fprintf(stderr, "make-common-passwords: %s: %s\n", output, strerror(errno));
        return 1;
    }
    printf("%s: %zu passwords, %zu lines left out\n", output, collection->count, collection->skipped);
    return 0;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {{"hashes", no_argument, NULL, 's'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct collection collection = {0};
    const char *output = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        if (option == 's') {
            collection.hashes = true;
        } else if (option == 'o') {
            output = optarg;
        } else {
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    if (output == NULL) {
        fputs(usage, stderr);
        return 2;
    }
    int status = make(&collection, output, argv + optind, argc - optind);
    free(collection.keys);
    return status;
}
