# SPDX-License-Identifier: Apache-2.0
"""A private Postern for one test: its own directory, ports, log and processes.

    with Instance(main={"mydestination": "example.org"}) as postern:
        with smtplib.SMTP("127.0.0.1", postern.port("smtp")) as client:
            client.sendmail("a@example.org", ["b@example.org"], text)
        postern.wait_log(r"status=sent")

Everything waits for events with a deadline; nothing sleeps for a fixed time. close() stops the
instance and fails the test on a sanitizer report, on a line that says a daemon crashed (unless
the test expects it), and on a process that is still there.
"""

import itertools
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("POSTERN_BUILD", os.path.join(ROOT, "build", "asan")))
SBIN = os.path.join(BUILD, "sbin")
LIBEXEC = os.path.join(BUILD, "libexec", "postern")
DEADLINE = float(os.environ.get("POSTERN_TEST_DEADLINE", "30"))

SANITIZER = re.compile(
    r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:"
    r"|detected memory leaks|stack smashing detected|Assertion .* failed"
)
CRASH = re.compile(r"killed by signal|bad command startup|panic:")

# The services of a suite that receives and delivers; {smtp} is the port of that name.
MASTER_CF = """
127.0.0.1:{smtp} inet n - n - - smtpd
pickup  unix n - n 60 1 pickup
cleanup unix n - n -  0 cleanup
qmgr    unix n - n 300 1 qmgr
bounce  unix - - n -  0 bounce
defer   unix - - n -  0 bounce
trace   unix - - n -  0 bounce
showq   unix n - n -  - showq
error   unix - - n -  - error
retry   unix - - n -  - error
discard unix - - n -  - discard
local   unix - n n -  - local
anvil   unix - - n -  1 anvil
"""


def poll_until(condition, what, deadline=None, interval=0.02):
    """Returns the first true value of condition(); fails the test at the deadline."""
    end = time.monotonic() + (DEADLINE if deadline is None else deadline)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("timed out waiting for " + what)
        time.sleep(interval)


# Each worker of a parallel run takes ports of its own, below those that the kernel gives out.
_worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
_range = range(10000 + 2000 * _worker, 12000 + 2000 * _worker)
_ports = itertools.cycle([*_range[os.getpid() % 2000:], *_range[:os.getpid() % 2000]])


def free_port():
    """A loopback port that nobody listens on now and that this run has not given out lately."""
    while True:
        port = next(_ports)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def can_be_another_user():
    return os.geteuid() == 0


