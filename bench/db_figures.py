# SPDX-License-Identifier: ISC
"""The figures that bench/run-db prints. Each is a function of a Run that yields results.

One layout for all of them: storm on one core, stayd and PostgreSQL together on the other.
"""
import os
import statistics
import subprocess
import threading
import time

from figures import load, result, spread
from machine import BUILD, CLIENT_CORES, SERVER_CORES, Cpu, run, temporary_folder
from postgres import DatabaseStayd, Postgres, program
from servers import PASSWORD, Stayd
from storms import People, cell, failures, finish, honest, per_second, start_storm, storm

STORE = os.path.join(BUILD, "bench", "bench_store")
CHECKS, CHANGES = 500, 20  # a second, beside the class that is in question
ACTIVE = 50000             # accounts that somebody acts for, of a million


class Stage:
    """A PostgreSQL and a seeded stayd on it, both on the server's core."""

    def __init__(self, accounts):
        self.postgres = Postgres(SERVER_CORES)
        self.server = DatabaseStayd(self.postgres)
        self.server.seed(accounts, accounts, each=1)
        # As a database is that was there yesterday: nothing of what filling it left to do falls into a measurement.
        self.postgres.sql("VACUUM ANALYZE")
        self.postgres.sql("CHECKPOINT", "postgres")
        self.server.start()
        self.server.warm(accounts, 300)
        self.people = People(min(accounts, ACTIVE))

    def restart(self, sessions):
        self.server.stop()
        self.server.start()
        self.server.warm(sessions, 300)

    def stop(self):
        self.server.remove()
        self.postgres.stop()


def stage(run_, accounts):
    """Kept between the figures that need one of this size."""
    if accounts not in run_.stages:
        for other in list(run_.stages):
            run_.stages.pop(other).stop()
        run_.stages[accounts] = Stage(accounts)
    return run_.stages[accounts]


def seconds(run_, count):
    return max(int(run_.seconds(count)), 4)


