// SPDX-License-Identifier: ISC
// The memory that libsodium gets for a hash, in stayd-hash, and what of it is kept for the next one.
// Bounds: no more than hashes were at work at once, 64 MiB each; larger ones are given back at once.
#ifndef KEEPER_HASH_MEMORY_H
#define KEEPER_HASH_MEMORY_H

// Gives what no hash uses back to the kernel. Any thread.
void hash_memory_release(void);

#endif
