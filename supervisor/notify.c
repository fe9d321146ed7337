// SPDX-License-Identifier: ISC
// sd_notify without libsystemd. Runs in the supervisor.
#include "supervisor/notify.h"

#include "base/bytes.h"
#include "base/clock.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_say(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = path == NULL ? 0 : strlen(path);
    if (size == 0 || size >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
    close(fd);
}

void notify_reloading(void)
{
    char state[80];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)(clock_mono_ns() / 1000));
    notify_say(state);
}

uint32_t notify_watchdog_ms(void)
{
    uint64_t period_us;
    uint64_t pid;
    const char *for_whom = getenv("WATCHDOG_PID");
    if (for_whom != NULL && (!view_to_u64(view_of_cstr(for_whom), &pid) || pid != (uint64_t)getpid())) {
        return 0;
    }
    if (!view_to_u64(view_of_cstr(getenv("WATCHDOG_USEC")), &period_us) || period_us > 1000ULL * UINT32_MAX) {
        return 0;
    }
    return (uint32_t)(period_us / 2000);
}
