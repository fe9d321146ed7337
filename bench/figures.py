# SPDX-License-Identifier: ISC
"""The figures that bench/run prints. Each is a function of a Run that yields results."""
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import time

from machine import (BUILD, CLIENT_CORES, CORES, SERVER_CORES, Cpu, name_of, parent_of, proportional_kib, run, start,
                     temporary_folder)
from servers import PASSWORD, Nginx, Stayd, get

LOAD = os.path.join(BUILD, "bench", "bench_load")
ARGON = os.path.join(BUILD, "bench", "bench_argon")
CONNECTIONS = 64
SESSIONS_PER_USER = 10


def spread(values, unit=""):
    return f"{min(values):.3g}/{statistics.median(values):.3g}/{max(values):.3g}{unit} (min/median/max)"


def result(name, value, unit, bar, passed, reference=None, ratio=None, notes=""):
    return {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio, "bar": bar,
            "passed": bool(passed), "notes": notes}


class Run:
    """What one run keeps between figures: how long to measure, and the servers that several of them need."""

    def __init__(self, quick):
        self.quick = quick
        self.servers = {}
        self.stages = {}  # of bench/run-db, by accounts

    def rounds(self, count):
        return max(2, count // 3) if self.quick else count

    def seconds(self, count):
        return count / 2 if self.quick else count

    def seeded(self, sessions):
        """A stayd with so many live sessions in its tables: one front, all of it on the server's core."""
        if sessions not in self.servers:
            server = Stayd(SERVER_CORES, fronts=1, sessions_max=12000000 if sessions > 1000000 else 2000000)
            seeded_s = server.seed(sessions)["seconds"]
            server.start()
            empty = 0 if server.live() else server.table_bytes()
            began = time.monotonic()
            server.warm(sessions, 300)
            server.notes = f"seeded in {seeded_s:.0f} s, in the tables {time.monotonic() - began:.1f} s after ready"
            server.sessions, server.empty_bytes = sessions, empty
            self.servers[sessions] = server
        return self.servers[sessions]

    def drop(self, sessions):
        server = self.servers.pop(sessions, None)
        if server is not None:
            server.remove()

    def stop(self):
        for sessions in list(self.servers):
            self.drop(sessions)
        for stage in self.stages.values():
            stage.stop()


def load(port, cores=None, **options):
    """The client, to its end: what came of it."""
    return run(load_command(port, **options), cores or CLIENT_CORES)


def load_command(port, **options):
    words = [LOAD, "--port", str(port)]
    for key, value in options.items():
        words += [f"--{key}", str(value)]
    return words


# ---- CPU of a check


def checks(server, sessions, seconds):
    """CPU of the server's processes for one check: (nanoseconds, user ticks, system ticks, checks a second)."""
    pids = server.pids()
    before = Cpu(pids)
    done = load(server.port, connections=CONNECTIONS, seconds=seconds, sessions=sessions)
    total_ns, user, system = Cpu(pids).since(before)
    if done["failed"] or set(done["status"]) != {"200"}:
        raise RuntimeError(f"checks were not all answered with 200: {done}")
    return {"ns": total_ns / done["answered"], "user": user, "system": system, "rate": done["per_second"]}


def user_share(rounds):
    user = sum(one["user"] for one in rounds)
    return user / (user + sum(one["system"] for one in rounds))


def paired(run_, first, second, warm_s=1):
    """Alternating rounds of both, the order swapped each time, after one of each that does not count."""
    first(run_.seconds(warm_s)), second(run_.seconds(warm_s))
    pairs = []
    for number in range(run_.rounds(9)):
        if number % 2:
            other = second(run_.seconds(2))
            pairs.append((first(run_.seconds(2)), other))
        else:
            one = first(run_.seconds(2))
            pairs.append((one, second(run_.seconds(2))))
    return pairs


def answer_headers(server):
    """The headers of stayd's answer to a check, but for those that nginx writes itself; and both sizes."""
    token = subprocess.run([LOAD, "--token", "0"], capture_output=True, text=True, check=True).stdout.strip()
    status, headers, _ = get(server.port, "/auth/check", {"Cookie": f"stayd={token}"})
    if status != 200:
        raise RuntimeError(f"a check of a seeded session got {status}")
    own = {"date", "content-length", "connection", "server", "content-type"}
    return [(name, value) for name, value in headers if name.lower() not in own], size_of(headers)


def size_of(headers):
    return len("HTTP/1.1 200 OK\r\n\r\n") + sum(len(name) + len(value) + 4 for name, value in headers)


def check_cpu(run_):
    server = run_.seeded(1000)
    headers, size = answer_headers(server)
    nginx = Nginx(headers)
    nginx_size = size_of(get(nginx.port, "/auth/check")[1])
    pairs = paired(run_, lambda seconds: checks(server, 1000, seconds), lambda seconds: checks(nginx, 1000, seconds))
    nginx.stop()
    ours, theirs = [one for one, _ in pairs], [other for _, other in pairs]
    ratios = [one["ns"] / other["ns"] for one, other in pairs]
    our_share, their_share = user_share(ours), user_share(theirs)
    value, reference = (statistics.median(one["ns"] for one in side) / 1000 for side in (ours, theirs))
    ratio = statistics.median(ratios)
    notes = (f"ratio of each pair {spread(ratios)}; {statistics.median(one['rate'] for one in ours):.0f} and "
             f"{statistics.median(one['rate'] for one in theirs):.0f} checks/s; answers of {size} and "
             f"{nginx_size} bytes")
    yield result("check_cpu", value, "us of CPU", "<= 1.0 x nginx", ratio <= 1.0, reference, ratio, notes)
    user_ratio = ratio * our_share / their_share
    yield result("check_cpu_user", value * our_share, "us of CPU", "<= 0.7 x nginx", user_ratio <= 0.7,
                 reference * their_share, user_ratio,
                 f"user part {100 * our_share:.0f} % of stayd's, {100 * their_share:.0f} % of nginx's, by the "
                 "kernel's split over all rounds")


def check_10m(run_):
    few, many = run_.seeded(1000), run_.seeded(10000000)
    pairs = paired(run_, lambda seconds: checks(many, 10000000, seconds), lambda seconds: checks(few, 1000, seconds),
                   warm_s=4)
    ratios = [one["ns"] / other["ns"] for one, other in pairs]
    ratio = statistics.median(ratios)
    value, reference = (statistics.median(pair[side]["ns"] for pair in pairs) / 1000 for side in (0, 1))
    yield result("check_10m", value, "us of CPU", "<= 1.3 x with 1,000 sessions", ratio <= 1.3, reference, ratio,
                 f"ratio of each pair {spread(ratios)}; {many.notes}")


# ---- instructions of a check


def instructions(folder, count):
    """Of one check in the front's own code, by callgrind: those of twice as many less those of once."""
    totals = []
    for number in (count, 2 * count):
        done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=turn",
                               os.path.join(folder, "bench", "bench_instruments"), str(number)],
                              capture_output=True, text=True, check=False)
        collected = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode != 0 or collected is None:
            raise RuntimeError(f"callgrind: {done.stderr.strip()[-200:]}")
        totals.append(int(collected.group(1)))
    return (totals[1] - totals[0]) / count