class Instance:
    """
    main      parameters for main.cf, over the defaults below; a value of None leaves one out
    master    text of master.cf with {name} for ports; default MASTER_CF
    files     {relative name: text} written into the configuration directory
    ports     names of ports to allocate; "smtp" always is
    user      a user name: the whole instance runs as this user, without root. None: as the
              user who runs the tests (when that is root, with users dropped)
    dns       what the DNS says, {name: [record, ...]}: {"example.org": ["MX 10 mx.example.org"],
              "mx.example.org": ["A 127.0.0.1"], "dead.example": ["SERVFAIL"]}; all other names
              do not exist (resolver/zone.h says what else a record may be). No test asks the
              real DNS: without this no name exists but those in /etc/hosts
    crashes   True: the test kills or crashes daemons, so such log lines are no failure
    prefix    a command that runs the command behind it, such as prlimit
    """

    def __init__(self, main=None, master=None, files=None, ports=(), user=None, crashes=False,
                 environment=None, prefix=(), dns=None):
        self.user = user
        self.crashes = crashes
        self.environment = environment or {}
        self.prefix = list(prefix)
        self.process = None  # of start_fg
        self.closed = False
        self.pids = {}  # every process seen: when it was started, because pids are reused
        self.dir = tempfile.mkdtemp(prefix="pt-")
        os.chmod(self.dir, 0o755)
        self.conf = os.path.join(self.dir, "etc")
        self.queue = os.path.join(self.dir, "q")
        self.data = os.path.join(self.dir, "data")
        self.mail = os.path.join(self.dir, "mail")  # of mailboxes
        self.log_path = os.path.join(self.dir, "log")
        self.stderr_path = os.path.join(self.dir, "stderr")
        self.ports = {name: free_port() for name in ("smtp", *ports)}
        os.mkdir(self.conf, 0o755)
        os.mkdir(self.queue, 0o755)
        os.mkdir(self.mail)
        os.chmod(self.mail, 0o1777)
        open(self.log_path, "w").close()
        open(self.stderr_path, "w").close()
        self.parameters = self._defaults()
        if dns:
            self.set_dns(dns)
        self.parameters.update(main or {})
        self.master_text = MASTER_CF if master is None else master
        for name, text in (files or {}).items():
            self.write(name, text)
        self.write_config()
        if user:
            account = pwd.getpwnam(user)
            for top, directories, names in os.walk(self.dir):
                for name in [top] + [os.path.join(top, n) for n in directories + names]:
                    os.chown(name, account.pw_uid, account.pw_gid)

    def _defaults(self):
        owner = self.user or pwd.getpwuid(os.geteuid()).pw_name
        parameters = {
            "compatibility_level": "3.12",
            "queue_directory": self.queue,
            "data_directory": self.data,
            "daemon_directory": LIBEXEC,
            "command_directory": SBIN,
            "maillog_file": self.log_path,
            "maillog_file_prefixes": self.dir,
            "maillog_file_permissions": "0644",
            "import_environment": "MAIL_CONFIG TZ ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS",
            "myhostname": "mail.example.test",
            "mydomain": "example.test",
            "mydestination": "example.test, localhost",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "mail_spool_directory": self.mail,
            "alias_maps": "",
            "alias_database": "",
            "resolver_forwarders": "static",
        }
        if self.privileged():
            # Accounts of every Debian system; three, so that services are really apart.
            parameters.update({"mail_owner": "daemon", "setgid_group": "daemon",
                               "mail_user_network": "list", "mail_user_tables": "irc"})
        else:
            parameters.update({"mail_owner": owner})
        return parameters

    def privileged(self):
        return os.geteuid() == 0 and not self.user

    # Files

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def port(self, name="smtp"):
        return self.ports[name]

    def write(self, name, text):
        """Daemons that are just starting see the old file or the new one, never half of it."""
        path = os.path.join(self.conf, name)
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.replace(path + ".new", path)

    def write_config(self, main=None, master=None):
        """Writes main.cf and master.cf again, with the given changes kept for the next time."""
        self.parameters.update(main or {})
        if master is not None:
            self.master_text = master
        self.write("main.cf", "".join(
            f"{name} = {value}\n" for name, value in self.parameters.items()
            if value is not None))
        text = self.master_text
        for name, port in self.ports.items():
            text = text.replace("{%s}" % name, str(port))
        self.write("master.cf", text)

    def set_dns(self, dns):
        """What the DNS says from now on; a running resolver takes it in a few seconds."""
        self.write("dns", "".join(f"{name} {record}\n" for name, records in dns.items()
                                  for record in records))
        self.parameters["resolver_static_records"] = os.path.join(self.conf, "dns")

    # Running

    def env(self):
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "MAIL_CONFIG": self.conf}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        env.update(self.environment)
        return env

    def argv(self, command, *arguments):
        program = command if "/" in command else os.path.join(SBIN, command)
        argv = [*self.prefix, program, *arguments]
        if self.user and os.geteuid() == 0:
            account = pwd.getpwnam(self.user)
            argv = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}",
                    "--clear-groups", *argv]
        return argv

    def run(self, command, *arguments, input=None, check=True, timeout=60):
        """Runs a command of the suite; returns the CompletedProcess with text output."""
        done = subprocess.run(self.argv(command, *arguments), input=input, text=True,
                              capture_output=True, env=self.env(), timeout=timeout,
                              cwd=self.dir)
        self._check_text(done.stderr, f"stderr of {command}")
        if check and done.returncode != 0:
            raise AssertionError(f"{command} {' '.join(arguments)} ended with "
                                 f"{done.returncode}: {done.stderr}{done.stdout}\n"
                                 + self.log()[-4000:])
        return done

    def start(self):
        self.run("postern", "start")
        self.note_processes()
        return self

    def start_fg(self, notify_socket=None):
        """Runs master in the foreground, as systemd or a container would; waits for its lock."""
        env = self.env()
        if notify_socket:
            env["NOTIFY_SOCKET"] = notify_socket
        with open(self.stderr_path, "ab") as err, open(self.path("stdout"), "ab") as out:
            self.process = subprocess.Popen(self.argv("postern", "start-fg"), env=env,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            cwd=self.dir)
        poll_until(lambda: self.process.poll() is not None or self.is_running(),
                   "start-fg to come up")
        if self.process.poll() is not None:
            raise AssertionError("start-fg ended: " + self.stderr())
        self.note_processes()
        return self

    def stop(self):
        self.note_processes()
        self.run("postern", "stop")
        self._wait_foreground()

    def abort(self):
        self.note_processes()
        self.run("postern", "abort")
        self._wait_foreground()

    def reload(self):
        self.note_processes()
        before = len(re.findall(r": reload -- version", self.log()))
        self.run("postern", "reload")
        poll_until(lambda: len(re.findall(r": reload -- version", self.log())) > before,
                   "the reload")

    def is_running(self):
        return self.run("postern", "status", check=False).returncode == 0

    def _wait_foreground(self):
        if self.process:
            self.process.wait(timeout=DEADLINE)
            self.process = None

    # Processes

    def master_pid(self):
        with open(os.path.join(self.queue, "pid", "master.lock"), encoding="ascii") as f:
            return int(f.read().split()[0])

    def children(self, program=None):
        """Pids of master's children now, all or those of one program."""
        try:
            master = self.master_pid()
            with open(f"/proc/{master}/task/{master}/children", encoding="ascii") as f:
                pids = [int(p) for p in f.read().split()]
        except (OSError, IndexError, ValueError):
            return []
        for pid in pids:
            self._note(pid)
        if program is None:
            return pids
        return [p for p in pids if self._program(p) == program]

    @staticmethod
    def _program(pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                return os.path.basename(f.read().split(b"\0")[0].decode())
        except OSError:
            return None

    def wait_child(self, program, other_than=()):
        """Waits for a process of the program that is none of the given; returns its pid."""
        return poll_until(lambda: [p for p in self.children(program) if p not in other_than],
                          f"a {program} process")[0]

    def kill(self, pid, signal_number=signal.SIGKILL):
        os.kill(pid, signal_number)

    def note_processes(self):
        try:
            self._note(self.master_pid())
        except (OSError, IndexError, ValueError):
            pass
        self.children()

    @staticmethod
    def _stat(pid):
        """(state, start time) of a process, or None."""
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return fields[0], fields[19]

    def _note(self, pid):
        known = self._stat(pid)
        if known:
            self.pids[pid] = known[1]

    def left_over(self):
        """Processes seen earlier that are still there and not just waiting to be reaped."""
        left = []
        for pid, start in self.pids.items():
            now = self._stat(pid)
            if now and now[0] != "Z" and now[1] == start:
                left.append(pid)
        return left

    # The log

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stderr(self):
        with open(self.stderr_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, count=1, deadline=None):
        """Waits until at least count lines match; returns the last of the first count matches."""
        regex = re.compile(pattern)

        def found():
            matches = list(regex.finditer(self.log()))
            return matches[count - 1] if len(matches) >= count else None

        try:
            return poll_until(found, f"/{pattern}/ in the log", deadline)
        except AssertionError as e:
            raise AssertionError(f"{e}; the log ends:\n{self.log()[-4000:]}") from None

    # Mailboxes

    @staticmethod
    def maildir(path):
        """The messages of a Maildir (new and cur), as bytes, oldest name first."""
        messages = []
        for part in ("new", "cur"):
            directory = os.path.join(path, part)
            if os.path.isdir(directory):
                for name in sorted(os.listdir(directory)):
                    with open(os.path.join(directory, name), "rb") as f:
                        messages.append(f.read())
        return messages

    def wait_maildir(self, path, count=1, deadline=None):
        """Waits until the Maildir holds at least count messages; returns all."""
        try:
            return poll_until(lambda: (lambda m: m if len(m) >= count else None)(
                self.maildir(path)), f"{count} messages in {path}", deadline)
        except AssertionError as e:
            raise AssertionError(f"{e}; the log ends:\n{self.log()[-4000:]}") from None

    def queue_files(self):
        """Names of all queue files (not temporary ones) below the message directories; a message
        in a slot has the name that its file would have. One that is moved may be seen twice."""
        slots = [os.path.join(self.queue, "incoming", i) for i in self.slot_messages()]
        found = []
        for name in ("maildrop", "incoming", "deferred", "hold", "corrupt"):
            for top, _, names in os.walk(os.path.join(self.queue, name)):
                found += [os.path.join(top, n) for n in names]
        found = [f for f in found if self._is_regular(f)]
        return found + [f for f in slots if f not in found]

    def slot_messages(self):
        """id -> the bytes of the slot, for each message in one (docs/queue.md)."""
        found = {}
        directory = os.path.join(self.queue, "slots")
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            with open(os.path.join(directory, name), "rb") as f:
                while slot := f.read(131072):
                    if slot.startswith(b"PosternQ"):
                        found[slot[72:104].rstrip(b"\0").decode()] = slot
        return found

    def queue_bytes(self, path):
        """The queue file itself, of one that queue_files names; may end with something else."""
        if os.path.exists(path):
            with open(path, "rb") as f:
                return f.read()
        return self.slot_messages()[os.path.basename(path)]

    @staticmethod
    def _is_regular(path):
        try:
            return stat.S_ISREG(os.lstat(path).st_mode)
        except FileNotFoundError:  # delivered since it was listed
            return False

    def wait_queue_empty(self, deadline=None):
        poll_until(lambda: not self.queue_files(), "an empty queue", deadline)

    # The end

    def _check_text(self, text, where):
        for line in text.splitlines():
            if SANITIZER.search(line):
                raise AssertionError(f"sanitizer report in {where}:\n{text[-8000:]}")

    def close(self, failed=False):
        if self.closed:
            return
        self.closed = True
        problems = []
        try:
            self.note_processes()
            if self.is_running():
                self.stop()
        except (AssertionError, subprocess.TimeoutExpired) as e:
            problems.append(str(e))
        try:
            poll_until(lambda: not self.left_over(), "processes to end", 10)
        except AssertionError:
            problems.append("processes left over: " + ", ".join(
                f"{p} ({self._program(p)})" for p in self.left_over()))
            for pid in self.left_over():
                os.kill(pid, signal.SIGKILL)
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for text, where in ((self.log(), "the log"), (self.stderr(), "stderr")):
            try:
                self._check_text(text, where)
            except AssertionError as e:
                problems.append(str(e))
            if not self.crashes and CRASH.search(text):
                problems.append(f"a daemon crashed, see {where}:\n{text[-8000:]}")
        if failed or problems:
            sys.stderr.write(f"--- log of {self.dir}\n{self.log()[-20000:]}\n"
                             f"--- stderr\n{self.stderr()[-8000:]}\n")
        if not os.environ.get("POSTERN_TEST_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)
        if problems:
            raise AssertionError("\n".join(problems))

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, traceback):
        if kind is None:
            self.close()
            return
        try:
            self.close(failed=True)
        except AssertionError as e:
            sys.stderr.write(f"{e}\n")
