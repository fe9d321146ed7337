// SPDX-License-Identifier: ISC
// The reference: registers of values, accounts, sessions. Runs in the simulator.
#include "sim/model.h"

#include <stdio.h>

void model_register_settle(struct model_register *reg, uint32_t value, uint64_t step)
{
    reg->count = 1;
    reg->write[0] = (struct model_write){.value = value, .issued = step, .acked = step};
}

int model_register_write(struct model_register *reg, uint32_t value, uint64_t step)
{
    if (reg->count == MODEL_WRITES) {
        return -1;
    }
    reg->write[reg->count] = (struct model_write){.value = value, .issued = step, .acked = MODEL_NEVER};
    return (int)reg->count++;
}

// Nobody who begins at `begin` can see it any more: another write came wholly after it and is done.
static bool is_superseded(const struct model_register *reg, const struct model_write *write, uint64_t begin)
{
    for (uint32_t i = 0; i < reg->count && write->acked != MODEL_NEVER; i++) {
        const struct model_write *later = &reg->write[i];
        if (!later->dropped && later->issued > write->acked && later->acked < begin) {
            return true;
        }
    }
    return false;
}

bool model_register_possible(const struct model_register *reg, uint32_t value, uint64_t begin, uint64_t end)
{
    for (uint32_t i = 0; i < reg->count; i++) {
        const struct model_write *write = &reg->write[i];
        if (write->value == value && !write->dropped && write->issued <= end &&
            !is_superseded(reg, write, begin)) {
            return true;
        }
    }
    return false;
}

bool model_register_certain(const struct model_register *reg, uint32_t value, uint64_t begin, uint64_t end,
                            int except)
{
    for (uint32_t i = 0; i < reg->count; i++) {
        const struct model_write *write = &reg->write[i];
        // A refused one may have been seen for a while: a crash between effect and answer, then another
        // write.
        if ((int)i != except && write->value != value && write->issued <= end &&
            !is_superseded(reg, write, begin)) {
            return false;
        }
    }
    return model_register_possible(reg, value, begin, end);
}

bool model_register_busy(const struct model_register *reg, uint64_t begin, uint64_t end, int except)
{
    for (uint32_t i = 0; i < reg->count; i++) {
        const struct model_write *write = &reg->write[i];
        if ((int)i != except && write->issued <= end && write->acked >= begin) {
            return true;
        }
    }
    return false;
}

void model_reset(struct model *model)
{
    memset(model, 0, sizeof(*model));
    for (uint32_t i = 0; i < MODEL_ACCOUNTS; i++) {
        struct model_account *account = &model->account[i];
        snprintf(account->name, sizeof(account->name), "user%u", i);
        model_register_settle(&account->state, MODEL_ABSENT, 0);
        model_register_settle(&account->groups, 0, 0);
        model_register_settle(&account->password, 0, 0);
    }
}

int model_session_find(const struct model *model, const struct id16 *selector)
{
    for (uint32_t i = 0; i < model->session_count; i++) {
        if (memcmp(model->session[i].selector.byte, selector->byte, 16) == 0) {
            return (int)i;
        }
    }
    return -1;
}

size_t model_password_text(uint32_t value, char *out)
{
    return (size_t)snprintf(out, 64, "password-%u", value);
}

// Groups of value 0 are none; every value has its own name.
size_t model_groups_text(uint32_t value, char *out)
{
    out[0] = '\0';
    return value == 0   ? 0
           : value == 1 ? (size_t)snprintf(out, 64, "admins")
                        : (size_t)snprintf(out, 64, "group%u", value);
}

bool model_groups_value(struct view text, uint32_t *value)
{
    uint64_t number;
    *value = view_equal(text, VIEW("admins")) ? 1 : 0;
    if (text.size == 0 || *value == 1) {
        return true;
    }
    if (!view_starts_with(text, VIEW("group")) || !view_to_u64(view_from(text, 5), &number)) {
        return false;
    }
    *value = (uint32_t)number;
    return true;
}
