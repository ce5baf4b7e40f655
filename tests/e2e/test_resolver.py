# SPDX-License-Identifier: Apache-2.0
"""The resolver service: where its answers come from, that "no" and "cannot tell now" are kept
apart, and that a name server which lies or is silent harms only who asks for its names."""

import os
import re
import time

import pytest

from dns_server import DnsServer
from postern import poll_until
from resolving import addresses, answers_of, ask, ask_all, asking, names

FORWARDED = {"resolver_trust_anchor_file": ""}


@pytest.fixture(name="resolving")
def make_resolving(postern_instance):
    """A started instance whose resolver asks a name server with that zone."""
    servers = []

    def make(zone, **main):
        servers.append(DnsServer(zone))
        postern = postern_instance(
            main={"resolver_forwarders": servers[-1].address, **FORWARDED, **main},
            environment={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
                         + ":quarantine_size_mb=1"})
        return postern.start(), servers[-1]

    yield make
    for server in servers:
        server.close()


def test_static_records(postern_instance):
    postern = postern_instance(
        dns={"example.test": ["MX 10 mx.example.test", "MX 20 alias.test", "TXT \"a b\""],
             "mx.example.test": ["A 192.0.2.1", "AAAA 2001:db8::1"],
             "alias.test": ["CNAME mx.example.test"],
             "dead.test": ["SERVFAIL"], "bad.test": ["BOGUS"],
             "signed.test": ["A 192.0.2.7", "SECURE"], "loop.test": ["CNAME loop.test"]})
    # Both ways to give records, together.
    postern.write_config(main={"resolver_static_records": "{ inline.test MX 10 mx.inline.test } "
                               + os.path.join(postern.conf, "dns")})
    postern.start()
    got = ask_all(postern, ("example.test", "MX"), ("example.test", "TXT"), ("EXAMPLE.test.", "A"),
                  ("alias.test", "A"), ("mx.example.test", "AAAA"), ("inline.test", "MX"),
                  ("dead.test", "A"), ("bad.test", "A"), ("signed.test", "A"),
                  ("gone.test", "A"), ("loop.test", "A"), ("b\u00e4d name", "A"))
    assert names(got["example.test", "MX"]) == ["alias.test", "mx.example.test"]
    assert [r["data"] for r in got["example.test", "TXT"]["records"]] == ["a b"]
    assert got["EXAMPLE.test.", "A"]["result"] == "no data"
    assert addresses(got["alias.test", "A"]) == ["192.0.2.1"]
    assert got["alias.test", "A"]["name"] == "mx.example.test"
    assert addresses(got["mx.example.test", "AAAA"]) == ["2001:db8::1"]
    assert names(got["inline.test", "MX"]) == ["mx.inline.test"]
    assert got["dead.test", "A"]["result"] == "try again"
    assert (got["bad.test", "A"]["result"], got["bad.test", "A"]["bogus"]) == ("try again", True)
    assert got["signed.test", "A"]["secure"] and not got["alias.test", "A"]["secure"]
    assert got["gone.test", "A"]["result"] == "no such name"
    assert got["loop.test", "A"]["result"] == "try again"
    assert got["b\u00e4d name", "A"]["result"] == "bad name"


def test_native_lookups_know_the_hosts_file(postern_instance):
    postern = postern_instance().start()
    assert "127.0.0.1" in addresses(ask(postern, "localhost", "any", "native"))
    assert ask(postern, "localhost", "A")["result"] == "no such name"


def test_every_type_by_way_of_a_name_server(resolving):
    postern, _ = resolving({
        "example.test": ["MX 10 mx.example.test", "TXT v=spf1", "NS ns.example.test"],
        "mx.example.test": ["A 192.0.2.1", "AAAA 2001:db8::1"],
        "alias.test": ["CNAME mx.example.test"],
        "_25._tcp.mx.example.test": ["TLSA 3 1 1 00ff"],
        "_smtp._tcp.example.test": ["SRV 1 2 25 mx.example.test"],
        "1.2.0.192.in-addr.arpa": ["PTR mx.example.test"]})
    got = ask_all(postern, ("example.test", "MX"), ("example.test", "TXT"), ("example.test", "NS"),
                  ("alias.test", "A"), ("alias.test", "CNAME"), ("alias.test", "AAAA"),
                  ("_25._tcp.mx.example.test", "TLSA"), ("_smtp._tcp.example.test", "SRV"),
                  ("1.2.0.192.in-addr.arpa", "PTR"))
    record = {key: a["records"][0] for key, a in got.items()}
    assert record["example.test", "MX"]["preference"] == 10
    assert names(got["example.test", "MX"]) == ["mx.example.test"]
    assert record["example.test", "TXT"]["data"] == "v=spf1"
    assert names(got["example.test", "NS"]) == ["ns.example.test"]
    assert addresses(got["alias.test", "A"]) == ["192.0.2.1"]
    assert got["alias.test", "A"]["name"] == "mx.example.test"
    assert addresses(got["alias.test", "AAAA"]) == ["2001:db8::1"]
    assert names(got["alias.test", "CNAME"]) == ["mx.example.test"]
    assert record["_25._tcp.mx.example.test", "TLSA"]["octets"] == "00ff"
    assert record["_smtp._tcp.example.test", "SRV"]["port"] == 25
    assert names(got["1.2.0.192.in-addr.arpa", "PTR"]) == ["mx.example.test"]
    assert 0 < record["example.test", "MX"]["ttl"] <= 300
    assert not any(a["secure"] for a in got.values())


