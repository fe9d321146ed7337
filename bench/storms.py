# SPDX-License-Identifier: ISC
"""stayctl storm as the database figures use it: its files, its plan, what it found second by second."""
import base64
import hashlib
import json
import os
import subprocess

from machine import BUILD, CLIENT_CORES, temporary_folder
from servers import PASSWORD

CLASSES = ("check", "login", "change", "register")
OUTCOMES = ("ok", "refused", "late", "failed", "wrong")


def token_of(number, seed="bench"):
    """As bench/tokens.h has it."""
    raw = hashlib.blake2b(f"{seed}/{number}".encode(), digest_size=32).digest()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class People:
    """The files that tell storm whom to act for: seeded sessions, one of each account, and all their password."""

    def __init__(self, accounts, each=1):
        folder = temporary_folder()
        self.sessions, self.password = os.path.join(folder, "sessions"), os.path.join(folder, "password")
        with open(self.sessions, "w", encoding="ascii") as file:
            file.writelines(f"user{number} {token_of(number * each)}\n" for number in range(accounts))
        with open(self.password, "w", encoding="ascii") as file:
            file.write(PASSWORD + "\n")


def command(server, people, mix, duration, **options):
    """mix: requests a second by class. options: those of stayctl storm, with _ for -."""
    words = [os.path.join(BUILD, "bin", "stayctl"), "storm", f"http://127.0.0.1:{server.port}", "--json",
             "--sessions", people.sessions, "--password-file", people.password, "--sources", "1024",
             "--mix", ",".join(f"{name}={rate:.6f}".rstrip("0").rstrip(".") for name, rate in mix.items()),
             "--duration", f"{duration}s"]
    for key, value in options.items():
        words += [f"--{key.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return words


def start_storm(*arguments, **options):
    return subprocess.Popen(command(*arguments, **options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=lambda: os.sched_setaffinity(0, CLIENT_CORES))


def finish(program):
    output, problem = program.communicate()
    if program.returncode not in (0, 1) or not output:
        raise RuntimeError(f"storm: exit {program.returncode}: {problem.strip()}")
    return json.loads(output)


def storm(*arguments, **options):
    return finish(start_storm(*arguments, **options))


def cell(report, name, phase=None):
    return (report if phase is None else report["phases"][phase])["classes"][name]


def failures(one):
    """What no refusal and no patience explains."""
    return one["failed"]["count"] + one["wrong"]["count"] + one["late"]["count"]


def per_second(report, name, begin, end, outcome="ok"):
    """Mean answers a second in the whole seconds [begin, end), by when they came."""
    seconds = report["by_second"][begin:end]
    return sum(second[name][outcome] for second in seconds) / max(len(seconds), 1)


def honest(report):
    own = report["self"]
    return "" if own["kept_up"] else f"; storm itself was late (p99 {own['lag_p99_ms']:.1f} ms)"
