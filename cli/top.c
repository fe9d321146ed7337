// SPDX-License-Identifier: ISC
// stayctl top: what goes on now, drawn again and again on a terminal. Runs in stayctl.
// States: plain (one screen, no terminal), or live: entered → drawn … → left. Whatever ends it (q, a signal,
// an error), the terminal is as it was before.
#include "cli/cli.h"

#include "base/clock.h"
#include "cli/show.h"
#include "cli/top_view.h"
#include "cli/watch_client.h"
#include "drill/plan.h"

#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { PLAIN_COLUMNS = 100, SCREEN_SIZE_MAX = 1 << 20, INTERVAL_MS_MIN = 100, INTERVAL_MS_MAX = 3600 * 1000 };

static volatile sig_atomic_t ended, resized, suspended;

static void on_signal(int number)
{
    ended = ended || number == SIGINT || number == SIGTERM || number == SIGHUP;
    resized = resized || number == SIGWINCH || number == SIGCONT;
    suspended = suspended || number == SIGTSTP;
}

struct live {
    struct cli *cli;
    struct termios before;
    struct bytes screen;
    json_t *top;    // the last that came
    char note[256]; // why there is no newer one
};

static bool is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static bool wants_colour(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

static unsigned bounded(unsigned value, unsigned least, unsigned most)
{
    return value < least ? least : value > most ? most : value;
}

static void write_out(const struct bytes *bytes)
{
    size_t at = 0;
    while (at < bytes->size) {
        ssize_t written = write(STDOUT_FILENO, bytes->data + at, bytes->size - at);
        if (written < 0 && errno != EINTR) {
            ended = 1; // nobody looks any more
            return;
        }
        at += written > 0 ? (size_t)written : 0;
    }
}

static void write_text(const char *text)
{
    size_t size = strlen(text);
    if (write(STDOUT_FILENO, text, size) != (ssize_t)size) {
        ended = 1;
    }
}

// ---- what stayd-watch says

// CLI_DONE, or why not, in `problem`.
static int ask(struct cli *cli, json_t **top, char *problem, size_t problem_size)
{
    struct watch_answer answer;
    json_error_t error;
    int code = CLI_UNAVAILABLE;
    watch_answer_init(&answer);
    enum client_result result = watch_ask(&cli->config, "GET", "/top.json", WATCH_TIMEOUT_MS, &answer);
    if (result != CLIENT_GRANTED) {
        watch_explain(result, &cli->config, problem, problem_size);
        code = result == CLIENT_FORBIDDEN ? CLI_REFUSED : CLI_UNAVAILABLE;
    } else if (answer.status != 200) {
        snprintf(problem, problem_size, "stayd-watch answers with %u.", answer.status);
    } else {
        json_t *fresh = json_loadb((const char *)answer.body.data, answer.body.size, 0, &error);
        if (json_is_object(fresh)) {
            json_decref(*top);
            *top = fresh;
            code = CLI_DONE;
        } else {
            json_decref(fresh);
            snprintf(problem, problem_size, "What stayd-watch says is not understood.");
        }
    }
    watch_answer_release(&answer);
    return code;
}

// ---- one screen

static int show_once(struct cli *cli)
{
    struct bytes screen;
    char problem[CLI_PATH_MAX + 256];
    json_t *top = NULL;
    struct winsize size = {0};
    bool terminal = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    int code = ask(cli, &top, problem, sizeof(problem));
    if (code != CLI_DONE) {
        cli_say("%s", problem);
        return code;
    }
    if (cli->json) {
        show_json(stdout, top);
        return CLI_DONE;
    }
    const struct top_view view = {
        .columns =
            bounded(terminal ? size.ws_col : PLAIN_COLUMNS, TOP_VIEW_COLUMNS_MIN, TOP_VIEW_COLUMNS_MAX),
        .colour = wants_colour(),
        .utf8 = is_utf8(),
    };
    bytes_init(&screen, SCREEN_SIZE_MAX);
    top_view_draw(&view, top, &screen);
    fflush(stdout);
    write_out(&screen);
    bytes_release(&screen);
    json_decref(top);
    return CLI_DONE;
}

// ---- live

static bool terminal_enter(struct live *live)
{
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &live->before) != 0) {
        return false;
    }
    raw = live->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0) {
        return false;
    }
    write_text("\033[?1049h\033[?25l\033[?7l\033[2J"); // own screen, no cursor, no wrapping
    return true;
}

