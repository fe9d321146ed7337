// SPDX-License-Identifier: ISC
// The data key on disk: "data.key" in the working folder, 32 random bytes, readable by its owner only.
// Used by stayd-key before its sandbox. Owns nothing.
// A key that is there and can't be used is never replaced: everything that was made with it would be void.
#ifndef KEEPER_KEY_FILE_H
#define KEEPER_KEY_FILE_H

#include "keeper/key.h"

#define KEY_FILE_NAME "data.key"

enum key_file_result {
    KEY_FILE_LOADED,
    KEY_FILE_CREATED,
    KEY_FILE_UNREADABLE,   // errno
    KEY_FILE_NOT_A_FILE,   // a folder, a link, a device
    KEY_FILE_WRONG_OWNER,  // somebody else's
    KEY_FILE_TOO_OPEN,     // others may read or write it
    KEY_FILE_WRONG_SIZE,   // cut short, or another file
    KEY_FILE_CAN_NOT_MAKE, // there is none, and none could be written (errno)
};
// A sentence for the log that says what to do.
const char *key_file_result_text(enum key_file_result result);

// Loads the key, or makes one where there is none at all: durable on disk before it is used. The key is set
// when LOADED or CREATED.
[[nodiscard]] enum key_file_result key_file_load(uint8_t key[KEY_SIZE]);

#endif
