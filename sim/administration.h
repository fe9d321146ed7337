// SPDX-License-Identifier: ISC
// What makes and changes accounts. Used by the simulator's clients.
#ifndef SIM_ADMINISTRATION_H
#define SIM_ADMINISTRATION_H

#include "sim/world.h"

// Each tries one request of its kind; nothing happens when there is no room for it.
void act_setup(struct world *world);
void act_register(struct world *world);
void act_add(struct world *world);
void act_groups(struct world *world);
void act_disable(struct world *world);
void act_enable(struct world *world);
void act_admin_password(struct world *world);
void act_delete(struct world *world);
void act_end_all(struct world *world);
void act_end_any(struct world *world);
void act_invite(struct world *world);

#endif
