// SPDX-License-Identifier: ISC
// Reads passwords. Runs in stayctl. Nothing goes through stdio, whose buffers nobody wipes; a signal gives
// the terminal its echo back first.
#include "cli/password.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

// Takes one more byte; PASSWORD_READ while all is well.
static enum password_result add(struct password *password, uint8_t byte)
{
    if (password->size == sizeof(password->text)) {
        return PASSWORD_TOO_LONG;
    }
    password->text[password->size++] = byte;
    return PASSWORD_READ;
}

enum password_result password_from(int fd, struct password *password)
{
    enum password_result result = PASSWORD_READ;
    bool line_over = false;
    password->size = 0;
    while (result == PASSWORD_READ) {
        uint8_t byte;
        ssize_t got = read(fd, &byte, 1);
        if (got < 0 && errno == EINTR && interrupted == 0) {
            continue;
        }
        if (got < 0) {
            result = interrupted != 0 ? PASSWORD_CANCELLED : PASSWORD_FAILED;
        }
        if (got <= 0) {
            break;
        }
        if (line_over) {
            result = PASSWORD_SEVERAL_LINES;
        } else if (byte == '\n') {
            line_over = true;
            if (isatty(fd)) {
                break;
            }
        } else {
            result = add(password, byte);
        }
    }
    if (password->size > 0 && line_over && password->text[password->size - 1] == '\r') {
        password->size--;
    }
    if (result == PASSWORD_READ && password->size == 0) {
        result = PASSWORD_EMPTY;
    }
    if (result != PASSWORD_READ) {
        wipe(password, sizeof(*password));
    }
    return result;
}

static void prompt(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

static enum password_result ask_twice(struct password *password)
{
    struct password again;
    prompt("Password: ");
    enum password_result result = password_from(STDIN_FILENO, password);
    prompt("\n");
    if (result != PASSWORD_READ) {
        return result;
    }
    prompt("Again: ");
    result = password_from(STDIN_FILENO, &again);
    prompt("\n");
    if (result == PASSWORD_READ &&
        (again.size != password->size || !equal_secret(again.text, password->text, again.size))) {
        result = PASSWORD_DIFFERENT;
    }
    wipe(&again, sizeof(again));
    if (result != PASSWORD_READ) {
        wipe(password, sizeof(*password));
    }
    return result;
}

enum password_result password_ask(struct password *password)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    struct sigaction before[sizeof(signals) / sizeof(signals[0])];
    struct termios shown;
    struct termios hidden;
    if (tcgetattr(STDIN_FILENO, &shown) != 0) {
        return PASSWORD_FAILED;
    }
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaction(signals[i], &(struct sigaction){.sa_handler = on_signal}, &before[i]);
    }
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    enum password_result result = ask_twice(password);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaction(signals[i], &before[i], NULL);
    }
    if (interrupted != 0) {
        raise((int)interrupted);
    }
    return result;
}

const char *password_result_text(enum password_result result)
{
    switch (result) {
    case PASSWORD_EMPTY:
        return "The password is empty.";
    case PASSWORD_TOO_LONG:
        return "The password is longer than 1024 bytes.";
    case PASSWORD_SEVERAL_LINES:
        return "Standard input has more than one line; the password is to be the only one.";
    case PASSWORD_DIFFERENT:
        return "The two passwords differ. Try again.";
    case PASSWORD_CANCELLED:
        return "Cancelled.";
    case PASSWORD_FAILED:
        return "The password can't be read.";
    case PASSWORD_READ:
        break;
    }
    return "";
}
