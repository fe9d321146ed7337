// SPDX-License-Identifier: ISC
// stayd-alert: delivers one alert, to a webhook or by a command, and ends. Started by the supervisor for
// each try, because stayd-watch, which knows what to say, has no network. The order is one record on
// descriptor 3.
// Exit status: 0 delivered, 1 to be tried again, 2 it would be refused again.
#include "alert/command.h"
#include "alert/webhook.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "wire/channel.h"

#include <signal.h>
#include <unistd.h>

enum { ORDER_FD = 3, DELIVERED = 0, AGAIN = 1, REFUSED = 2 };

static bool enclose(void)
{
    struct sandbox_report report;
    struct sandbox_options nothing = {.dirs = 0};
    return sandbox_enter(SANDBOX_KEY, &nothing, &report);
}

static void say_failed(const char *way, const char *why)
{
    struct log_line line;
    log_begin(&line, LOG_WARNING, "alert_not_delivered");
    log_text(&line, "way", way);
    log_text(&line, "message", why);
    log_end(&line);
}

static int by_webhook(const struct wire_alert_order *order, const char *ca)
{
    static struct webhook webhook;
    const char *wrong = alert_url_parse(&webhook.url, order->webhook);
    if (wrong != NULL) {
        say_failed("webhook", wrong);
        return REFUSED;
    }
    webhook.ca = ca;
    webhook.enclose = enclose;
    (void)alarm((order->limit_ms + 999) / 1000);
    enum webhook_result result = webhook_post(&webhook, order->body);
    if (result != WEBHOOK_DELIVERED) {
        say_failed("webhook", webhook.why);
    }
    return result == WEBHOOK_DELIVERED ? DELIVERED : result == WEBHOOK_AGAIN ? AGAIN : REFUSED;
}

static int by_command(const struct wire_alert_order *order)
{
    static struct command command;
    command = (struct command){.line = order->command,
                               .event = order->event,
                               .incident = order->incident,
                               .sentence = order->sentence,
                               .input = order->body,
                               .limit_ms = order->limit_ms};
    if (command_run(&command)) {
        return DELIVERED;
    }
    say_failed("command", command.why);
    return AGAIN;
}

static void log_as_told(int argc, char **argv)
{
    bool json = false;
    for (int i = 1; i + 1 < argc; i++) {
        json = json || (strcmp(argv[i], "--log-format") == 0 && strcmp(argv[i + 1], "json") == 0);
    }
    log_init("stayd-alert", LOG_INFO, json ? LOG_JSON : LOG_LOGFMT);
}

int main(int argc, char **argv)
{
    static uint8_t packet[WIRE_PACKET_MAX];
    struct wire_alert_order order;
    char ca[1024];
    int fd = -1;
    log_as_told(argc, argv);
    (void)signal(SIGPIPE, SIG_IGN);
    size_t size = channel_receive_blocking(ORDER_FD, packet, sizeof(packet), &fd);
    struct view rows = view_of(packet, size);
    if (fd >= 0 || !wire_alert_order_next(&rows, &order) || rows.size > 0 ||
        !view_to_cstr(order.ca, ca, sizeof(ca))) {
        fprintf(stderr, "stayd-alert is started by stayd, to deliver one alert.\n");
        return REFUSED;
    }
    (void)close(ORDER_FD);
    return order.command.size > 0 ? by_command(&order) : by_webhook(&order, ca);
}
