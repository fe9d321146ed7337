# SPDX-License-Identifier: ISC
"""The servers that bench/run measures: a whole stayd in a temporary folder, and Debian's nginx beside it."""
import http.client
import os
import re
import shutil
import signal

from machine import (BUILD, SERVER_CORES, family_of, free_port, name_of, read, remove_folder, resident_shared_bytes,
                     run, start, stop, temporary_folder, until)

PASSWORD = "correct horse battery staple"


def get(port, path, headers=None, timeout_s=5):
    """(status, list of headers, body); None while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    except OSError:
        return None
    finally:
        connection.close()


class Stayd:
    """One stayd. settings: keys of the configuration over the bench's own."""

    def __init__(self, cores=None, **settings):
        self.cores = cores
        self.folder = temporary_folder()
        self.port, self.ops_port = free_port(), free_port()
        self.config = os.path.join(self.folder, "stayd.conf")
        self.log = os.path.join(self.folder, "log")
        self.data = os.path.join(self.folder, "data")
        self.program = None
        keys = {"public_url": f"http://127.0.0.1:{self.port}", "listen": f"127.0.0.1:{self.port}",
                "ops_listen": f"127.0.0.1:{self.ops_port}", "data_dir": self.data, **settings}
        with open(self.config, "w", encoding="utf-8") as file:
            file.writelines(f"{key} = {value}\n" for key, value in keys.items())

    def spawn(self):
        self.program = start([os.path.join(BUILD, "bin", "stayd"), "-c", self.config], self.cores, self.log)

    def start(self):
        self.spawn()
        until(self.ready, "stayd ready")
        return self

    def ready(self):
        if self.program.poll() is not None:
            raise RuntimeError(f"stayd ended with {self.program.returncode}:\n{read(self.log)[-3000:]}")
        answer = get(self.port, "/readyz")
        return answer is not None and answer[0] == 200

    def stop(self, how=signal.SIGTERM):
        if self.program is not None:
            stop(self.program, how)
        self.program = None

    def remove(self):
        self.stop(signal.SIGKILL)
        remove_folder(self.folder)

    def pids(self):
        return family_of(self.program.pid)

    def children(self, name):
        return [pid for pid in self.pids() if name_of(pid) == name]

    def seed(self, sessions, users=0, **settings):
        """Starts once on the empty folder, so that all is made and owned as it should be, then fills it."""
        self.start()
        self.stop()
        options = [text for key, value in settings.items() for text in (f"--{key.replace('_', '-')}", str(value))]
        return run([os.path.join(BUILD, "bench", "bench_seed"), "--file",
                    os.path.join(self.data, "store", "stayd.db"), "--sessions", str(sessions), "--users", str(users),
                    "--password", PASSWORD, *options])

    def metric(self, pattern):
        """The sum of the samples whose name and labels match."""
        answer = get(self.ops_port, "/metrics")
        if answer is None:
            return 0.0
        found = re.findall(rf"^(?:\w*{pattern}) (\S+)", answer[2].decode(), re.M)
        return sum(float(value) for value in found)

    def live(self):
        return int(self.metric(r"sessions_live(?:\{[^}]*\})?"))

    def warm(self, sessions, timeout_s):
        """Waits until so many sessions are in the tables."""
        until(lambda: self.live() >= sessions, f"{sessions} sessions in the tables", timeout_s, 0.1)

    def table_bytes(self):
        """Resident bytes of both shared tables."""
        core = self.children("stayd-core")[0]
        return resident_shared_bytes(core, "sessions") + resident_shared_bytes(core, "accounts")


class Nginx:
    """One worker on the server's core that answers 200 with these headers."""

    def __init__(self, headers):
        self.folder = temporary_folder()
        self.port = free_port()
        config = os.path.join(self.folder, "nginx.conf")
        added = "\n".join(f'add_header {name} "{value}" always;' for name, value in headers)
        places = "\n".join(f"{kind}_temp_path {self.folder}/{kind};"
                           for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"""{"user www-data;" if os.getuid() == 0 else ""}
daemon off; worker_processes 1; pid {self.folder}/pid; error_log stderr error;
events {{ worker_connections 4096; multi_accept on; use epoll; }}
http {{
    access_log off; server_tokens off; default_type ""; keepalive_requests 1000000000; keepalive_timeout 1h;
    {places}
    server {{
        listen 127.0.0.1:{self.port};
        location = /auth/check {{ {added} return 200; }}
    }}
}}
""")
        command = shutil.which("nginx") or "/usr/sbin/nginx"
        self.program = start([command, "-p", self.folder, "-c", config, "-e", "stderr"], SERVER_CORES,
                             os.path.join(self.folder, "log"))
        until(lambda: get(self.port, "/auth/check"), "nginx listening")

    def pids(self):
        return family_of(self.program.pid)

    def stop(self):
        stop(self.program)
        remove_folder(self.folder)