static void terminal_leave(const struct live *live)
{
    write_text("\033[?7h\033[?25h\033[?1049l");
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &live->before);
}

static void draw(struct live *live)
{
    struct winsize size = {0};
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    const struct top_view view = {
        .columns = bounded(size.ws_col, TOP_VIEW_COLUMNS_MIN, TOP_VIEW_COLUMNS_MAX),
        .rows = size.ws_row == 0 ? 24 : size.ws_row,
        .colour = wants_colour(),
        .utf8 = is_utf8(),
        .live = true,
        .note = live->note[0] != '\0' ? live->note : "q quits; \"stayctl why\" says what is wrong",
    };
    bytes_reset(&live->screen);
    bytes_append_view(&live->screen, VIEW("\033[H"));
    top_view_draw(&view, live->top, &live->screen);
    bytes_append_view(&live->screen, VIEW("\033[J"));
    if (!live->screen.failed) {
        write_out(&live->screen);
    }
}

// Ctrl-Z: the shell gets its terminal back until it is "fg" again.
static void suspend(struct live *live)
{
    suspended = 0;
    terminal_leave(live);
    raise(SIGSTOP);
    if (!terminal_enter(live)) {
        ended = 1;
    }
}

// Until the next draw is due: keys and signals.
static void wait_until(struct live *live, uint64_t due_ns)
{
    while (!ended) {
        uint64_t now = clock_mono_ns();
        if (now >= due_ns) {
            return;
        }
        struct pollfd key = {.fd = STDIN_FILENO, .events = POLLIN};
        int timeout_ms = (int)((due_ns - now) / 1000000u) + 1;
        if (poll(&key, 1, timeout_ms) > 0) {
            char pressed = 0;
            ssize_t got = read(STDIN_FILENO, &pressed, 1);
            ended = ended || got <= 0 || pressed == 'q' || pressed == 'Q';
        }
        if (suspended) {
            suspend(live);
        }
        if (resized) {
            resized = 0;
            draw(live);
        }
    }
}

static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT};
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void)sigaction(signals[i], &action, NULL); // without SA_RESTART: poll is to end
    }
}

static int show_live(struct cli *cli, unsigned interval_ms)
{
    struct live live = {.cli = cli};
    char problem[CLI_PATH_MAX + 256] = "";
    int code = ask(cli, &live.top, problem, sizeof(problem));
    if (code != CLI_DONE) {
        cli_say("%s", problem);
        return code;
    }
    bytes_init(&live.screen, SCREEN_SIZE_MAX);
    catch_signals();
    if (terminal_enter(&live)) {
        while (!ended) {
            uint64_t began = clock_mono_ns();
            draw(&live);
            wait_until(&live, began + interval_ms * 1000000ull);
            if (!ended) {
                live.note[0] = '\0';
                if (ask(cli, &live.top, problem, sizeof(problem)) != CLI_DONE) {
                    snprintf(live.note, sizeof(live.note), "OLD FIGURES: %.200s", problem);
                }
            }
        }
        terminal_leave(&live);
    }
    bytes_release(&live.screen);
    json_decref(live.top);
    return CLI_DONE;
}

int live_top(struct cli *cli)
{
    const struct arguments *arguments = cli->arguments;
    double interval_s = 1;
    if (arguments_has(arguments, CLI_interval) &&
        (!plan_read_duration(view_of_cstr(arguments->value[CLI_interval]), &interval_s) ||
         interval_s * 1000 < INTERVAL_MS_MIN || interval_s * 1000 > INTERVAL_MS_MAX)) {
        cli_say("--interval is a time from 100ms to 1h, like 2s.");
        return CLI_USAGE;
    }
    int code = cli_configure(cli);
    if (code != CLI_DONE) {
        return code;
    }
    if (cli->json || arguments_has(arguments, CLI_once) || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
        return show_once(cli);
    }
    return show_live(cli, (unsigned)(interval_s * 1000));
}
