// SPDX-License-Identifier: ISC
// The alert command. Runs in stayd-alert, and between fork and exec in its child. No shell is involved.
#include "alert/command.h"

#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool command_split(struct view line, char *room, size_t room_size, char *words[COMMAND_WORDS_MAX + 1])
{
    size_t count = 0;
    size_t used = 0;
    while (line.size > 0) {
        struct view word = view_cut(&line, ' ');
        if (word.size == 0) {
            continue;
        }
        if (count == COMMAND_WORDS_MAX || !view_to_cstr(word, room + used, room_size - used)) {
            return false;
        }
        words[count++] = room + used;
        used += word.size + 1;
    }
    words[count] = NULL;
    return count > 0;
}

_Noreturn static void in_child(const struct command *command, int input, char **words)
{
    char event[64], incident[128], sentence[640];
    snprintf(event, sizeof(event), "STAYD_EVENT=%.*s", (int)command->event.size,
             (const char *)command->event.data);
    snprintf(incident, sizeof(incident), "STAYD_INCIDENT=%.*s", (int)command->incident.size,
             (const char *)command->incident.data);
    snprintf(sentence, sizeof(sentence), "STAYD_SENTENCE=%.*s", (int)command->sentence.size,
             (const char *)command->sentence.data);
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *environment[] = {path, event, incident, sentence, NULL};
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(input, STDIN_FILENO) == STDIN_FILENO) {
        (void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
        execve(words[0], words, environment);
    }
    _exit(errno == ENOENT || errno == EACCES ? 127 : 126);
}

// The text is small enough for the pipe: nobody waits for a reader.
static int input_open(struct view text)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    bool fits = fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0 &&
                write(ends[1], text.data, text.size) == (ssize_t)text.size;
    close(ends[1]);
    if (!fits) {
        close(ends[0]);
        return -1;
    }
    return ends[0];
}

static bool wait_for(struct command *command, pid_t child)
{
    int status = 0;
    bool in_time = child_ends_within(child, command->limit_ms);
    // What it has started and left behind goes with it.
    (void)kill(-child, SIGKILL);
    bool waited = waitpid(child, &status, 0) == child;
    if (!in_time) {
        snprintf(command->why, sizeof(command->why), "it ran for more than %u s and was killed",
                 command->limit_ms / 1000);
    } else if (WIFEXITED(status)) {
        snprintf(command->why, sizeof(command->why), "it ended with status %d%s", WEXITSTATUS(status),
                 WEXITSTATUS(status) == 127 ? " (not found, or not executable)" : "");
    } else {
        snprintf(command->why, sizeof(command->why), "it was ended by signal %d", WTERMSIG(status));
    }
    return in_time && waited && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool command_run(struct command *command)
{
    char room[2048];
    char *words[COMMAND_WORDS_MAX + 1];
    int input = -1;
    if (!command_split(command->line, room, sizeof(room), words)) {
        snprintf(command->why, sizeof(command->why), "it has no words, or more than %d", COMMAND_WORDS_MAX);
        return false;
    }
    input = input_open(command->input);
    pid_t child = input < 0 ? -1 : fork();
    if (child == 0) {
        in_child(command, input, words);
    }
    if (input >= 0) {
        close(input);
    }
    if (child < 0) {
        snprintf(command->why, sizeof(command->why), "it could not be started: %s", strerror(errno));
        return false;
    }
    (void)setpgid(child, child);
    return wait_for(command, child);
}
