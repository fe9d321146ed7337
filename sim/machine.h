// SPDX-License-Identifier: ISC
// Starting and killing core and the processes beside it. Used by the simulator.
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include "sim/world.h"

struct core_time machine_time(const struct world *world);
// Around every call of core: it may die in it, and is gone then (world->core is NULL).
void machine_enter(struct world *world);
void machine_leave(struct world *world);
// What fronts noted as seen, told to core.
void machine_drain_rings(struct world *world);
// Core learns that the process behind this link died.
void machine_link_down(struct world *world, uint32_t number);
void machine_process_crash(struct world *world, uint32_t number);
void machine_process_start(struct world *world, uint32_t number);
// The whole machine: the tables are gone, what is durable stays.
void machine_crash(struct world *world);

#endif
