// SPDX-License-Identifier: ISC
// stayctl user import and export: JSON lines. Runs in stayctl.
// A line that is refused does not stop the others; a stayd that is short of something is asked again for a
// while.
#include "cli/account_json.h"
#include "cli/cli.h"
#include "cli/show.h"

#include "base/clock.h"

#include <errno.h>
#include <unistd.h>

enum { TRIES = 10, RETRY_S_MAX = 10 };

struct import {
    struct cli *cli;
    FILE *file;
    unsigned long long line, done, failed;
    json_t *failures; // for --json
    uint64_t told_s;  // when progress was last told
    char text[ACCOUNT_JSON_MAX];
};

static void failed(struct import *import, struct view name, struct view why)
{
    import->failed++;
    if (import->cli->json) {
        json_array_append_new(import->failures,
                              json_pack("{s:I, s:o, s:o}", "line", (json_int_t)import->line, "name",
                                        show_text_json(name), "error", show_text_json(why)));
    }
    fprintf(stderr, "stayctl: line %llu: ", import->line);
    text_print(stderr, name, 0);
    fputs(name.size > 0 ? ": " : "", stderr);
    text_print(stderr, why, 0);
    fputc('\n', stderr);
}

static enum client_result add_once(struct import *import, const struct account_json *account,
                                   struct wire_reply *reply)
{
    struct client *client = &import->cli->client;
    uint8_t sealed[WIRE_SEALED_MAX];
    size_t size = account->password.size == 0 ? 0 : client_seal(client, account->password, sealed);
    if (size == 0 && account->password.size > 0) {
        *reply = (struct wire_reply){.reason = WIRE_WEAK_PASSWORD,
                                     .detail = VIEW("The password is longer than 1024 bytes.")};
        return CLIENT_REFUSED;
    }
    enum client_result result = CLIENT_ASK(
        client, reply, account_add, .username = account->name, .display_name = account->display_name,
        .email = account->email, .groups = view_of_cstr(account->groups), .sealed = view_of(sealed, size));
    if (result == CLIENT_GRANTED && account->disabled) {
        result = CLIENT_ASK(client, reply, account_set, .username = account->name,
                            .fields = WIRE_SET_DISABLED, .disabled = true);
    }
    return result;
}

static enum client_result add_patiently(struct import *import, const struct account_json *account,
                                        struct wire_reply *reply)
{
    enum client_result result = add_once(import, account, reply);
    for (int i = 1; i < TRIES && result == CLIENT_UNAVAILABLE && reply->reason != WIRE_STORE_FULL; i++) {
        uint32_t wait_s = reply->retry_after_s == 0 ? 1 : reply->retry_after_s;
        sleep(wait_s > RETRY_S_MAX ? RETRY_S_MAX : wait_s);
        result = add_once(import, account, reply);
    }
    return result;
}

// False: there is no sense in going on.
static bool import_line(struct import *import, struct view line)
{
    struct account_json account;
    struct wire_reply reply;
    bool go_on = true;
    if (!account_json_read(&account, line)) {
        failed(import, account.name, view_of_cstr(account.problem));
        account_json_release(&account);
        return true;
    }
    enum client_result result = add_patiently(import, &account, &reply);
    if (result == CLIENT_GRANTED) {
        import->done++;
    } else if (result == CLIENT_REFUSED) {
        struct view why = reply.detail.size > 0
                              ? reply.detail
                              : view_of_cstr(wire_reason_name((enum wire_reason)reply.reason));
        failed(import, account.name, why);
    } else {
        failed(import, account.name, VIEW("not done; stopping here"));
        (void)cli_explain(&import->cli->client, result, &reply);
        go_on = false;
    }
    account_json_release(&account);
    return go_on;
}

static void tell_progress(struct import *import)
{
    uint64_t now = clock_wall_s();
    if (now > import->told_s + 1 && isatty(STDERR_FILENO)) {
        fprintf(stderr, "stayctl: %llu accounts done\n", import->done);
        import->told_s = now;
    }
}

// The next line without its end; false at the end of the file. Too long a line is passed over and counted.
static bool next_line(struct import *import, struct view *line)
{
    for (;;) {
        size_t size = 0;
        int c = getc(import->file);
        if (c == EOF) {
            return false;
        }
        import->line++;
        for (; c != EOF && c != '\n'; c = getc(import->file)) {
            if (size < sizeof(import->text)) {
                import->text[size] = (char)c;
            }
            size++;
        }
        if (size <= sizeof(import->text)) {
            *line = view_of(import->text, size);
            return true;
        }
        failed(import, VIEW(""), VIEW("The line is too long."));
    }
}

static bool import_lines(struct import *import)
{
    struct view line;
    bool go_on = true;
    import->told_s = clock_wall_s();
    while (go_on && next_line(import, &line)) {
        if (view_trim(line).size > 0) {
            go_on = import_line(import, line);
        }
        tell_progress(import);
    }
    wipe(import->text, sizeof(import->text));
    return go_on;
}

static int import_summary(struct import *import, bool finished)
{
    if (import->cli->json) {
        show_json(stdout, json_pack("{s:I, s:O, s:b}", "done", (json_int_t)import->done, "failed",
                                    import->failures, "finished", finished));
    } else {
        printf("%llu account%s added, %llu failed%s.\n", import->done, import->done == 1 ? "" : "s",
               import->failed, finished ? "" : "; not all lines were read");
    }
    return !finished ? CLI_UNAVAILABLE : import->failed > 0 ? CLI_REFUSED : CLI_DONE;
}

int user_import(struct cli *cli)
{
    static char buffer[65536]; // of the file: it may hold passwords
    const char *path = cli->arguments->operand[0];
    static struct import import;
    import = (struct import){.cli = cli};
    import.file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (import.file == NULL) {
        cli_say("%s can't be read: %s.", path, strerror(errno));
        return CLI_REFUSED;
    }
    setvbuf(import.file, buffer, _IOFBF, sizeof(buffer));
    int code = cli_connect(cli);
    if (code == CLI_DONE) {
        import.failures = json_array();
        bool finished = import_lines(&import);
        code = import_summary(&import, finished);
        json_decref(import.failures);
    }
    wipe(buffer, sizeof(buffer));
    if (import.file != stdin) {
        fclose(import.file);
    }
    return code;
}

// One page as lines; returns how many there were, and the last one's name.
static size_t export_page(struct view rows, char last[static WIRE_USERNAME_MAX + 1], bool *broken)
{
    struct wire_account_public account;
    size_t count = 0;
    while (wire_account_public_next(&rows, &account)) {
        json_t *object = show_account_json(&account);
        (void)view_to_cstr(account.name, last, WIRE_USERNAME_MAX + 1);
        json_dumpf(object, stdout, JSON_COMPACT);
        fputc('\n', stdout);
        json_decref(object);
        count++;
    }
    *broken = rows.size > 0;
    return count;
}

int user_export(struct cli *cli)
{
    char last[WIRE_USERNAME_MAX + 1] = "";
    struct wire_reply reply;
    enum client_result result;
    bool broken = false;
    size_t count = 1;
    int code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    do {
        result = CLIENT_ASK(&cli->client, &reply, account_list, .after = view_of_cstr(last), .limit = 100);
        count = result == CLIENT_GRANTED ? export_page(reply.rows, last, &broken) : 0;
    } while (count > 0 && !broken);
    return cli_explain(&cli->client, broken ? CLIENT_BROKEN : result, &reply);
}
