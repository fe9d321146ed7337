# SPDX-License-Identifier: ISC
"""A real PostgreSQL in a temporary folder, on a port of its own, never as root; and a stayd on it."""
import glob
import os
import pwd
import resource
import shutil
import signal
import subprocess

from machine import (BUILD, CLIENT_CORES, SERVER_CORES, family_of, free_port, read, remove_folder, run, start, stop,
                     temporary_folder, until)
from servers import PASSWORD, Stayd

# Durable, as on a server that matters. What the machine has is divided: 2 cores, a few GiB.
SETTINGS = {"listen_addresses": "127.0.0.1", "max_connections": 100, "shared_buffers": "512MB", "max_wal_size": "4GB",
            "checkpoint_timeout": "30min", "wal_level": "replica", "timezone": "UTC", "lc_messages": "C",
            "dynamic_shared_memory_type": "mmap", "shared_preload_libraries": "pg_stat_statements",
            "pg_stat_statements.track": "top", "jit": "off", "max_parallel_workers_per_gather": 0}


def program(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}")) or [shutil.which(name)]
    if not found[-1]:
        raise RuntimeError(f"PostgreSQL's {name} is not there")
    return found[-1]


def unprivileged(command):
    """The command, as a user that may run PostgreSQL."""
    if os.getuid() != 0:
        return command
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--", *command]


class Postgres:
    def __init__(self, cores=None, **settings):
        self.cores, self.folder, self.port, self.program = cores, temporary_folder(), free_port(), None
        self.data, self.log = os.path.join(self.folder, "data"), os.path.join(self.folder, "log")
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        subprocess.run(unprivileged([program("initdb"), "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                                     "--locale=C", "-N"]), check=True, capture_output=True, cwd="/")
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            keys = {**SETTINGS, "port": self.port, "unix_socket_directories": self.folder, **settings}
            file.writelines(f"{key} = '{value}'\n" for key, value in keys.items())
        self.start()
        self.sql("CREATE ROLE stayd LOGIN", database="postgres")

    def start(self):
        self.program = start(unprivileged([program("postgres"), "-D", self.data]), self.cores, self.log)
        until(lambda: "ready to accept connections" in read(self.log), "PostgreSQL ready", 30)

    def stop(self):
        if self.program is not None:
            stop(self.program, signal.SIGINT)
            remove_folder(self.folder)
        self.program = None

    def pids(self):
        return family_of(self.program.pid)

    def url(self, database="stayd", user="stayd"):
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def command(self, database="stayd"):
        return ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url(database, "postgres")]

    def sql(self, text, database="stayd"):
        """What psql prints, columns divided by "|"."""
        done = subprocess.run(self.command(database), input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()

    def start_sql(self, text, database="stayd"):
        """The same, in the background; a running program."""
        psql = subprocess.Popen(self.command(database), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, text=True)
        psql.stdin.write(text + "\n")
        psql.stdin.close()
        return psql

    def opened(self, database="stayd"):
        """Connections that were ever opened to the database."""
        return int(self.sql(f"SELECT sessions FROM pg_stat_database WHERE datname = '{database}'", "postgres"))

    def open_now(self, database="stayd"):
        return int(self.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND usename = 'stayd'",
                            "postgres"))

    def pgbench(self, seconds, connections, script=None, cores=None, database="stayd", scale_database="pgbench",
                define=()):
        """Transactions a second, and pgbench's own CPU (ns) for each; -S -M prepared where no script is given.
        define: variables of the script that are text, as NAME=VALUE."""
        words = [program("pgbench"), "-n", "-M", "prepared", "-c", str(connections), "-j", "1", "-T", str(seconds),
                 "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres",
                 *(word for variable in define for word in ("-D", variable))]
        if script is None:
            words += ["-S", scale_database]
        else:
            path = os.path.join(temporary_folder(), "script.sql")
            with open(path, "w", encoding="utf-8") as file:
                file.write(script)
            words += ["-f", path, database]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd="/",
                              preexec_fn=lambda: os.sched_setaffinity(0, cores or CLIENT_CORES))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        lines = dict(line.split(": ", 1) if ": " in line else line.split(" = ", 1) for line in done.stdout.splitlines()
                     if ": " in line or " = " in line)
        count = int(lines["number of transactions actually processed"].split("/")[0])
        return {"rate": float(lines["tps"].split()[0]), "cpu_ns": 1e9 * cpu_s / max(count, 1), "count": count}


class DatabaseStayd(Stayd):
    """A stayd on a database of its own in a PostgreSQL; both on the server's cores."""

    def __init__(self, postgres, cores=SERVER_CORES, database="stayd", **settings):
        self.postgres, self.database = postgres, database
        postgres.sql(f"CREATE DATABASE {database} OWNER stayd", "postgres")
        postgres.sql("CREATE EXTENSION pg_stat_statements", database)
        settings = {"fronts": 1, "registration": "open", "connections_per_source_max": 10000, **settings}
        super().__init__(cores, database=postgres.url(database), **settings)

    def seed(self, sessions, users=0, **settings):
        """Starts once on the empty database, so that stayd makes its tables, then fills them."""
        self.start()
        until(lambda: self.postgres.sql("SELECT to_regclass('accounts') IS NOT NULL", self.database) == "t",
              "stayd's tables", 20, 0.1)
        self.stop()
        options = [text for key, value in settings.items() for text in (f"--{key.replace('_', '-')}", str(value))]
        return run([os.path.join(BUILD, "bench", "bench_seed"), "--database", self.postgres.url(self.database),
                    "--sessions", str(sessions), "--users", str(users), "--password", PASSWORD, *options])

    def both_pids(self):
        return self.pids() + self.postgres.pids()
