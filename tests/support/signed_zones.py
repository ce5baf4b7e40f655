# SPDX-License-Identifier: Apache-2.0
"""A real unbound that serves signed zones, for resolvers that forward to it (ldnsutils, unbound)."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from postern import free_port, poll_until

CONFIG = """
server:
    directory: "{directory}"
    chroot: ""
    username: ""
    pidfile: ""
    logfile: "{directory}/log"
    use-syslog: no
    interface: 127.0.0.1@{port}
    access-control: 127.0.0.0/8 allow
    module-config: "iterator"
    do-ip6: no
    local-zone: "test." nodefault
    num-threads: 1
remote-control:
    control-enable: no
"""
AUTH_ZONE = """
auth-zone:
    name: "{name}"
    zonefile: "{directory}/{file}"
    for-downstream: yes
    for-upstream: no
"""


def usable():
    return all(os.path.exists(p) for p in ("/usr/sbin/unbound", "/usr/bin/ldns-signzone"))


class SignedZones:
    """
    zones    {zone: [line, ...]}, lines in the form of zone files; each gets a key and signatures
    plain    the same without
    expired  names of zones whose signatures are of last year
    spoil    {zone: function that changes the text of the signed zone}
    """

    def __init__(self, zones, plain=(), expired=(), spoil=None):
        self.directory = tempfile.mkdtemp(prefix="pt-dns-")
        os.chmod(self.directory, 0o755)
        self.port = free_port()
        self.anchors = os.path.join(self.directory, "anchors")
        config = CONFIG.format(directory=self.directory, port=self.port)
        with open(self.anchors, "w", encoding="ascii") as anchors:
            for zone, lines in zones.items():
                anchors.write(self._sign(zone, lines, zone in expired))
                self._change(zone + ".signed", (spoil or {}).get(zone))
                config += AUTH_ZONE.format(name=zone, directory=self.directory,
                                           file=zone + ".signed")
        for zone, lines in dict(plain).items():
            self._write(zone, lines)
            config += AUTH_ZONE.format(name=zone, directory=self.directory, file=zone)
        with open(os.path.join(self.directory, "conf"), "w", encoding="ascii") as f:
            f.write(config)
        self.process = subprocess.Popen(["/usr/sbin/unbound", "-d", "-c", f.name],
                                        stderr=subprocess.DEVNULL)
        poll_until(self._answers, "unbound to listen")

    @property
    def address(self):
        return f"127.0.0.1@{self.port}"

    def _write(self, zone, lines):
        with open(os.path.join(self.directory, zone), "w", encoding="ascii") as f:
            f.write(f"{zone}. 300 IN SOA ns.{zone}. host.{zone}. 1 3600 600 86400 60\n"
                    f"{zone}. 300 IN NS ns.{zone}.\nns.{zone}. 300 IN A 127.0.0.1\n")
            f.writelines(line + "\n" for line in lines)

    def _run(self, *command):
        return subprocess.run(command, cwd=self.directory, check=True, capture_output=True,
                              text=True, timeout=60).stdout

    def _sign(self, zone, lines, is_expired):
        """The line of the trust anchor."""
        self._write(zone, lines)
        key = self._run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone).strip()
        now = time.time() - (400 if is_expired else 1) * 86400
        dates = [time.strftime("%Y%m%d%H%M%S", time.gmtime(now + days * 86400))
                 for days in (0, 30)]
        self._run("ldns-signzone", "-i", dates[0], "-e", dates[1], zone, key)
        with open(os.path.join(self.directory, key + ".key"), encoding="ascii") as f:
            return re.sub(r";.*", "", f.read()).strip() + "\n"

    def _change(self, name, change):
        path = os.path.join(self.directory, name)
        with open(path, encoding="ascii") as f:
            text = f.read()
        with open(path, "w", encoding="ascii") as f:
            f.write(change(text) if change else text)

    def _answers(self):
        assert self.process.poll() is None, "unbound has ended"
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
