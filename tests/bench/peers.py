# SPDX-License-Identifier: Apache-2.0
"""The two contestants of the benchmarks, each a private instance below one directory on one disk:
Postern from the release build, Postfix from the Debian package, unpacked and not installed."""

import atexit
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

from packages import library_path, postfix_program, unpack  # noqa: E402, F401

BUILD = os.environ.get("POSTERN_BUILD", os.path.join(ROOT, "build", "release"))
PLACE = os.environ.get("POSTERN_BENCH_PLACE", os.path.join(ROOT, "build", "bench"))
# All that a run writes. It is removed at its end: thousands of files removed just before would
# slow the run down.
RUN = os.path.join(PLACE, f"run-{os.getpid()}")
atexit.register(lambda: [shutil.rmtree(d, ignore_errors=True)
                         for d in glob.glob(os.path.join(PLACE, "run-*"))])

# Accounts that every Debian system has, each with a mailbox of its own in the tests.
READERS = ["games", "man", "lp", "news", "uucp", "proxy", "backup", "list", "irc", "www-data"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def descendants(pid):
    """pid and all processes below it."""
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        for path in glob.glob(f"/proc/{current}/task/*/children"):
            try:
                with open(path) as f:
                    todo += [int(word) for word in f.read().split()]
            except OSError:
                pass
    return found


def pss_kb(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))
        except (OSError, AttributeError):
            pass
    return total


def cpu_seconds(pids):
    """Processor time of these processes and of the children that they have waited for."""
    ticks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as f:
                ticks += sum(int(word) for word in f.read().rsplit(")", 1)[1].split()[11:15])
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


