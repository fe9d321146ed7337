// SPDX-License-Identifier: ISC
// Tells systemd what state the service is in (sd_notify's protocol, written directly). Used by the
// supervisor. Owns nothing: without $NOTIFY_SOCKET every call does nothing.
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

#include <stdint.h>

// "READY=1", "STOPPING=1", ...; lines joined by newlines.
void notify_say(const char *state);
// "RELOADING=1" with the time that Type=notify-reload wants.
void notify_reloading(void);
// How often WATCHDOG=1 is expected, halved, in milliseconds; 0 when it is not.
uint32_t notify_watchdog_ms(void);

#endif
