// SPDX-License-Identifier: ISC
// What can be seen of a stayd whose stayd-watch does not answer: its processes in /proc, and whether core
// answers. Runs in stayctl. Bounds: OUTSIDE_PROCESSES_MAX processes.
#include "cli/show.h"
#include "cli/watch_client.h"
#include "cli/why.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

enum { OUTSIDE_PROCESSES_MAX = 128, CORE_TIMEOUT_MS = 2000 };

struct seen {
    long pid, parent;
    char name[32];
    char state;
};

struct outside {
    long supervisor; // 0: not found
    struct seen process[OUTSIDE_PROCESSES_MAX];
    unsigned processes;
    bool core_answers;
    char sentence[256];
};

static bool read_small(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0) {
        close(fd);
    }
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

// "123 (stayd-front) S 100 …"
static bool read_process(const char *pid, struct seen *seen)
{
    char path[64], text[512];
    uint64_t number, parent;
    snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
    if (!view_to_u64(view_of_cstr(pid), &number) || !read_small(path, text, sizeof(text))) {
        return false;
    }
    const char *open = strchr(text, '(');
    const char *close = strrchr(text, ')');
    if (open == NULL || close == NULL || strlen(close) < 5) {
        return false;
    }
    struct view rest = view_of_cstr(close + 4);
    if (!view_to_u64(view_cut(&rest, ' '), &parent) ||
        !view_to_cstr(view_of(open + 1, (size_t)(close - open - 1)), seen->name, sizeof(seen->name))) {
        return false;
    }
    seen->pid = (long)number;
    seen->parent = (long)parent;
    seen->state = close[2];
    return true;
}

static void find_processes(struct outside *outside)
{
    DIR *list = opendir("/proc");
    const struct dirent *entry;
    while (list != NULL && (entry = readdir(list)) != NULL && outside->processes < OUTSIDE_PROCESSES_MAX) {
        struct seen *seen = &outside->process[outside->processes];
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && read_process(entry->d_name, seen) &&
            (seen->parent == outside->supervisor || seen->pid == outside->supervisor)) {
            outside->processes++;
        }
    }
    if (list != NULL) {
        closedir(list);
    }
}

// The lock file names the supervisor; a number that was used again is told by its name.
static void find_supervisor(struct outside *outside, const struct cli_config *config)
{
    char path[CLI_PATH_MAX + 16], text[32];
    struct seen seen;
    uint64_t pid;
    snprintf(path, sizeof(path), "%s/stayd.lock", config->data_dir);
    if (read_small(path, text, sizeof(text)) && view_to_u64(view_trim(view_of_cstr(text)), &pid)) {
        snprintf(text, sizeof(text), "%llu", (unsigned long long)pid);
        outside->supervisor = read_process(text, &seen) && strcmp(seen.name, "stayd") == 0 ? (long)pid : 0;
    }
}

static bool core_answers(const struct cli_config *config)
{
    char path[CLI_PATH_MAX + 16];
    struct client client;
    client_init(&client);
    client.greeting_ms = CORE_TIMEOUT_MS;
    snprintf(path, sizeof(path), "%s/run/core.sock", config->data_dir);
    bool answers = client_connect(&client, path) == CLIENT_GRANTED;
    client_release(&client);
    return answers;
}

static const char *state_text(char state)
{
    switch (state) {
    case 'R':
    case 'S':
    case 'I':
        return "runs";
    case 'D':
        return "waits for the disk";
    case 'T':
    case 't':
        return "is stopped (SIGSTOP, or a debugger)";
    case 'Z':
    case 'X':
        return "is dead";
    default:
        return "?";
    }
}

static const struct seen *find(const struct outside *outside, const char *name)
{
    for (unsigned i = 0; i < outside->processes; i++) {
        if (strcmp(outside->process[i].name, name) == 0) {
            return &outside->process[i];
        }
    }
    return NULL;
}

static void judge(struct outside *outside, enum client_result result)
{
    const struct seen *watch = find(outside, "stayd-watch");
    const struct seen *supervisor = find(outside, "stayd");
    char *out = outside->sentence;
    size_t size = sizeof(outside->sentence);
    if (supervisor == NULL) {
        snprintf(out, size, "stayd is not running.");
    } else if (supervisor->state == 'T' || supervisor->state == 't') {
        snprintf(out, size,
                 "stayd (the supervisor, pid %ld) is stopped: nothing is started again until it goes on.",
                 supervisor->pid);
    } else if (watch == NULL) {
        snprintf(out, size, "stayd runs, but stayd-watch is away: it is being started again.");
    } else if (result == CLIENT_FORBIDDEN) {
        snprintf(out, size, "stayd-watch runs, but its socket is not for you.");
    } else {
        snprintf(out, size, "stayd-watch (pid %ld) %s and does not answer.", watch->pid,
                 state_text(watch->state));
    }
}

static void show_text(const struct outside *outside)
{
    static const char *const titles[] = {"PROCESS", "PID", "STATE", NULL};
    struct table table;
    printf("%s\n", outside->sentence);
    if (outside->supervisor == 0) {
        return;
    }
    printf("What can be seen from outside: core %s.\n\n",
           outside->core_answers ? "answers" : "does not answer");
    table_init(&table, stdout, titles);
    for (unsigned i = 0; i < outside->processes; i++) {
        char pid[24];
        snprintf(pid, sizeof(pid), "%ld", outside->process[i].pid);
        table_cell(&table, view_of_cstr(outside->process[i].name));
        table_cell(&table, view_of_cstr(pid));
        table_cell(&table, view_of_cstr(state_text(outside->process[i].state)));
    }
    table_end(&table);
}

static void show_object(const struct outside *outside)
{
    json_t *processes = json_array();
    for (unsigned i = 0; i < outside->processes; i++) {
        const struct seen *one = &outside->process[i];
        json_array_append_new(processes, json_pack("{s:s, s:I, s:s}", "name", one->name, "pid",
                                                   (json_int_t)one->pid, "state", state_text(one->state)));
    }
    show_json(stdout, json_pack("{s:s, s:s, s:b, s:o}", "state", "unknown", "sentence", outside->sentence,
                                "core_answers", (int)outside->core_answers, "processes", processes));
}

int why_from_outside(struct cli *cli, enum client_result result)
{
    static struct outside outside;
    char text[CLI_PATH_MAX + 256];
    outside = (struct outside){0};
    find_supervisor(&outside, &cli->config);
    if (outside.supervisor != 0) {
        find_processes(&outside);
        outside.core_answers = core_answers(&cli->config);
    }
    judge(&outside, result);
    watch_explain(result, &cli->config, text, sizeof(text));
    cli_say("%s", text);
    if (cli->json) {
        show_object(&outside);
    } else {
        show_text(&outside);
    }
    return result == CLIENT_FORBIDDEN ? CLI_REFUSED : CLI_UNAVAILABLE;
}