class CpuWatch(threading.Thread):
    """CPU of stayd and PostgreSQL, sampled every quarter of a second while a storm runs."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.samples, self.over = pids, [], threading.Event()
        self.first = Cpu(pids)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def run(self):
        while not self.over.wait(0.25):
            self.samples.append((time.monotonic(), Cpu(self.pids).since(self.first)[0] / 1e9))

    def between(self, begin, end):
        """CPU seconds from one share of the run to another."""
        samples, last = self.samples, len(self.samples) - 1
        return samples[round(end * last)][1] - samples[round(begin * last)][1]


def closed_logins(server, duration, users=20000):
    """Log-ins a second with nobody else there, from eight who each wait for the answer."""
    done = load(server.port, mode="login", connections=8, seconds=duration, users=users, password=PASSWORD)
    return done["status"].get("200", 0) / duration


def peak(run_, where):
    """(best log-ins a second, all tried, best for a second of CPU): offered around what a closed client gets, beside
    the same checks."""
    about = closed_logins(where.server, 3)
    each, factors = seconds(run_, 8), (0.8, 0.95, 1.1, 1.3)
    spikes = ",".join(f"login:{about * factor:.2f}@{index * each}s+{each}s" for index, factor in enumerate(factors))
    with CpuWatch(where.server.both_pids()) as watch:
        report = storm(where.server, where.people, {"check": CHECKS, "login": about}, each * len(factors), spike=spikes)
    done = [cell(report, "login", phase)["ok"]["count"] for phase in range(len(factors))]
    cpu = [watch.between(phase / len(factors), (phase + 1) / len(factors)) for phase in range(len(factors))]
    got = [count / each for count in done]
    return max(got), got, statistics.median(count / used for count, used in zip(done, cpu))


def known_peak(run_, where):
    """The peak of this stage, measured once."""
    if not hasattr(where, "peak"):
        where.peak = peak(run_, where)[0]
    return where.peak


# ---- a storm of log-ins


def login_storm(run_):
    where = stage(run_, 20000)
    quiet = cell(storm(where.server, where.people, {"check": CHECKS}, seconds(run_, 10)), "check")
    before, tried_before, by_cpu_before = peak(run_, where)
    duration = seconds(run_, 60)
    with CpuWatch(where.server.both_pids()) as watch:
        report = storm(where.server, where.people, {"check": CHECKS, "login": 10 * before}, duration)
    used = watch.between(0, 1)
    after, tried_after, by_cpu_after = peak(run_, where)
    best = max(before, after)
    where.peak = best
    login, check = cell(report, "login"), cell(report, "check")
    goodput = login["ok"]["count"] / duration
    refused = login["refused"].get("p99_ms", 0)
    ratio = goodput / best
    yield result("login_goodput", goodput, "log-ins/s", ">= 0.95 x peak; refusals p99 <= 100 ms",
                 ratio >= 0.95 and refused <= 100 and not login["failed"]["count"], best, ratio,
                 f"{login['offered_per_second']:.0f}/s offered for {duration} s; refusals p50 "
                 f"{login['refused'].get('p50_ms', 0):.1f}, p99 {refused:.1f} ms; late {login['late']['count']}, failed "
                 f"{login['failed']['count']}; granted ones p99 {login['ok'].get('p99_ms', 0):.0f} ms; peaks tried before "
                 f"{spread(tried_before)}, after {spread(tried_after)}; stayd and PostgreSQL had {100 * used / duration:.0f} % "
                 f"of their core; for a second of CPU they did {login['ok']['count'] / used:.1f} log-ins, at the peaks "
                 f"{by_cpu_before:.1f} and {by_cpu_after:.1f}{honest(report)}")
    limit = max(3 * quiet["ok"]["p99_ms"], 5)
    bad = failures(check) + check["refused"]["count"]
    value = check["ok"].get("p99_ms", float("inf"))
    yield result("checks_in_storm", value, "ms p99", f"no check fails; <= max(3 x quiet, 5 ms) = {limit:.1f}",
                 bad == 0 and value <= limit, quiet["ok"]["p99_ms"], value / quiet["ok"]["p99_ms"],
                 f"{bad} of {check['offered']} failed; p99.9 {check['ok'].get('p999_ms', 0):.1f}, slowest "
                 f"{check['ok'].get('max_ms', 0):.1f} ms{honest(report)}")


def retries(run_):
    """Before, spike, after, at 0.7 of the peak: what is offered afterwards must be done again."""
    where = stage(run_, 20000)
    rate, calm, hard = 0.7 * known_peak(run_, where), seconds(run_, 12), seconds(run_, 10)
    report = storm(where.server, where.people, {"check": CHECKS, "login": rate}, calm + hard + 14, uniform=True,
                   retries="rude:3", spike=f"login:x10@{calm}s+{hard}s")
    end = calm + hard
    before, after = per_second(report, "login", 2, calm), per_second(report, "login", end + 2, end + 12)
    login = cell(report, "login", 1)
    ratio = after / before if before else 0
    yield result("retries", after, "log-ins/s", ">= 0.95 x before, seconds 2 to 12 after the spike", ratio >= 0.95,
                 before, ratio,
                 f"{rate:.0f}/s, ten times that for {hard} s, each refusal tried three times more at once: "
                 f"{login['retries']} retries; in the spike {login['ok']['count'] / hard:.0f}/s done, refusals p99 "
                 f"{login['refused'].get('p99_ms', 0):.1f} ms, late {login['late']['count']}, failed "
                 f"{login['failed']['count']}{honest(report)}")


def cold_connections(run_):
    where = stage(run_, 20000)
    rate, opened = known_peak(run_, where), {}
    for name, factor in (("steady", 0.7), ("spike", 10)):
        where.server.stop()
        time.sleep(1.5)
        before = where.postgres.opened()
        where.server.start()
        storm(where.server, where.people, {"login": factor * rate}, seconds(run_, 10))
        time.sleep(1.5)
        opened[name] = where.postgres.opened() - before
    ratio = opened["spike"] / max(opened["steady"], 1)
    yield result("cold_connections", opened["spike"], "connections", "<= 1.5 x what steady load opens", ratio <= 1.5,
                 opened["steady"], ratio,
                 f"by the server's count, stayd started anew before each; steady {0.7 * rate:.0f} log-ins/s, spike "
                 f"{10 * rate:.0f}/s")


# ---- a database that is slow


def timeline(where, mix, plan, actions, **options):
    """Runs storm and, at their seconds, the actions. plan: where phases end; the last is the duration."""
    marks = ",".join(f"x1@{begin}s+{end - begin}s" for begin, end in zip(plan, plan[1:]))
    program = start_storm(where.server, where.people, mix, plan[-1], spike=marks, **options)
    began, done = time.monotonic() + 0.1, []
    for at, action in actions:
        time.sleep(max(began + at - time.monotonic(), 0))
        action()
        done.append(time.monotonic() - began)
    return finish(program), done


def others_unharmed(report, names, phase):
    """(worst class, its p99, its limit, failures of all)"""
    worst, bad, found = None, 0, []
    for name in names:
        quiet, slow = cell(report, name, 0), cell(report, name, phase)
        limit = max(3 * quiet["ok"].get("p99_ms", 0), 20)
        value = slow["ok"].get("p99_ms", float("inf"))
        bad += failures(slow) + slow["refused"]["count"]
        found.append(f"{name} {quiet['ok'].get('p99_ms', 0):.1f} → {value:.1f}")
        if worst is None or value / limit > worst[1] / worst[2]:
            worst = (name, value, limit)
    return worst, bad, found


def judge_fault(name, report, slow, others, times, reference, how):
    """The three figures of one fault: the others, the slow class, and how it was when the cause had gone."""
    quiet_s, fault_s, restored_s = times
    (worst, value, limit), bad, found = others_unharmed(report, others, 1)
    yield result(f"{name}_others", value, f"ms p99 ({worst})", f"no failure; <= max(3 x quiet, 20 ms) = {limit:.1f}",
                 bad == 0 and value <= limit, None, None,
                 f"{bad} failed or refused of {sum(cell(report, one, 1)['offered'] for one in others)}; p99 quiet → then, "
                 f"ms: {', '.join(found)}{honest(report)}")
    one = cell(report, slow, 1)
    done = per_second(report, slow, quiet_s + 2, quiet_s + fault_s)
    refused = one["refused"].get("p99_ms", 0)
    ratio = done / reference if reference else None
    yield result(f"{name}_slow", done, f"{slow}s/s", ">= 0.9 x what the database can; the rest refused, p99 <= 100 ms",
                 (ratio is None or ratio >= 0.9) and refused <= 100 and not one["failed"]["count"], reference, ratio,
                 f"{how}; refused {one['refused']['count']}, p50 {one['refused'].get('p50_ms', 0):.1f}, p99 {refused:.1f} "
                 f"ms; late {one['late']['count']}, failed {one['failed']['count']}")
    begin = int(restored_s) + 2
    before, after = per_second(report, slow, 2, quiet_s), per_second(report, slow, begin, begin + 10)
    yield result(f"{name}_restored", after, f"{slow}s/s", ">= 0.95 x before, seconds 2 to 12 after", after >= 0.95 * before,
                 before, after / before if before else 0,
                 f"the cause was gone at {restored_s:.1f} s; second by second from then "
                 f"{[second[slow]['ok'] for second in report['by_second'][int(restored_s):int(restored_s) + 12]]}")


def million(run_):
    return stage(run_, 1000000)


def sizes(run_):
    return seconds(run_, 12), seconds(run_, 30)


def index_figure(run_, name, slow, others, index, create, script):
    """Drops an index under load, builds it again, and says what happened to whom."""
    where = million(run_)
    rate = 0.6 * known_peak(run_, where)
    quiet_s, fault_s = sizes(run_)
    mix = {"check": CHECKS, "login": rate, "change": CHANGES}
    drop = lambda: where.postgres.sql(f"DROP INDEX {index}")  # noqa: E731
    restore = lambda: where.postgres.sql(create)  # noqa: E731
    restore_at = quiet_s + fault_s
    try:
        report, done = timeline(where, mix, [0, quiet_s, restore_at, restore_at + 20],
                                [(quiet_s, drop), (restore_at, restore)], uniform=True)
        # What the database can do so, beside the other classes: the statement alone, by pgbench. The name is one
        # parameter as in stayd's: a name put together in the statement makes PostgreSQL plan it anew each time, which
        # reads a table 5 % faster.
        drop()
        beside = start_storm(where.server, where.people, {key: mix[key] for key in others}, seconds(run_, 10))
        alone = where.postgres.pgbench(seconds(run_, 8), 2, script, SERVER_CORES, define=["name=user4711"])
        finish(beside)
    finally:
        if not where.postgres.sql(f"SELECT to_regclass('{index}')"):
            restore()
    able = alone["rate"] if slow != "login" else 1 / (1 / alone["rate"] + 1 / known_peak(run_, where))
    reference = min(able, mix[slow])
    yield from judge_fault(name, report, slow, others, (quiet_s, fault_s, done[1]), reference,
                           f"{mix[slow]:.0f}/s offered; pgbench alone does {alone['rate']:.1f} such statements/s"
                           + (", and a log-in hashes" if slow == "login" else ""))


def index_login(run_):
    yield from index_figure(run_, "index_login", "login", ("check", "change"), "accounts_name",
                            "CREATE UNIQUE INDEX accounts_name ON accounts (name)",
                            "SELECT * FROM accounts WHERE name = :name;\n")


def index_change(run_):
    script = ("\\set n random(0, 49999)\nBEGIN;\nSELECT id FROM accounts WHERE name = 'user' || :n FOR UPDATE \\gset\n"
              "DELETE FROM sessions WHERE account_id = :id AND epoch < 0;\nCOMMIT;\n")
    yield from index_figure(run_, "index_change", "change", ("check", "login"), "sessions_account",
                            "CREATE INDEX sessions_account ON sessions (account_id, selector)", script)


def table_lock(run_):
    """The same with a lock: nothing of the slow classes can be done, so all of it is to be refused at once."""
    where = million(run_)
    rate = 0.6 * known_peak(run_, where)
    quiet_s = seconds(run_, 12)
    fault_s = seconds(run_, 30)
    mix = {"check": CHECKS, "login": rate}
    held = []
    lock = lambda: held.append(where.postgres.start_sql(  # noqa: E731
        f"BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({fault_s}); COMMIT;"))
    report, done = timeline(where, mix, [0, quiet_s, quiet_s + fault_s, quiet_s + fault_s + 18],
                            [(quiet_s, lock), (quiet_s + fault_s, lambda: held[0].wait())], uniform=True)
    yield from judge_fault("lock", report, "login", ("check",), (quiet_s, fault_s, done[1]), None,
                           f"ACCESS EXCLUSIVE on accounts for {fault_s} s, {rate:.0f} log-ins/s offered")


# ---- the path of one statement

def store_alone(where, mode, users, **options):
    """A real stayd-store, asked by bench/store.c in core's place; stayd itself is stopped meanwhile."""
    words = [text for key, value in options.items() for text in (f"--{key}", str(value))]
    return run([STORE, "--mode", mode, "--store", os.path.join(BUILD, "bin", "stayd-store"), "--folder",
                temporary_folder(), "--database", where.postgres.url(), "--users", str(users), *words], CLIENT_CORES)


