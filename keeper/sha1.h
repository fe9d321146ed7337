// SPDX-License-Identifier: ISC
// SHA-1 (FIPS 180-4), only as the key of lists of breached passwords, which the world publishes as SHA-1.
// Used by stayd-hash and by the tool that builds such lists. Nothing is protected by it: a collision would at
// worst refuse one odd password. Own code (libsodium has none), so that stayd-hash needs no second crypto
// library.
#ifndef KEEPER_SHA1_H
#define KEEPER_SHA1_H

#include "base/bytes.h"

#define SHA1_SIZE 20

void sha1(struct view message, uint8_t digest[SHA1_SIZE]);

#endif
