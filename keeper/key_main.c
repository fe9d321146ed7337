// SPDX-License-Identifier: ISC
// stayd-key: keeps the data key and signs with what is derived from it, for core alone. Nothing that an
// attacker feeds is parsed here but the message that carries it.
#include "base/log.h"
#include "base/stats.h"
#include "keeper/key_file.h"
#include "wire/child.h"

#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#define CHANNEL_QUEUE_MAX ((size_t)1 << 20)

static struct key_process {
    struct key key;
    struct channel core;
} process = {.core = {.fd = -1}};

// In the working folder, where the supervisor has put this process.
static bool load(void *context)
{
    struct key_process *self = context;
    uint8_t data_key[KEY_SIZE];
    errno = 0;
    enum key_file_result result = key_file_load(data_key);
    if (result != KEY_FILE_LOADED && result != KEY_FILE_CREATED) {
        log_event(LOG_ERROR, "data_key", "%s%s%s", key_file_result_text(result), errno != 0 ? ": " : "",
                  errno != 0 ? strerror(errno) : "");
        return false;
    }
    if (result == KEY_FILE_CREATED) {
        log_event(LOG_INFO, "data_key", "%s", key_file_result_text(result));
    }
    key_init(&self->key, data_key);
    wipe(data_key, sizeof data_key);
    return true;
}

// A purpose that there isn't ends the channel: core is of the same version, so it is not core that speaks.
static bool on_packet(struct channel *channel, struct view packet, int fd)
{
    struct key_process *self = channel->owner;
    struct wire_key_mac asked;
    struct hash32 mac;
    if (fd >= 0) {
        close(fd);
        return false;
    }
    stats_count(STATS_messages_received);
    if (!wire_key_mac_decode(packet, &asked) || !key_mac(&self->key, asked.purpose, asked.data, &mac)) {
        stats_count(STATS_key_refused);
        return false;
    }
    stats_count(STATS_key_macs);
    if (!CHANNEL_SAY(channel, key_reply, .job = asked.job, .mac = mac)) {
        stats_count(STATS_messages_dropped);
    }
    wipe(&mac, sizeof mac);
    return true;
}

static void on_end(struct channel *channel, const char *why)
{
    (void)channel;
    log_event(why == channel_peer_gone ? LOG_INFO : LOG_WARNING, "core_gone", "the channel to core ended: %s",
              why);
}

static const struct channel_events channel_events = {on_packet, on_end};

static bool on_peer(void *context, enum wire_role role, uint16_t index, int fd)
{
    struct key_process *self = context;
    (void)index;
    if (role != WIRE_CORE) {
        close(fd);
        return false;
    }
    channel_close(&self->core);
    channel_open(&self->core, child_loop(), fd, WIRE_KEY, WIRE_CORE, &channel_events, self,
                 CHANNEL_QUEUE_MAX);
    return true;
}

static const struct child_role role = {
    .role = WIRE_KEY,
    .stats = STATS_ROLE_key,
    .profile = SANDBOX_KEY,
    .options = {.descriptors_max = 32},
    .config_number = WIRE_MESSAGE_key_config,
    .peer = on_peer,
    .prepare = load,
};

int main(int argc, char **argv)
{
    if (sodium_init() < 0) {
        return 1;
    }
    return child_main(&role, &process, argc, argv);
}
