// SPDX-License-Identifier: ISC
// Looks for a few keys in stayd's configuration. Runs in stayctl.
// The rules of a line are stayd's own: `key = value`, `#` begins a comment, a value may stand in double
// quotes with \" and \\; keys after a [section] are that section's. A relative path starts at the folder of
// the file.
#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_SIZE_MAX = 256 * 1024 };

#define DATA_DIR_DEFAULT "/var/lib/stayd"

static const char *const usual_files[] = {"var/stayd.conf", "/etc/stayd/stayd.conf"};

// A `#` begins a comment at the start or after a space.
static struct view comment_drop(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '#' && (i == 0 || text.data[i - 1] == ' ' || text.data[i - 1] == '\t')) {
            return view_first(text, i);
        }
    }
    return text;
}

// What stands between '=' and the end of the line, without quotes and comment; false when the quotes are
// broken.
static bool value_of(struct view text, char *out, size_t out_size)
{
    size_t size = 0;
    text = view_trim(text);
    if (text.size == 0 || text.data[0] != '"') {
        struct view plain = view_trim(comment_drop(text));
        return view_to_cstr(plain, out, out_size);
    }
    for (size_t i = 1; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '"') {
            out[size] = '\0';
            struct view after = view_trim(view_from(text, i + 1));
            return after.size == 0 || after.data[0] == '#';
        }
        if (c == '\\' && i + 1 < text.size) {
            c = text.data[++i];
        }
        if (size + 1 >= out_size) {
            return false;
        }
        out[size++] = (char)c;
    }
    return false;
}

static bool from_folder_of(const char *file, const char *path, char *out, size_t out_size)
{
    const char *slash = strrchr(file, '/');
    int folder_size = slash == NULL || path[0] == '/' ? 0 : (int)(slash - file) + 1;
    int size = snprintf(out, out_size, "%.*s%s", folder_size, file, path);
    return size >= 0 && (size_t)size < out_size;
}

struct key {
    const char *name;
    char *out;    // CLI_PATH_MAX bytes
    bool is_path; // from the folder of the file
};

static bool take_value(struct cli_config *config, const struct key *key, struct view text,
                       unsigned line_number)
{
    char value[CLI_PATH_MAX];
    bool fine = value_of(text, value, sizeof(value)) && value[0] != '\0';
    fine = fine && (key->is_path ? from_folder_of(config->file, value, key->out, CLI_PATH_MAX)
                                 : view_to_cstr(view_of_cstr(value), key->out, CLI_PATH_MAX));
    if (!fine) {
        snprintf(config->problem, sizeof(config->problem), "%s:%u: %s is not a %s.", config->file,
                 line_number, key->name, key->is_path ? "path" : "value");
    }
    return fine;
}

static bool read_keys(struct cli_config *config, struct view text, const struct key *keys, size_t count)
{
    unsigned line_number = 0;
    while (text.size > 0) {
        struct view line = view_trim(view_cut(&text, '\n'));
        line_number++;
        if (line.size > 0 && line.data[line.size - 1] == '\r') {
            line.size--;
        }
        if (line.size > 0 && line.data[0] == '[') {
            break;
        }
        size_t equals = view_index(line, '=');
        struct view name = view_trim(view_first(line, equals));
        for (size_t i = 0; i < count; i++) {
            if (view_equal(name, view_of_cstr(keys[i].name)) &&
                !take_value(config, &keys[i], view_from(line, equals + 1), line_number)) {
                return false;
            }
        }
    }
    return true;
}

bool cli_config_read(struct cli_config *config, struct view text)
{
    const struct key keys[] = {
        {"data_dir", config->data_dir, true},
        {"database", config->database, false},
        {"database_password_file", config->database_password_file, true},
        {"database_ca", config->database_ca, true},
    };
    config->database[0] = '\0';
    config->database_password_file[0] = '\0';
    config->database_ca[0] = '\0';
    config->data_dir[0] = '\0';
    if (!read_keys(config, text, keys, sizeof(keys) / sizeof(keys[0]))) {
        return false;
    }
    if (config->data_dir[0] == '\0' &&
        !from_folder_of(config->file, DATA_DIR_DEFAULT, config->data_dir, sizeof(config->data_dir))) {
        snprintf(config->problem, sizeof(config->problem), "%s: its path is too long.", config->file);
        return false;
    }
    return true;
}

static bool read_file(struct cli_config *config)
{
    int fd = open(config->file, O_RDONLY | O_CLOEXEC);
    char *text = fd < 0 ? NULL : malloc(FILE_SIZE_MAX);
    size_t size = 0;
    ssize_t got = 1;
    while (text != NULL && got > 0 && size < FILE_SIZE_MAX) {
        got = read(fd, text + size, FILE_SIZE_MAX - size);
        size += got > 0 ? (size_t)got : 0;
    }
    bool fine = text != NULL && got == 0;
    int error = errno;
    if (!fine) {
        snprintf(config->problem, sizeof(config->problem), "The configuration %s can't be read: %s.%s",
                 config->file, got > 0 && text != NULL ? "too large" : strerror(error),
                 error == EACCES ? " Run stayctl as root or as the user that stayd runs as." : "");
    }
    fine = fine && cli_config_read(config, view_of(text, size));
    free(text);
    if (fd >= 0) {
        close(fd);
    }
    return fine;
}

bool cli_config_find(struct cli_config *config, const char *given)
{
    const char *file = given != NULL ? given : getenv("STAYD_CONFIG");
    for (size_t i = 0; file == NULL && i < sizeof(usual_files) / sizeof(usual_files[0]); i++) {
        struct stat status;
        if (stat(usual_files[i], &status) == 0 || errno == EACCES) {
            file = usual_files[i];
        }
    }
    if (file == NULL) {
        snprintf(config->problem, sizeof(config->problem),
                 "There is no configuration at ./%s or %s. Say where it is with -c FILE or $STAYD_CONFIG.",
                 usual_files[0], usual_files[1]);
        return false;
    }
    if (!view_to_cstr(view_of_cstr(file), config->file, sizeof(config->file))) {
        snprintf(config->problem, sizeof(config->problem), "The configuration's path is too long.");
        return false;
    }
    return read_file(config);
}
