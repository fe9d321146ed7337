// SPDX-License-Identifier: ISC
// One POST to a webhook: look-up, connection, TLS, request, status. Used by stayd-alert. Owns: the connection
// while it runs. Bounds: WEBHOOK_HEAD_MAX bytes of the answer are read, the rest is nobody's business; the
// time is bounded by whoever started the process.
#ifndef ALERT_WEBHOOK_H
#define ALERT_WEBHOOK_H

#include "alert/url.h"

enum { WEBHOOK_HEAD_MAX = 4096, WEBHOOK_WHY_MAX = 640 };

enum webhook_result {
    WEBHOOK_DELIVERED, // 2xx
    WEBHOOK_AGAIN,     // not reached, or it has trouble of its own (408, 429, 5xx)
    WEBHOOK_REFUSED,   // it would say the same again
};

struct webhook {
    struct alert_url url;
    const char *ca; // PEM file of authorities; "": the system's
    // Called once between the connection and the first byte of the other side.
    bool (*enclose)(void);
    char why[WEBHOOK_WHY_MAX]; // unless delivered: one sentence
};

enum webhook_result webhook_post(struct webhook *webhook, struct view body);

// The status of an answer that begins like this; 0 when it is none.
unsigned webhook_status(struct view answer);
enum webhook_result webhook_judge(unsigned status);

#endif