def login_time(where, users, duration):
    """Microseconds of the database for a log-in's two operations, one at a time: their medians, commit included."""
    return sum(store_alone(where, mode, users, connections=1, outstanding=1, seconds=duration)["p50_us"]
               for mode in ("reads", "grants"))


def database_time(run_):
    """Any of a million accounts log in, or any of a thousand."""
    small, large = Stage(1000), million(run_)
    duration = seconds(run_, 5)
    for where, users in ((small, 1000), (large, 1000000)):
        where.server.stop()
        for mode in ("reads", "grants"):  # the pages that log-ins use are in memory, and written since the checkpoint
            store_alone(where, mode, users, connections=4, outstanding=64, seconds=2 * duration)
    pairs = [(login_time(large, 1000000, duration), login_time(small, 1000, duration)) for _ in range(run_.rounds(5))]
    small.stop()
    large.server.start()
    large.server.warm(1000000, 300)
    ratio = statistics.median(one / other for one, other in pairs)
    value, reference = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    yield result("database_time", value, "us of database a log-in", "<= 1.2 x at 1,000 accounts", ratio <= 1.2, reference,
                 ratio, "account_by_name and session_grant by a real stayd-store, one at a time, commit included, any of the "
                 f"accounts; ratio of each pair {spread([one / other for one, other in pairs])}")


