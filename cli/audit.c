// SPDX-License-Identifier: ISC
// stayctl audit list: pages from the newest back. Runs in stayctl.
#include "cli/cli.h"
#include "cli/show.h"

#include "base/clock.h"

enum { LIMIT_DEFAULT = 100, PAGE = 80 };

static int read_filters(const struct arguments *arguments, uint64_t *since, uint64_t *limit)
{
    *since = 0;
    *limit = LIMIT_DEFAULT;
    if (!arguments_number(arguments, CLI_limit, 0, UINT32_MAX, limit)) {
        cli_say("--limit is a number; 0 is all.");
        return CLI_USAGE;
    }
    if (arguments_has(arguments, CLI_since) &&
        !text_time_read(view_of_cstr(arguments->value[CLI_since]), clock_wall_s(), since)) {
        cli_say("--since is a time like 2026-11-20 or 2026-11-20T10:00, or how long ago: 30m, 12h, 7d.");
        return CLI_USAGE;
    }
    *limit = *limit == 0 ? UINT64_MAX : *limit;
    return CLI_DONE;
}

static enum client_result next_page(struct cli *cli, const struct listing *listing, uint64_t since,
                                    struct wire_reply *reply)
{
    const struct arguments *arguments = cli->arguments;
    return CLIENT_ASK(&cli->client, reply, audit_list, .username = view_of_cstr(arguments->value[CLI_user]),
                      .event = view_of_cstr(arguments->value[CLI_event]), .since = since,
                      .before_id = listing->last_id, .limit = PAGE);
}

int audit_list(struct cli *cli)
{
    struct listing listing = {0};
    struct wire_reply reply;
    uint64_t since;
    uint64_t limit;
    size_t got;
    int code = read_filters(cli->arguments, &since, &limit);
    code = code != CLI_DONE ? code : cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    enum client_result result = next_page(cli, &listing, since, &reply);
    if (result != CLIENT_GRANTED) {
        return cli_explain(&cli->client, result, &reply);
    }
    listing_begin(&listing, SHOW_AUDIT, cli->json, stdout);
    do {
        got = listing_rows(&listing, reply.rows, limit - listing.count);
        if (got > 0 && listing.count < limit) {
            result = next_page(cli, &listing, since, &reply);
        }
    } while (got > 0 && listing.count < limit && result == CLIENT_GRANTED);
    listing_end(&listing, "No events.");
    return cli_explain(&cli->client, listing.broken ? CLIENT_BROKEN : result, &reply);
}
