// SPDX-License-Identifier: ISC
// What a child is given: its slice, its descriptors, its channels. Runs in the supervisor.
// All of it follows from the tables in topology.c.
#include "supervisor/supervisor.h"

#include "base/clock.h"

#include <errno.h>
#include <unistd.h>

bool handout_config(struct process *process)
{
    struct bytes packet;
    bytes_init(&packet, WIRE_PACKET_MAX);
    bool fine = slices_encode(&process->supervisor->slices, process->role->role, process->index, &packet) &&
                channel_send(&process->control, bytes_view(&packet));
    if (packet.data != NULL) {
        wipe(packet.data, packet.size);
    }
    bytes_release(&packet);
    return fine;
}

static bool hand(struct process *process, struct wire_memory memory, int fd)
{
    struct bytes packet;
    bytes_init(&packet, WIRE_PACKET_MAX);
    bool fine =
        wire_memory_encode(&packet, &memory) && channel_send_fd(&process->control, bytes_view(&packet), fd);
    bytes_release(&packet);
    return fine;
}

static bool hand_table(struct process *process, const struct topology_grant *grant,
                       const struct memory *memory, uint16_t index)
{
    int fd = grant->access == TOPOLOGY_WRITE ? memory->write_fd : memory->read_fd;
    struct wire_memory row = {.kind = (uint8_t)grant->kind, .index = index, .size = memory->size};
    return hand(process, row, fd);
}

static bool hand_stats(struct process *process, const struct topology_grant *grant)
{
    const struct supervisor *supervisor = process->supervisor;
    struct wire_memory row = {
        .kind = (uint8_t)grant->kind, .owner = WIRE_SUPERVISOR, .size = STATS_PAGE_SIZE};
    bool fine = hand(process, row, supervisor->stats.read_fd);
    for (unsigned i = 0; fine && i < supervisor->processes; i++) {
        row.owner = (uint8_t)supervisor->process[i].role->role;
        row.index = supervisor->process[i].index;
        fine = hand(process, row, supervisor->process[i].stats.read_fd);
    }
    return fine;
}

static bool hand_seen(struct process *process, const struct topology_grant *grant)
{
    const struct supervisor *supervisor = process->supervisor;
    if (grant->own) {
        return hand_table(process, grant, &process->seen, process->index);
    }
    bool fine = true;
    for (unsigned i = 0; fine && i < supervisor->processes; i++) {
        const struct process *front = &supervisor->process[i];
        if (front->role->role == WIRE_FRONT) {
            fine = hand_table(process, grant, &front->seen, front->index);
        }
    }
    return fine;
}

bool handout_listener(struct process *process, const struct listener *listener)
{
    struct wire_memory row = {.kind = WIRE_MEMORY_LISTENER, .name = view_of_cstr(listener->at.text)};
    return listener->fd < 0 || hand(process, row, listener->fd);
}

bool handout_listener_gone(struct process *process, const struct listener *listener)
{
    return CHANNEL_SAY(&process->control, memory_gone, .kind = WIRE_MEMORY_LISTENER,
                       .name = view_of_cstr(listener->at.text));
}

static bool hand_listeners(struct process *process)
{
    const struct supervisor *supervisor = process->supervisor;
    if (process->role->role == WIRE_WATCH) {
        return handout_listener(process, &supervisor->ops);
    }
    bool fine = true;
    for (unsigned i = 0; fine && i < supervisor->listeners; i++) {
        fine = handout_listener(process, &supervisor->listener[i]);
    }
    return fine;
}

bool handout_passwords(struct process *process)
{
    const struct supervisor *supervisor = process->supervisor;
    bool fine = true;
    for (unsigned i = 0; fine && i < supervisor->password_lists; i++) {
        struct wire_memory row = {.kind = WIRE_MEMORY_PASSWORDS,
                                  .index = (uint16_t)i,
                                  .name = view_of_cstr(supervisor->passwords[i].name)};
        fine = hand(process, row, supervisor->passwords[i].fd);
    }
    return fine;
}

static bool hand_grant(struct process *process, const struct topology_grant *grant)
{
    const struct supervisor *supervisor = process->supervisor;
    struct wire_memory row = {.kind = (uint8_t)grant->kind};
    switch (grant->kind) {
    case WIRE_MEMORY_SESSIONS:
        return hand_table(process, grant, &supervisor->sessions, 0);
    case WIRE_MEMORY_ACCOUNTS:
        return hand_table(process, grant, &supervisor->accounts, 0);
    case WIRE_MEMORY_SEEN:
        return hand_seen(process, grant);
    case WIRE_MEMORY_STATS:
        return hand_stats(process, grant);
    case WIRE_MEMORY_PASSWORDS:
        return handout_passwords(process);
    case WIRE_MEMORY_LISTENER:
        return hand_listeners(process);
    case WIRE_MEMORY_CONTROL:
        return hand(process, row,
                    process->role->role == WIRE_CORE ? supervisor->control_core : supervisor->control_watch);
    case WIRE_MEMORY_DIRECTORY:
        return hand(process, row, supervisor->folders.incidents);
    }
    return false;
}

bool handout_memory(struct process *process)
{
    struct wire_memory own = {.kind = WIRE_MEMORY_STATS, .index = process->index, .size = STATS_PAGE_SIZE};
    bool fine = hand(process, own, process->stats.write_fd);
    for (const struct topology_grant *grant = topology_grants; fine && grant->to != 0; grant++) {
        if (grant->to == process->role->role) {
            fine = hand_grant(process, grant);
        }
    }
    return fine;
}

static bool hand_peer(struct process *to, const struct process *peer, int fd)
{
    struct bytes packet;
    struct wire_peer row = {.role = (uint8_t)peer->role->role, .index = peer->index};
    bytes_init(&packet, WIRE_PACKET_MAX);
    bool fine = wire_peer_encode(&packet, &row) && channel_send_fd(&to->control, bytes_view(&packet), fd);
    bytes_release(&packet);
    return fine;
}

// A new pair with everyone this one may talk to and who is there: the survivors get their end as a
// replacement.
void handout_peers(struct process *process)
{
    struct supervisor *supervisor = process->supervisor;
    for (unsigned i = 0; i < supervisor->processes; i++) {
        struct process *other = &supervisor->process[i];
        int pair[2];
        if (other == process || !process_alive(other) ||
            !topology_linked(process->role->role, other->role->role)) {
            continue;
        }
        if (!channel_pair(pair)) {
            log_event(LOG_ERROR, "channel_failed", "no pair of sockets: %s", strerror(errno));
            continue;
        }
        if (!hand_peer(process, other, pair[0]) || !hand_peer(other, process, pair[1])) {
            log_event(LOG_WARNING, "channel_failed", "between %s and %s",
                      stats_role_name((uint32_t)process->role->stats),
                      stats_role_name((uint32_t)other->role->stats));
        }
        close(pair[0]);
        close(pair[1]);
    }
}

void handout_penalties(struct process *process)
{
    const struct penalty *penalty = &process->supervisor->penalty;
    uint64_t now_ms = clock_mono_ns() / 1000000U;
    if (process->role->role != WIRE_FRONT) {
        return;
    }
    for (size_t i = 0; i < PENALTY_SOURCES_MAX; i++) {
        uint32_t seconds = penalty_left_s(&penalty->source[i], now_ms);
        if (seconds > 0) {
            CHANNEL_SAY(&process->control, penalty, .source = penalty->source[i].source, .seconds = seconds);
        }
    }
}