def check_instruments(_):
    if shutil.which("valgrind") is None:
        raise RuntimeError("needs valgrind (tools/deps bench)")
    plain = os.path.join(BUILD, "without-instruments")
    if not os.path.exists(os.path.join(plain, "build.ninja")):
        subprocess.run(["meson", "setup", plain, "-Dinstruments=false", "-Dtests=true"], cwd=os.path.dirname(BUILD),
                       check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", plain, "bench/bench_instruments"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, "bench/bench_instruments"], check=True, stdout=subprocess.DEVNULL)
    value, reference = instructions(BUILD, 2000), instructions(plain, 2000)
    yield result("check_instruments", value, "instructions", "<= 1.05 x without instruments", value <= 1.05 * reference,
                 reference, value / reference, "user code of the front for one check on a connection that stands")


# ---- memory


def memory(run_):
    empty = Stayd(SERVER_CORES, fronts=1).start()
    fixed = empty.table_bytes()
    empty.remove()
    for sessions in (100000, 1000000, 10000000):
        server = run_.seeded(sessions)
        resident = server.table_bytes()
        gauges = server.metric(r'table_bytes\{[^}]*\}')
        each = (resident - fixed) / server.live()
        yield result(f"memory_{sessions}", each, "bytes a session", "<= 120", each <= 120, None, None,
                     f"{resident / 1048576:.1f} MiB resident in core ({fixed / 1048576:.2f} MiB empty), gauges say "
                     f"{gauges / 1048576:.1f} MiB; {server.live()} sessions, 10 an account; {server.notes}")
        if 1000 < sessions < 10000000:
            run_.drop(sessions)


def idle_memory(_):
    server = Stayd().start()
    time.sleep(3)
    parts = [(name_of(pid), proportional_kib(pid)) for pid in server.pids()]
    server.remove()
    total = sum(kib for _, kib in parts) / 1024
    yield result("idle_memory", total, "MiB PSS", "<= 32", total <= 32, None, None,
                 ", ".join(f"{name} {kib / 1024:.1f}" for name, kib in parts))


# ---- logins


def login_load(server, seconds, cores):
    """Closed model, enough at once to keep every worker busy."""
    done = load(server.port, cores, mode="login", connections=4 * len(CORES), seconds=seconds, users=20000,
                sources=1 << 20, password=PASSWORD)
    if done["failed"] or set(done["status"]) != {"200"}:
        raise RuntimeError(f"log-ins were not all granted: {done}")
    return done


def logins_for_cpu_second(server, seconds):
    """What one core can do with nobody else on it."""
    pids = server.pids()
    before = Cpu(pids)
    done = login_load(server, seconds, CLIENT_CORES)
    return done["answered"] / (Cpu(pids).since(before)[0] / 1e9)


def logins(run_):
    server = Stayd(trusted_proxies="127.0.0.1")
    server.seed(0, 20000)
    server.start()
    pids = server.pids()

    def ours(seconds):
        before = Cpu(pids)
        done = login_load(server, seconds, set(CORES))
        return {"rate": done["per_second"], "cpu": done["answered"] / (Cpu(pids).since(before)[0] / 1e9)}

    def bare(seconds):
        done = run([ARGON, "--threads", str(len(CORES)), "--seconds", str(seconds)])
        return {"rate": done["per_second"], "cpu": done["verified"] / done["cpu_s"]}

    pairs = paired(run_, ours, bare)
    server.remove()
    ratios = [one["rate"] / other["rate"] for one, other in pairs]
    by_cpu = [one["cpu"] / other["cpu"] for one, other in pairs]
    ratio = statistics.median(ratios)
    value, reference = (statistics.median(pair[side]["rate"] for pair in pairs) for side in (0, 1))
    yield result("logins", value, "logins/s", ">= 0.95 x bare argon2id", ratio >= 0.95, reference, ratio,
                 f"ratio of each pair {spread(ratios)}; for one second of CPU {spread(by_cpu)} x")


def steady_checks(server, sessions, seconds):
    """Open model, a modest rate: what is measured is how long they take."""
    return load(server.port, connections=CONNECTIONS, seconds=seconds, sessions=sessions, rate=1000)


def checks_in_storm(server, sessions, seconds, rate):
    """The same in the middle of log-ins at that rate: both answers."""
    command = load_command(server.port, mode="login", connections=1000, seconds=seconds + 2, rate=rate, users=20000,
                           sources=1 << 20, password=PASSWORD)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, CLIENT_CORES)) as storm:
        time.sleep(1)
        busy = steady_checks(server, sessions, seconds)
        return busy, json.loads(storm.communicate()[0])