def test_no_is_not_cannot_tell(resolving):
    postern, _ = resolving({"there.test": ["A 192.0.2.1"], "fail.test": ["SERVFAIL"],
                            "refused.test": ["REFUSED"], "garbage.test": ["GARBAGE"]})
    got = ask_all(postern, ("there.test", "MX"), ("gone.test", "MX"), ("fail.test", "MX"),
                  ("refused.test", "MX"), ("garbage.test", "MX"))
    assert {name: a["result"] for (name, _), a in got.items()} == {
        "there.test": "no data", "gone.test": "no such name", "fail.test": "try again",
        "refused.test": "try again", "garbage.test": "try again"}
    assert got["there.test", "MX"]["why"] == "Host found but no data record of requested type"
    assert got["gone.test", "MX"]["why"] == "Host not found"


def test_answers_are_kept_for_all(resolving):
    postern, server = resolving({"a.test": ["A 192.0.2.1"]})
    for _ in range(3):
        assert addresses(ask(postern, "a.test", "A")) == ["192.0.2.1"]
    assert server.asked("a.test", "A") == 1


def test_silence_and_lies_harm_nobody_else(resolving):
    postern, _ = resolving({"silent.test": ["DROP"], "other-id.test": ["WRONG-ID"],
                            "other-name.test": ["WRONG-QUESTION"], "good.test": ["A 192.0.2.1"],
                            "slow.test": ["DELAY 0.5", "A 192.0.2.2"]})
    start = time.monotonic()
    bad = [("silent.test", "A"), ("other-id.test", "A"), ("other-name.test", "A")]
    asker = asking(postern, *bad, ("slow.test", "A"), ("good.test", "A"), patience=3)
    got = answers_of(asker)
    assert addresses(got["good.test", "A"]) == ["192.0.2.1"]
    assert got["good.test", "A"]["seconds"] < 1 and got["slow.test", "A"]["seconds"] < 2
    assert addresses(got["slow.test", "A"]) == ["192.0.2.2"]
    for question in bad:
        assert got[question]["result"] == "try again"
    assert time.monotonic() - start < 10


def test_deadline_of_the_service(resolving):
    """resolver_timeout ends what the client would wait for much longer."""
    postern, _ = resolving({"silent.test": ["DROP"]}, resolver_timeout="1s")
    answer = ask(postern, "silent.test", "A", patience=50)
    assert answer["result"] == "try again"
    assert 0.9 < answer["seconds"] < 10


def test_huge_answers(resolving):
    postern, server = resolving({
        "big.test": [f"MX {i} mx{i}.big.test" for i in range(1000)],
        "cut.test": ["TRUNCATED", "A 192.0.2.1"]}, resolver_cache_size="1048576")
    answer = ask(postern, "big.test", "MX")
    assert len(answer["records"]) == 100
    assert server.asked("big.test", "MX") == 2  # over UDP, then over TCP
    assert addresses(ask(postern, "cut.test", "A")) == ["192.0.2.1"]