class Peer:
    """Common to both: mailboxes, configuration file, waiting for the port."""

    def __init__(self, main=None):
        for self.home in glob.glob(os.path.join(PLACE, "run-*", self.name)):
            self.stop_leftover()
        self.home = os.path.join(RUN, self.name)
        for part in ("etc", "spool", "data", "mail"):
            os.makedirs(os.path.join(self.home, part))
        os.chmod(os.path.join(self.home, "mail"), 0o1777)
        self.port = free_port()
        self.log = os.path.join(self.home, "log")
        parameters = self.common()
        parameters.update(self.own())
        parameters.update(main or {})
        with open(os.path.join(self.home, "etc", "main.cf"), "w") as f:
            for name, value in parameters.items():
                f.write(f"{name} = {value}\n")
        with open(os.path.join(self.home, "etc", "master.cf"), "w") as f:
            f.write(self.master())
        self.start()
        self.wait_port()

    def common(self):
        return {
            "compatibility_level": "3.6",
            "queue_directory": os.path.join(self.home, "spool"),
            "data_directory": os.path.join(self.home, "data"),
            "maillog_file": self.log,
            "maillog_file_prefixes": self.home,
            "myhostname": "bench.example",
            "mydestination": "bench.example, localhost",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "alias_maps": "",
            "alias_database": "",
            "mail_spool_directory": os.path.join(self.home, "mail") + "/",
            "mail_owner": "daemon",
            "setgid_group": "mail",
            "smtpd_client_connection_count_limit": "0",
        }

    def wait_port(self):
        end = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                    if s.recv(4).startswith(b"220"):
                        return
            except OSError:
                pass
            if time.monotonic() > end:
                sys.exit(f"{self.name} did not answer; see {self.log}")
            time.sleep(0.05)

    def delivered(self):
        """Files in the new/ directories of all mailboxes."""
        return sum(len(os.listdir(d)) for d in
                   glob.glob(os.path.join(self.home, "mail", "*", "new")))

    def memory_kb(self):
        return pss_kb(descendants(self.pid()))

    def cpu_seconds(self):
        return cpu_seconds(descendants(self.pid()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Postern(Peer):
    name = "postern"

    def own(self):
        return {
            "daemon_directory": os.path.join(BUILD, "libexec", "postern"),
            "command_directory": os.path.join(BUILD, "sbin"),
            "mail_user_network": "daemon",
            "mail_user_tables": "daemon",
        }

    def master(self):
        with open(os.path.join(ROOT, "conf", "master.cf")) as f:
            return re.sub(r"(?m)^smtp  *inet ", f"127.0.0.1:{self.port} inet ", f.read())

    def command(self, *args):
        return subprocess.run([os.path.join(BUILD, "sbin", "postern"), "-c",
                               os.path.join(self.home, "etc"), *args], check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop_leftover(self):
        if os.path.exists(os.path.join(self.home, "etc", "main.cf")):
            self.command("abort")

    def start(self):
        if self.command("start").returncode != 0:
            sys.exit(f"postern did not start; see {self.log}")

    def stop(self):
        self.command("stop")

    def pid(self):
        with open(os.path.join(self.home, "spool", "pid", "master.lock")) as f:
            return int(f.read().split()[0])


class Postfix(Peer):
    name = "postfix"

    def __init__(self, main=None):
        self.tree = unpack("postfix")
        self.libraries = os.path.join(self.tree, "usr", "lib", "postfix")
        super().__init__(main)

    def own(self):
        return {
            "daemon_directory": os.path.join(self.libraries, "sbin"),
            "command_directory": os.path.join(self.tree, "usr", "sbin"),
            "shlib_directory": self.libraries,
            "meta_directory": os.path.join(self.tree, "etc", "postfix"),
            "import_environment": "MAIL_CONFIG LD_LIBRARY_PATH TZ",
            "default_process_limit": "1000",
        }

    def master(self):
        with open(os.path.join(self.tree, "usr", "share", "postfix", "master.cf.dist")) as f:
            text = f.read()
        text = re.sub(r"(?m)^smtp( +inet)", rf"127.0.0.1:{self.port}\1", text)
        # Without chroot: the unpacked package has no jail set up.
        text = re.sub(r"(?m)^(\S+ +(?:inet|unix) +\S+ +\S+ +)y( )", r"\1n\2", text)
        return text

    def start(self):
        spool = os.path.join(self.home, "spool")
        os.chown(os.path.join(self.home, "data"), 1, 1)
        for part, mode in (("incoming", 0o700), ("active", 0o700), ("deferred", 0o700),
                           ("bounce", 0o700), ("defer", 0o700), ("corrupt", 0o700),
                           ("flush", 0o700), ("hold", 0o700), ("trace", 0o700),
                           ("saved", 0o700), ("private", 0o700), ("public", 0o2710),
                           ("maildrop", 0o1730), ("pid", 0o755)):
            path = os.path.join(spool, part)
            os.makedirs(path, exist_ok=True)
            if part != "pid":
                os.chown(path, 1, 8 if part in ("public", "maildrop") else 1)
            os.chmod(path, mode)
        self.process = subprocess.Popen(
            [os.path.join(self.libraries, "sbin", "master"), "-c",
             os.path.join(self.home, "etc"), "-d"],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH": library_path(self.tree),
                 "MAIL_CONFIG": os.path.join(self.home, "etc")},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)

    def stop_leftover(self):
        path = os.path.join(self.home, "spool", "pid", "master.pid")
        try:
            with open(path) as f:
                pid = int(f.read().split()[0])
            with open(f"/proc/{pid}/comm") as f:
                if f.read().strip() == "master":
                    os.kill(pid, signal.SIGTERM)
        except (OSError, ValueError, IndexError):
            pass

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def pid(self):
        return self.process.pid


class Sink:
    """smtp-sink, and how many messages it has taken."""

    def __init__(self):
        program, environment = postfix_program("smtp-sink")
        self.port = free_port()
        self.path = os.path.join(RUN, f"sink-{self.port}")
        os.makedirs(RUN, exist_ok=True)
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen(
                [program, "-c", "-u", "daemon", "-m", "1000", f"127.0.0.1:{self.port}", "1000"],
                stdout=out, stderr=subprocess.DEVNULL, env=environment)

    def messages(self):
        with open(self.path, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 200))
            counters = f.read().rsplit(b"mesg=", 1)
        return int(counters[1].split()[0]) if len(counters) == 2 else 0

    def wait(self, count, peer, seconds=900):
        """Until it has taken so many, all told, from this peer."""
        end = time.monotonic() + seconds
        while self.messages() < count:
            if time.monotonic() > end:
                sys.exit(f"{peer.name} did not relay all; see {peer.log}")
            time.sleep(0.005)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def figures(**values):
    """The last line of every benchmark."""
    print(" ".join(f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
                   for name, value in values.items()))