def checks_during_logins(run_):
    sessions = 100000
    server = Stayd(SERVER_CORES, fronts=1, trusted_proxies="127.0.0.1", sessions_max=2000000)
    server.seed(sessions, 20000)
    server.start()
    server.warm(sessions, 60)
    able = logins_for_cpu_second(server, 2)
    quiet, busy, storms = [], [], []
    for _ in range(2 if run_.quick else 3):
        quiet.append(steady_checks(server, sessions, run_.seconds(4)))
        checked, stormed = checks_in_storm(server, sessions, run_.seconds(6), 5 * able)
        busy.append(checked)
        storms.append(stormed)
    server.remove()
    before, value = (statistics.median(one["p99_us"] for one in side) / 1000 for side in (quiet, busy))
    limit = max(3 * before, 5)
    bad = sum(one["failed"] + one["overdue"] + one["asked"] - one["status"].get("200", 0) for one in busy)
    granted, asked = (sum(one) for one in zip(*((one["status"].get("200", 0), one["asked"]) for one in storms)))
    yield result("check_during_logins", value, "ms p99", f"no check fails; <= max(3 x quiet, 5 ms) = {limit:.1f}",
                 bad == 0 and value <= limit, before, value / before,
                 f"{bad} of {sum(one['asked'] for one in busy)} checks failed; p99 "
                 f"{spread([one['p99_us'] / 1000 for one in busy], ' ms')}, quiet "
                 f"{spread([one['p99_us'] / 1000 for one in quiet], ' ms')}; slowest "
                 f"{max(one['max_us'] for one in busy) / 1000:.1f} ms; {5 * able:.0f} log-ins/s asked for, "
                 f"{granted} of {asked} granted, the others told to wait, {sum(one['failed'] for one in storms)} failed")


# ---- start