def memory_of(pid):
    """Kilobytes in use."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def test_memory_stays_flat(resolving):
    """6000 different answers of a kilobyte each, and a cache of one megabyte."""
    text = " ".join(["x" * 250] * 4)
    postern, _ = resolving({"*.big.test": [f"TXT {text}"]}, resolver_cache_size="1048576")
    names_of = [[(f"n{i}.{j}.big.test", "TXT") for i in range(200)] for j in range(30)]
    used = []
    for questions in names_of:
        assert {a["result"] for a in ask_all(postern, *questions).values()} == {"found"}
        used.append(memory_of(postern.wait_child("resolver")))
    assert used[-1] - used[5] < 3000, used


def test_names_with_odd_bytes_go_nowhere(resolving):
    postern, _ = resolving({
        "lf.test": [r"MX 10 a\012b.test"], "nul.test": [r"MX 10 a\000.test"],
        "dot.test": [r"MX 10 a\056b.test"], "html.test": ["MX 10 <script>.test"],
        "blank.test": [r"PTR a\040b.test"], "at.test": ["PTR a@b.test"],
        "escape.test": [r"CNAME a\033b.test"], "text.test": [r"RAW 16 05 61 0a 62 0d 1b"],
        "mixed.test": [r"MX 10 a\012b.test", "MX 20 good.test"],
        "short.test": ["RAW 15 00"], "long.test": ["RAW 1 01020304 05"]})
    got = ask_all(postern, ("lf.test", "MX"), ("nul.test", "MX"), ("dot.test", "MX"),
                  ("html.test", "MX"), ("blank.test", "PTR"), ("at.test", "PTR"),
                  ("escape.test", "A"), ("text.test", "TXT"), ("mixed.test", "MX"),
                  ("short.test", "MX"), ("long.test", "A"))
    assert [r["data"] for r in got["text.test", "TXT"]["records"]] == ["a?b??"]
    assert names(got["mixed.test", "MX"]) == ["good.test"]
    for key in got.keys() - {("text.test", "TXT"), ("mixed.test", "MX")}:
        assert got[key]["result"] in ("no data", "try again", "no such name"), got[key]
        assert got[key]["records"] == []


def test_aliases(resolving):
    zone = {f"a{i}.test": [f"CNAME a{i + 1}.test"] for i in range(8)}
    loop = {"x.test": ["CNAME y.test"], "y.test": ["CNAME x.test"], "self.test": ["CNAME self.test"]}
    long = {f"l{i}.test": [f"CNAME l{i + 1}.test"] for i in range(40)}
    postern, _ = resolving({**zone, **loop, **long, "a8.test": ["A 192.0.2.8"],
                            "l40.test": ["A 192.0.2.40"]})
    got = ask_all(postern, ("a0.test", "A"), ("x.test", "A"), ("self.test", "A"), ("l0.test", "A"))
    assert addresses(got["a0.test", "A"]) == ["192.0.2.8"]
    assert got["a0.test", "A"]["name"] == "a8.test"
    for name in ("x.test", "self.test", "l0.test"):
        assert got[name, "A"]["result"] == "try again"
        assert got[name, "A"]["seconds"] < 10


def test_more_questions_than_may_be_on_their_way(resolving):
    zone = {f"n{i}.test": ["DELAY 0.2", f"A 192.0.2.{i}"] for i in range(40)}
    postern, _ = resolving(zone, resolver_query_limit="4")
    got = ask_all(postern, *((name, "A") for name in zone))
    assert {a["result"] for a in got.values()} == {"found"}
    assert max(a["seconds"] for a in got.values()) > 1.5  # 40 in rows of 4


def test_a_changed_file_is_read_again(postern_instance):
    postern = postern_instance(dns={"a.test": ["A 192.0.2.1"]}).start()
    assert addresses(ask(postern, "a.test", "A")) == ["192.0.2.1"]
    first = postern.wait_child("resolver")
    postern.set_dns({"a.test": ["A 192.0.2.2"]})
    poll_until(lambda: addresses(ask(postern, "a.test", "A")) == ["192.0.2.2"],
               "the new record")
    assert postern.wait_child("resolver", other_than=[first])
    postern.wait_log(r"resolver\[\d+\]: .*/dns has changed: starting anew")


def test_reload_loses_no_question(resolving):
    postern, _ = resolving({"slow.test": ["DELAY 1", "A 192.0.2.1"]})
    asker = asking(postern, ("slow.test", "A"))
    first = postern.wait_child("resolver")
    postern.reload()
    assert addresses(answers_of(asker)["slow.test", "A"]) == ["192.0.2.1"]
    assert postern.wait_child("resolver", other_than=[first])


def test_killed_resolver(resolving):
    postern, _ = resolving({"slow.test": ["DELAY 0.5", "A 192.0.2.1"]})
    postern.crashes = True
    asker = asking(postern, ("slow.test", "A"))
    first = postern.wait_child("resolver")
    postern.kill(first)
    assert addresses(answers_of(asker)["slow.test", "A"]) == ["192.0.2.1"]
    assert postern.wait_child("resolver", other_than=[first])
