# SPDX-License-Identifier: ISC
"""What bench/run reads from the machine: cores, CPU time, memory; free ports, waiting, programs that end with us."""
import atexit
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, "build")
CORES = sorted(os.sched_getaffinity(0))
# With one core client and server share it; the notes of a run say how many there were.
SERVER_CORES, CLIENT_CORES = {CORES[0]}, {CORES[-1]}

running = []
folders = []


def clean_up():
    for program in reversed(running):
        stop(program, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


atexit.register(clean_up)


def temporary_folder():
    """Others may pass through it: stayd's children run as other users."""
    folder = tempfile.mkdtemp(prefix="stayd-bench-")
    os.chmod(folder, 0o755)
    folders.append(folder)
    return folder


def remove_folder(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folders.remove(folder)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, cores=None, log=None):
    """A program in a process group of its own, on these cores; `log` is a file for what it writes."""
    def before_exec():
        os.setpgid(0, 0)
        os.sched_setaffinity(0, cores or set(CORES))
    output = subprocess.DEVNULL if log is None else open(log, "ab")
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                               preexec_fn=before_exec)
    running.append(program)
    return program


def stop(program, how=signal.SIGTERM, timeout_s=15):
    """Ends it and all of its children."""
    family = family_of(program.pid)
    with contextlib.suppress(ProcessLookupError):
        program.send_signal(how)
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.wait(timeout_s)
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            if program.poll() is None or parent_of(pid) is not None:
                os.kill(pid, signal.SIGKILL)
    program.wait()
    if program in running:
        running.remove(program)


def run(command, cores=None, timeout_s=600):
    """The object that a program of ours prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False,
                          preexec_fn=lambda: os.sched_setaffinity(0, cores or set(CORES)))
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def until(probe, what, timeout_s=20, every_s=0.02):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        value = probe()
        if value:
            return value
        time.sleep(every_s)
    raise RuntimeError(f"{what}: not within {timeout_s} s")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


# ---- processes


def stat_fields(pid):
    """The fields of /proc/PID/stat behind the name; None when it is gone."""
    try:
        text = read(f"/proc/{pid}/stat")
    except OSError:
        return None
    return text[text.rindex(")") + 2:].split()


def parent_of(pid):
    fields = stat_fields(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[1])


def name_of(pid):
    try:
        first = read(f"/proc/{pid}/cmdline").split("\0")[0]
    except OSError:
        return ""
    return os.path.basename(first)


def family_of(pid):
    """The process and all below it."""
    parents = {int(entry): parent_of(int(entry)) for entry in os.listdir("/proc") if entry.isdigit()}
    family, level = [pid], {pid}
    while level:
        level = {child for child, parent in parents.items() if parent in level}
        family += sorted(level)
    return family


class Cpu:
    """CPU time of some processes. The sum is exact (the scheduler's nanoseconds); how it divides into user and
    system comes from the kernel's own split."""

    def __init__(self, pids):
        self.total_ns = self.user_ticks = self.system_ticks = 0
        for pid in pids:
            fields = stat_fields(pid)
            if fields is None:
                continue
            self.user_ticks += int(fields[11])
            self.system_ticks += int(fields[12])
            for task in os.listdir(f"/proc/{pid}/task"):
                self.total_ns += int(read(f"/proc/{pid}/task/{task}/schedstat").split()[0])

    def since(self, before):
        """(nanoseconds, user ticks, system ticks) since then."""
        return (self.total_ns - before.total_ns, self.user_ticks - before.user_ticks,
                self.system_ticks - before.system_ticks)


def proportional_kib(pid):
    """PSS: what is shared counts in parts."""
    for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError("no Pss in smaps_rollup")


def resident_shared_bytes(pid, part):
    """Resident bytes of the mappings whose name has `part` in it."""
    total, inside = 0, False
    for line in read(f"/proc/{pid}/smaps").splitlines():
        first = line.split(None, 1)[0]
        if not first.endswith(":"):
            inside = part in line
        elif inside and first == "Rss:":
            total += int(line.split()[1]) * 1024
    return total