def start_time(run_):
    for name, fresh in (("start_fresh", True), ("start_existing", False)):
        times, server = [], None
        for _ in range(run_.rounds(9) + (0 if fresh else 1)):
            if fresh or server is None:
                server = Stayd()
            began = time.monotonic()
            server.spawn()
            while True:
                answer = get(server.port, "/login")
                if answer is not None and answer[0] == 200:
                    break
                if time.monotonic() - began > 10:
                    raise RuntimeError("no answer to /login in 10 s")
                time.sleep(0.001)
            times.append((time.monotonic() - began) * 1000)
            server.stop()
            if fresh:
                server.remove()
        times = times if fresh else times[1:]
        if not fresh:
            server.remove()
        value = statistics.median(times)
        yield result(name, value, "ms", "<= 150", value <= 150, None, None, spread(times, " ms"))


# ---- kill -9

KINDS = ("front", "core", "store", "hash", "key", "watch")
GRACE_NS = 5000000  # what was sent until the others could notice that it is gone was in flight


def read_log(path):
    with open(path, encoding="ascii") as file:
        return [tuple(int(word) for word in line.split()) for line in file]


def kill_one(server, kind):
    """Kills one: when it was told to die, and when it was dead (CLOCK_MONOTONIC)."""
    pid = server.children(f"stayd-{kind}")[0]
    when = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    while parent_of(pid) is not None:
        pass
    return kind, when, time.monotonic_ns()


def kill_effect(when, dead, until_ns, logs):
    """What clients saw of one kill: the gap before each kind of request was answered again (ms), the failures of
    requests in flight, and of those sent later."""
    failed_later, in_flight, again = 0, 0, dict.fromkeys(logs, float("inf"))
    for name, rows in logs.items():
        for _, sent, ended, status in rows:
            if not when - 1000000000 <= sent < until_ns:
                continue
            if status == 200 and sent >= when:
                again[name] = min(again[name], (ended - when) / 1e6)
            elif status != 200 and sent > dead + GRACE_NS:
                failed_later += 1
            elif status != 200:
                in_flight += 1
    return again, in_flight, failed_later


def judge_kills(kind, effects, normal):
    worst = [max(again.values()) for again, _, _ in effects]
    later = sum(failed for _, _, failed in effects)
    value = statistics.median(worst)
    return result(f"kill_{kind}", value, "ms", "only requests in flight fail; answering again <= 100",
                  later == 0 and value <= 100, None, None,
                  f"{len(effects)} kills: checks after {spread([again['check'] for again, _, _ in effects], ' ms')}, "
                  f"log-ins after {spread([again['login'] for again, _, _ in effects], ' ms')}; failed in flight "
                  f"{sum(failed for _, failed, _ in effects)}, sent later {later}; an undisturbed log-in takes {normal}")


def undisturbed(rows, killed):
    """Milliseconds of the log-ins that no kill was near."""
    calm = [(ended - sent) / 1e6 for _, sent, ended, status in rows
            if status == 200 and not any(-5e8 < sent - when < 1e9 for _, when, _ in killed)]
    return f"{statistics.median(calm):.1f} ms, at most {max(calm):.0f}"


def kills(run_):
    sessions, pause_s, rounds = 1000, 1.8, 1 if run_.quick else 3
    server = Stayd(fronts=2, trusted_proxies="127.0.0.1", password_memory="8 MiB", password_time=1)
    server.seed(sessions, 2000, memory_kib=8192, passes=1)
    server.start()
    server.warm(sessions, 20)
    folder = temporary_folder()
    seconds = pause_s * (rounds * len(KINDS) + 1.5)
    both = {"check": {"rate": 5000, "sessions": sessions, "connections": CONNECTIONS},
            "login": {"rate": 60, "mode": "login", "users": 2000, "sources": 1 << 20, "password": PASSWORD,
                      "connections": 16}}
    paths = {name: os.path.join(folder, name) for name in both}
    programs = [start(load_command(server.port, seconds=seconds, log=paths[name], **options))
                for name, options in both.items()]
    killed = []
    time.sleep(1)
    for kind in rounds * KINDS:
        killed.append(kill_one(server, kind))
        time.sleep(pause_s)
    for program in programs:
        program.wait(60)
    server.remove()
    logs = {name: read_log(path) for name, path in paths.items()}
    normal = undisturbed(logs["login"], killed)
    for kind in KINDS:
        effects = [kill_effect(when, dead, when + int(pause_s * 1e9) - 100000000, logs)
                   for killed_kind, when, dead in killed if killed_kind == kind]
        yield judge_kills(kind, effects, normal)


# In this order. Those that share a seeded server lie together.
FIGURES = {"idle_memory": idle_memory, "start": start_time, "check_cpu": check_cpu,
           "check_instruments": check_instruments, "logins": logins,
           "check_during_logins": checks_during_logins, "kill": kills, "memory": memory, "check_10m": check_10m}
