#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Core is pure: its objects name no function that reads a clock, does I/O, draws randomness or starts a thread.

    purity_test.py NM libcore.a

What core may call is a list, so that a new name is a decision.
"""
import re
import subprocess
import sys

OWN = re.compile(r"(sessions|wire|bytes|view|secret|base64url|hex|gate|names|throttle|tombstones?|flow|table|core|audit|"
                 r"setup|upkeep|on|admission|pressure|distinct|guesses)_\w+|wipe|equal_secret|audit|upkeep|wall_s")
# Memory, text and hashes: the same answer for the same arguments.
LIBRARY = {"calloc", "free", "malloc", "realloc", "memcmp", "memcpy", "memmove", "memset", "strcmp", "strlen",
           "snprintf", "event_encode", "network_label", "network_label_text", "crypto_generichash", "crypto_shorthash_siphashx24", "randombytes_buf_deterministic"}
COMPILER = re.compile(r"__(assert_fail|stack_chk_fail|memcpy_chk|memset_chk|memmove_chk|snprintf_chk|(asan|ubsan|tsan|"
                      r"sanitizer|sanitizer_cov)_\w+)|_GLOBAL_OFFSET_TABLE_|__start___sancov_\w+|__stop___sancov_\w+")


def main():
    nm, library = sys.argv[1:3]
    listing = subprocess.run([nm, "-u", library], capture_output=True, text=True, check=True).stdout
    names = sorted(set(re.findall(r"^\s+[Uwv] (\S+)$", listing, re.M)))
    wrong = [name for name in names
             if name not in LIBRARY and not OWN.fullmatch(name) and not COMPILER.fullmatch(name)]
    print(f"{len(names)} names, {len(wrong)} that core may not call: {' '.join(wrong)}")
    return 1 if wrong or len(names) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