def point_reads(run_):
    where, connections = million(run_), 4
    where.postgres.sql("CREATE DATABASE pgbench", "postgres")
    subprocess.run([program("pgbench"), "-i", "-q", "-s", "10", "-h", "127.0.0.1", "-p", str(where.postgres.port), "-U",
                    "postgres", "pgbench"], check=True, capture_output=True, cwd="/")
    where.server.stop()
    folder = temporary_folder()
    own = ("\\set n random(0, 999999)\nSELECT id, name, display_name, email, groups, flags, phc, epoch "
           "FROM accounts WHERE name = 'user' || :n;\n")

    def ours():
        return store_alone(where, "reads", 1000000, connections=connections, outstanding=16 * connections,
                           seconds=seconds(run_, 4))

    pairs = []
    for _ in range(run_.rounds(9)):
        pairs.append((ours(), where.postgres.pgbench(seconds(run_, 4), connections)))
    same = where.postgres.pgbench(seconds(run_, 4), connections, own)
    where.server.start()
    where.server.warm(1000000, 300)
    ratios = [one["cpu_ns"] / other["cpu_ns"] for one, other in pairs]
    ratio = statistics.median(ratios)
    value, reference = (statistics.median(pair[side]["cpu_ns"] for pair in pairs) / 1000 for side in (0, 1))
    refused = sum(one["refused"] for one, _ in pairs)
    yield result("point_reads", value, "us of CPU a read", "<= 1.2 x pgbench", ratio <= 1.2 and refused == 0, reference,
                 ratio, f"stayd-store (messages to core included) against pgbench -S -M prepared, {connections} "
                 f"connections; ratio of each pair {spread(ratios)}; {statistics.median(one['per_second'] for one, _ in pairs):.0f} "
                 f"and {statistics.median(other['rate'] for _, other in pairs):.0f} reads/s; pgbench with stayd's own statement "
                 f"{same['cpu_ns'] / 1000:.1f} us")


