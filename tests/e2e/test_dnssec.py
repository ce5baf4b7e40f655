# SPDX-License-Identifier: Apache-2.0
"""Validation by the resolver, behind a real unbound: secure, insecure and bogus are three things."""

import os
import re
import subprocess

import pytest

from dns_server import DnsServer
from resolving import addresses, ask, ask_all
from signed_zones import SignedZones, usable

pytestmark = pytest.mark.skipif(not usable(), reason="needs the packages unbound and ldnsutils")

SIGNED = ["signed.test. 300 IN MX 10 mx.signed.test.", "mx.signed.test. 300 IN A 192.0.2.1",
          "forged.signed.test. 300 IN A 192.0.2.2", "out.signed.test. 300 IN CNAME mx.plain.test.",
          "alias.signed.test. 300 IN CNAME mx.signed.test.",
          "_25._tcp.mx.signed.test. 300 IN TLSA 3 1 1 00ff"]
PLAIN = {"plain.test": ["mx.plain.test. 300 IN A 192.0.2.3",
                        "in.plain.test. 300 IN CNAME mx.signed.test."]}


def forge(text):
    return text.replace("192.0.2.2", "192.0.2.66")


def strip(text):
    """Without the signatures of one name."""
    return re.sub(r"(?m)^bare\.stripped\.test\.\s+300\s+IN\s+RRSIG\s.*\n", "", text)


@pytest.fixture(name="zones", scope="module")
def make_zones():
    with SignedZones(
            {"signed.test": SIGNED, "old.test": ["www.old.test. 300 IN A 192.0.2.4"],
             "stripped.test": ["bare.stripped.test. 300 IN A 192.0.2.5"]},
            plain=PLAIN, expired={"old.test"},
            spoil={"signed.test": forge, "stripped.test": strip}) as zones:
        yield zones


def validating(postern_instance, zones, **main):
    return postern_instance(main={"resolver_forwarders": zones.address,
                                  "resolver_trust_anchor_file": zones.anchors, **main}).start()


def status(answer):
    return answer["result"], answer["secure"], answer["bogus"]


def test_secure_insecure_and_bogus(postern_instance, zones):
    postern = validating(postern_instance, zones)
    got = ask_all(postern, ("signed.test", "MX"), ("mx.signed.test", "A"),
                  ("_25._tcp.mx.signed.test", "TLSA"), ("alias.signed.test", "A"),
                  ("mx.plain.test", "A"), ("out.signed.test", "A"), ("in.plain.test", "A"),
                  ("forged.signed.test", "A"), ("www.old.test", "A"), ("bare.stripped.test", "A"),
                  ("mx.signed.test", "MX"), ("gone.signed.test", "A"), ("gone.plain.test", "A"))
    secure, insecure = ("found", True, False), ("found", False, False)
    bogus = ("try again", False, True)
    assert {key[0] + " " + key[1]: status(answer) for key, answer in got.items()} == {
        "signed.test MX": secure, "mx.signed.test A": secure, "alias.signed.test A": secure,
        "_25._tcp.mx.signed.test TLSA": secure,
        "mx.plain.test A": insecure,
        # An alias from one world to the other is as good as its weaker part.
        "out.signed.test A": insecure, "in.plain.test A": insecure,
        "forged.signed.test A": bogus, "www.old.test A": bogus, "bare.stripped.test A": bogus,
        "mx.signed.test MX": ("no data", True, False),
        "gone.signed.test A": ("no such name", True, False),
        "gone.plain.test A": ("no such name", False, False)}
    assert got["forged.signed.test", "A"]["records"] == []
    assert "can be validated" not in postern.log()
    assert "DNSSEC validation failed" in got["forged.signed.test", "A"]["why"]


def test_without_trust_anchor_nothing_is_secure(postern_instance, zones):
    postern = validating(postern_instance, zones, resolver_trust_anchor_file="")
    assert status(ask(postern, "mx.signed.test", "A")) == ("found", False, False)
    assert addresses(ask(postern, "forged.signed.test", "A")) == ["192.0.2.66"]


def test_a_missing_trust_anchor_costs_one_line(postern_instance, zones):
    postern = validating(postern_instance, zones, resolver_trust_anchor_file="/nowhere/root.key")
    assert status(ask(postern, "mx.signed.test", "A")) == ("found", False, False)
    assert len(re.findall("warning: resolver_trust_anchor_file /nowhere/root.key: No such file or "
                          "directory: answers are not validated", postern.log())) == 1


def test_forwarders_without_dnssec_are_noticed(postern_instance):
    """All answers are bogus then: the log says so, once, and what to do."""
    with DnsServer({"mx.test": ["A 192.0.2.1"], "": ["NS ns.test"]}) as server:
        postern = postern_instance(main={"resolver_forwarders": server.address}).start()
        for name in ("mx.test", "other.test"):
            assert status(ask(postern, name, "A")) == ("try again", False, True)
        postern.wait_log("warning: no answer of the name servers can be validated, .*"
                         "resolver_trust_anchor_file =")
        assert postern.log().count("can be validated") == 1


@pytest.fixture(name="system")
def make_system(postern_instance, tmp_path):
    """An instance in a system whose resolv.conf names that address."""
    def make(nameserver, **arguments):
        resolv_conf = tmp_path / "resolv.conf"
        resolv_conf.write_text(f"search example.test\nnameserver {nameserver}\n")
        tmp_path.chmod(0o755)
        mount = f'mount --bind {resolv_conf} /etc/resolv.conf && exec "$@"'
        return postern_instance(prefix=("unshare", "-m", "sh", "-c", mount, "sh"),
                                main={"resolver_forwarders": None}, **arguments).start()
    return make


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0,
    reason="needs root to give the instance a resolv.conf of its own")


@needs_root
def test_name_servers_of_the_system_without_dnssec(system):
    """Nobody chose them: they answer, nothing is secure, and one line says so."""
    with DnsServer({"mx.test": ["A 192.0.2.1"], "": ["NS ns.test"]}, port=53,
                   host="127.0.0.77") as server:
        postern = system("127.0.0.77")
        assert status(ask(postern, "mx.test", "A")) == ("found", False, False)
        assert server.asked("mx.test", "A") == 1
        assert status(ask(postern, "gone.test", "A")) == ("no such name", False, False)
        postern.wait_log("the name servers in /etc/resolv.conf do not pass on DNSSEC signatures")
        assert postern.log().count("DNSSEC") == 1


@needs_root
def test_no_name_server_at_all(system):
    """Nobody can tell, and the log stays quiet."""
    postern = system("127.0.0.78")
    assert status(ask(postern, "mx.test", "A", patience=2)) == ("try again", False, False)
    assert not re.findall(r"/resolver\[\d+\]: .*", postern.log())


def test_domains_that_are_not_validated(postern_instance, zones):
    postern = validating(postern_instance, zones, resolver_insecure_domains="forged.signed.test")
    assert status(ask(postern, "forged.signed.test", "A")) == ("found", False, False)
    assert status(ask(postern, "mx.signed.test", "A")) == ("found", True, False)
    assert status(ask(postern, "bare.stripped.test", "A")) == ("try again", False, True)
