# SPDX-License-Identifier: Apache-2.0
"""A directory in which the programs of a package run as if it were installed and nothing else were:
they find their configuration, spool and users where they were built to look for them. Entering it
takes root and chroot(2), nothing more, so it works in a container as well."""

import glob
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading

from packages import NotToBeHad, cached, library_path, unpack
from postern import DEADLINE, poll_until

BASIC = ["/bin/sh", "/bin/cat", "/bin/mkdir", "/bin/mv"]  # what packages' scripts expect to find
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC"}


def template(*packages):
    """The packages with all libraries that their programs need, kept in the cache."""
    return cached("root-" + "+".join(packages), lambda root: _make(packages, root))


def _make(packages, root):
    tree = unpack(*packages)
    subprocess.run(["cp", "-a", tree + "/.", root], check=True)
    for link, target in LINKS.items():
        path = os.path.join(root, link)
        os.makedirs(os.path.join(root, target), exist_ok=True)
        if os.path.isdir(path):  # a package that still has files there
            subprocess.run(["cp", "-a", path + "/.", os.path.join(root, target)], check=True)
            shutil.rmtree(path)
        os.symlink(target, path)
    for program in BASIC:
        _copy(program, root)
    for library in _needed(root):
        _copy(library, root)


def _copy(path, root):
    target = root + os.path.realpath(os.path.dirname(path))
    os.makedirs(target, exist_ok=True)
    shutil.copy(path, target)


def _needed(root):
    """Libraries of this system that the programs below root are linked to."""
    programs = []
    for top, _, names in os.walk(root):
        for path in (os.path.join(top, name) for name in names):
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as f:
                    if f.read(4) == b"\x7fELF":
                        programs.append(path)
    listed = subprocess.run(["ldd", *programs], check=False, capture_output=True, text=True,
                            env={**os.environ, "LD_LIBRARY_PATH": library_path(root)}).stdout
    found = set(re.findall(r"(?:=> |^\t)(/\S+) \(0x", listed, re.M))
    return {path for path in found if not path.startswith(root)}


class PrivateRoot:
    """
    packages  what is unpacked into it
    users     {name: uid} beside those of every Debian system; each has a group of its name
    """

    def __init__(self, packages, users):
        self.dir = tempfile.mkdtemp(prefix="pr-")
        os.chmod(self.dir, 0o755)
        self.processes = []
        self._writes = 0
        self.users = users
        source = template(*packages)
        if subprocess.run(["cp", "-al", source + "/.", self.dir], check=False,
                          capture_output=True).returncode != 0:  # another file system
            subprocess.run(["cp", "-a", source + "/.", self.dir], check=True)
        for name in ("dev", "etc", "run", "tmp", "var/lib", "var/log", "var/mail", "var/spool"):
            os.makedirs(self.path(name), exist_ok=True)
        os.chmod(self.path("tmp"), 0o1777)
        os.chmod(self.path("dev"), 0o755)
        if not os.path.exists(self.path("var/run")):
            os.symlink("/run", self.path("var/run"))
        self._make_devices()
        self._write_system_files()
        self._listen_for_syslog()

    def _make_devices(self):
        for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
            path = self.path("dev", name)
            try:
                os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
                open(path, "rb").close()
            except PermissionError as e:
                shutil.rmtree(self.dir)
                raise NotToBeHad(f"no private root for a server can be made here: {e}") from None
            os.chmod(path, 0o666)

    def _write_system_files(self):
        passwd = ["root:x:0:0::/:/bin/sh", "daemon:x:1:1::/:/bin/sh",
                  "mail:x:8:8::/var/mail:/bin/sh", "nobody:x:65534:65534::/:/bin/sh"]
        group = ["root:x:0:", "daemon:x:1:", "mail:x:8:", "nogroup:x:65534:"]
        for name, uid in self.users.items():
            passwd.append(f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh")
            group.append(f"{name}:x:{uid}:")
        self.write("etc/passwd", "".join(line + "\n" for line in passwd))
        self.write("etc/group", "".join(line + "\n" for line in group))
        self.write("etc/hosts", "127.0.0.1 localhost\n")
        self.write("etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self.write("etc/services", "smtp 25/tcp\n")
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")

    def _listen_for_syslog(self):
        """What the programs say to syslog is in log()."""
        self._syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._syslog.bind(self.path("dev/log"))
        os.chmod(self.path("dev/log"), 0o666)
        self._said = []

        def listen():
            while line := self._syslog.recv(8192):
                self._said.append(line.decode("utf-8", "replace").rstrip("\n\0"))

        threading.Thread(target=listen, daemon=True).start()

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text, mode=0o644):
        # Never into a file that is shared with the cache.
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        # Long ago, for Postfix waits while its file is fresh, but later than the one before.
        self._writes += 1
        os.utime(path, (self._writes, self._writes))

    def make_dir(self, name, user="root", group=None, mode=0o755):
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        os.chown(path, self.users.get(user, 0), self.users.get(group or user, 0))
        os.chmod(path, mode)

    # Programs

    def _command(self, argv):
        return ["chroot", self.dir, *argv]

    def run(self, *argv, check=True, input=None):
        done = subprocess.run(self._command(argv), input=input, capture_output=True, text=True,
                              env=ENVIRONMENT, timeout=60, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
        return done

    def start(self, *argv):
        """Starts a program that stays in the foreground; it ends in close()."""
        with open(self.path("tmp", "output"), "ab") as output:
            process = subprocess.Popen(self._command(argv), env=ENVIRONMENT, stdout=output,
                                       stderr=output, stdin=subprocess.DEVNULL,
                                       start_new_session=True)
        self.processes.append(process)
        return process

    def stop(self):
        """Ends what start() started, with all their children."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []
        for pid in self.inhabitants():
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        try:
            poll_until(lambda: not self.inhabitants(), "the end of processes", 5)
        except AssertionError:
            for pid in self.inhabitants():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def inhabitants(self):
        """Processes that run in this directory as their root."""
        found = []
        for link in glob.glob("/proc/[0-9]*/root"):
            try:
                root = os.readlink(link)
            except OSError:
                continue
            if root == self.dir or root.startswith(self.dir + "/"):
                found.append(int(link.split("/")[2]))
        return found

    def log(self):
        """All that the programs have said: to syslog, their output, and files in var/log."""
        text = list(self._said)
        for path in [self.path("tmp/output"), *glob.glob(self.path("var/log/**"), recursive=True)]:
            if os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    text.append(f.read())
        return "\n".join(text)

    def wait_log(self, pattern, deadline=None):
        regex = re.compile(pattern)
        try:
            return poll_until(lambda: regex.search(self.log()), f"/{pattern}/ in the peer's log",
                              deadline)
        except AssertionError as e:
            raise AssertionError(f"{e}; the peer's log ends:\n{self.log()[-4000:]}") from None

    def wait_port(self, port):
        def answers():
            for process in self.processes:
                if process.poll() is not None:
                    raise AssertionError("the peer ended: " + self.log()[-4000:])
            try:
                with socket.create_connection(("127.0.0.1", port), DEADLINE) as s:
                    return s.recv(4).startswith(b"220")
            except OSError:
                return False
        try:
            poll_until(answers, f"a greeting at port {port}")
        except AssertionError as e:
            raise AssertionError(f"{e}; the peer's log ends:\n{self.log()[-4000:]}") from None

    def close(self):
        self.stop()
        self._syslog.shutdown(socket.SHUT_RDWR)
        if not os.environ.get("POSTERN_TEST_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)