# ---- SQLite


def sqlite_grants(run_):
    server = Stayd()  # its data folder, as a stayd leaves it behind; then stayd-store alone works there
    server.seed(20000, users=20000, each=1)
    folder = os.path.join(server.data, "store")

    def grants():
        return run([STORE, "--mode", "grants", "--store", os.path.join(BUILD, "bin", "stayd-store"), "--folder", folder,
                    "--users", "20000", "--outstanding", "512", "--seconds", str(run_.seconds(2))])

    def syncs():
        return run([STORE, "--mode", "fdatasync", "--folder", folder, "--seconds", str(run_.seconds(2))])

    pairs = [(grants(), syncs()) for _ in range(run_.rounds(9))]
    ratios = [one["per_second"] / other["per_second"] for one, other in pairs]
    ratio = statistics.median(ratios)
    value, reference = (statistics.median(pair[side]["per_second"] for pair in pairs) for side in (0, 1))
    refused = sum(one["refused"] for one, _ in pairs)
    yield result("sqlite_grants", value, "durable grants/s", ">= 1.5 x the disk's fdatasync/s",
                 ratio >= 1.5 and refused == 0, reference, ratio,
                 f"512 at once, group commit; ratio of each pair {spread(ratios)}; {refused} refused; fdatasync of one page in "
                 f"place {spread([other['per_second'] for _, other in pairs], '/s')}")
    server.remove()


# In this order: those that share a stage lie together.
FIGURES = {"sqlite_grants": sqlite_grants, "login_storm": login_storm, "retries": retries,
           "cold_connections": cold_connections, "index_login": index_login, "index_change": index_change,
           "lock": table_lock, "database_time": database_time, "point_reads": point_reads}
