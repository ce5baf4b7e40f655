# SPDX-License-Identifier: Apache-2.0
"""Which servers the SMTP client tries: DNS, preferences, lists, fallback, and itself."""

import contextlib
import os
import re
import socket

import pytest

from delivery_agent import deliver
from mail_server import CLOSE, MailServer, lonely_address
from postern import free_port
from test_smtp_client import AGENTS

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs a port below 1024")


@pytest.fixture(name="suite")
def make_suite(postern_instance):
    return lambda dns=None, **main: postern_instance(main=main, master=AGENTS, dns=dns).start()


class Servers(contextlib.ExitStack):
    """Servers on one port of several loopback addresses: servers[2] is that of 127.0.0.2."""

    def __init__(self, *numbers, port=None, **replies):
        super().__init__()
        self.port = port or free_port()
        self.all = {n: self.enter_context(MailServer(
            replies.get(f"at{n}"), address=f"127.0.0.{n}", port=self.port)) for n in numbers}

    def __getitem__(self, number):
        return self.all[number]

    def visited(self):
        return {n for n, server in self.all.items() if server.sessions}


def mx(*records):
    """MX records "10 2 3": preference, and the numbers of the host's addresses."""
    zone = {"example.test": []}
    for record in records:
        preference, *numbers = record.split()
        host = f"mx{''.join(numbers)}.example.test"
        zone["example.test"].append(f"MX {preference} {host}")
        if numbers:
            zone[host] = [f"A 127.0.0.{n}" for n in numbers]
    return zone


def send(postern, nexthop, service="smtp", **fields):
    outcome, = deliver(postern, service, nexthop, **fields)
    return outcome


def test_best_preference_first(suite):
    with Servers(2, 3, 4) as servers:
        outcome = send(suite(mx("30 4", "10 2", "20 3")), f"example.test:{servers.port}")
        assert outcome.result == "sent"
        assert outcome.relay == f"mx2.example.test[127.0.0.2]:{servers.port}"
        assert servers.visited() == {2}


@pytest.mark.parametrize("trouble", ["421 4.3.2 busy", "554 5.3.2 no", CLOSE])
def test_next_server_when_one_does_not_talk(suite, trouble):
    with Servers(2, 3, at2={"banner": trouble}) as servers:
        postern = suite(mx("10 2", "20 3"))
        assert send(postern, f"example.test:{servers.port}").relay.startswith("mx3.")
        postern.wait_log(r"/smtp\[\d+\]: \w+: (host|lost connection with) mx2\.example\.test\[127")


def test_next_server_when_one_is_not_there(suite):
    with Servers(3) as servers:
        postern = suite(mx("10 2", "20 3"))
        assert send(postern, f"example.test:{servers.port}").relay.startswith("mx3.")
        postern.wait_log(r": connect to mx2\.example\.test\[127\.0\.0\.2\]:\d+: Connection refused")


def test_each_recipient_goes_where_it_is_taken(suite):
    """4xx at RCPT is another server's chance, 5xx and 2xx are the last word."""
    def rcpt(session, argument):
        return {"a": "450 4.2.1 later", "b": "550 5.1.1 no"}.get(argument[4])

    with Servers(2, 3, at2={"RCPT": rcpt}) as servers:
        a, b, c = deliver(suite(mx("10 2", "20 3")), "smtp", f"example.test:{servers.port}",
                          ["a@example.test", "b@example.test", "c@example.test"])
        assert a.relay.startswith("mx3.") and a.result == "sent"
        assert b.relay.startswith("mx2.") and b.result == "bounced"
        assert c.relay.startswith("mx2.") and c.result == "sent"
        assert servers[3].messages[0].recipients == ["TO:<a@example.test>"]


def test_last_word_when_no_server_takes_it(suite):
    with Servers(2, 3, at2={"MAIL": "451 4.3.0 first"}, at3={"MAIL": "452 4.3.1 second"}) as servers:
        outcome = send(suite(mx("10 2", "20 3")), f"example.test:{servers.port}")
        assert (outcome.result, outcome.dsn) == ("deferred", "4.3.1")
        assert "second" in outcome.text and outcome.relay.startswith("mx3.")
        assert not outcome.destination_failed


def test_5xx_is_not_shopped_around(suite):
    with Servers(2, 3, at2={"MAIL": "550 5.7.1 no"}) as servers:
        assert send(suite(mx("10 2", "20 3")), f"example.test:{servers.port}").result == "bounced"
        assert servers.visited() == {2}


def test_unknown_outcome_is_not_tried_elsewhere(suite):
    """The server may have taken the message: the next attempt is not now."""
    with Servers(2, 3, at2={"dot": CLOSE}) as servers:
        outcome = send(suite(mx("10 2", "20 3")), f"example.test:{servers.port}")
        assert outcome.result == "deferred" and "more than once" in outcome.text
        assert servers.visited() == {2}


def test_equals_share_the_load(suite):
    with Servers(2, 3, 4) as servers:
        postern = suite(mx("10 2", "10 3", "10 4"), smtp_connection_cache_on_demand="no")
        for _ in range(60):
            assert send(postern, f"example.test:{servers.port}").result == "sent"
        counts = [len(servers[n].messages) for n in (2, 3, 4)]
        assert min(counts) >= 5, counts


def test_equals_in_order_when_not_randomized(suite):
    with Servers(2, 3) as servers:
        postern = suite(mx("10 2", "10 3"), smtp_randomize_addresses="no",
                        smtp_connection_cache_on_demand="no")
        for _ in range(10):
            send(postern, f"example.test:{servers.port}")
        assert len(servers.visited()) == 1


@pytest.mark.parametrize("main,expected", [
    ({}, {2, 3}), ({"smtp_mx_session_limit": "0"}, {2, 3, 4, 5}),
    ({"smtp_mx_session_limit": "3"}, {2, 3, 4}),
    ({"smtp_mx_session_limit": "0", "smtp_mx_address_limit": "3"}, {2, 3, 4})])
def test_limits(suite, main, expected):
    later = {"MAIL": "451 4.3.0 later"}
    with Servers(2, 3, 4, 5, at2=later, at3=later, at4=later, at5=later) as servers:
        outcome = send(suite(mx("10 2", "20 3", "30 4", "40 5"), **main),
                       f"example.test:{servers.port}")
        assert outcome.result == "deferred"
        assert servers.visited() == expected


@pytest.mark.parametrize("preference,family", [("ipv6", "::1"), ("ipv4", "127.0.0.1")])
def test_address_preference(suite, preference, family):
    port = free_port()
    with MailServer(address="::1", port=port), MailServer(port=port):
        postern = suite({"example.test": ["A 127.0.0.1", "AAAA ::1"]}, inet_protocols="all",
                        smtp_address_preference=preference)
        assert send(postern, f"[example.test]:{port}").relay == f"example.test[{family}]:{port}"


def test_inet_protocols(suite):
    port = free_port()
    with MailServer(address="::1", port=port), MailServer(port=port):
        zone = {"example.test": ["A 127.0.0.1", "AAAA ::1"]}
        for protocols, family in (("ipv4", "127.0.0.1"), ("ipv6", "::1")):
            postern = suite(zone, inet_protocols=protocols, inet_interfaces="loopback-only",
                            smtp_address_preference="ipv6" if protocols == "ipv4" else "ipv4")
            assert send(postern, f"[example.test]:{port}").relay == f"example.test[{family}]:{port}"


def test_balance_of_protocols(suite):
    """All IPv6 addresses are dead, and more than the limit; IPv4 gets its chance."""
    with Servers(2) as servers:
        zone = {"example.test": ["A 127.0.0.2", *(f"AAAA ::ffff:127.0.9.{i}" for i in range(9))]}
        main = {"inet_protocols": "all", "smtp_randomize_addresses": "no"}
        assert send(suite(zone, **main), f"[example.test]:{servers.port}").result == "sent"
        outcome = send(suite(zone, smtp_balance_inet_protocols="no", **main),
                       f"[example.test]:{servers.port}")
        assert outcome.result == "deferred"


# Domains and hosts


def test_domain_without_mx(suite):
    with Servers(2) as servers:
        outcome = send(suite({"example.test": ["A 127.0.0.2"]}), f"example.test:{servers.port}")
        assert outcome.relay == f"example.test[127.0.0.2]:{servers.port}"


def test_brackets_mean_no_mx(suite):
    zone = {"example.test": ["MX 10 mx.test", "A 127.0.0.2"], "mx.test": ["A 127.0.0.3"]}
    with Servers(2, 3) as servers:
        postern = suite(zone)
        assert send(postern, f"[example.test]:{servers.port}").relay.startswith("example.test[")
        assert send(postern, f"example.test:{servers.port}").relay.startswith("mx.test[")


def test_lmtp_has_no_mx(suite):
    zone = {"example.test": ["MX 10 mx.test", "A 127.0.0.2"], "mx.test": ["A 127.0.0.3"]}
    with MailServer(lmtp=True, address="127.0.0.2") as server:
        assert send(suite(zone), f"inet:example.test:{server.port}", "lmtp").result == "sent"


HARD, SOFT = "bounced", "deferred"


@pytest.mark.parametrize("zone,nexthop,result,dsn,text", [
    ({}, "gone.test", HARD, "5.4.4", r"Host or domain name not found\. Name service error for "
                                     r"name=gone\.test type=MX: .*not found"),
    ({}, "[gone.test]", HARD, "5.4.4", r"Host or domain name not found\. Name service error for "
                                       r"name=gone\.test type=\w+: .*"),
    ({"example.test": ["SERVFAIL"]}, "example.test", SOFT, "4.4.3",
     r"Name service error for name=example\.test type=MX: .*"),
    ({"example.test": ["SERVFAIL"]}, "[example.test]", SOFT, "4.4.3", r"Name service error .*"),
    ({"example.test": ["BOGUS"]}, "example.test", SOFT, "4.4.3", r"Name service error .*"),
    ({"example.test": ["MX 0 ."]}, "example.test", HARD, "5.1.10",
     r"Domain example\.test does not accept mail \(nullMX\)"),
    ({"example.test": ["TXT x"]}, "example.test", HARD, "5.4.4", r"Host or domain name not found.*"),
    ({"example.test": ["MX 10 gone.test"]}, "example.test", HARD, "5.4.4",
     r".*name=gone\.test type=\w+: .*"),
    ({"example.test": ["MX 10 gone.test", "MX 20 dead.test"], "dead.test": ["SERVFAIL"]},
     "example.test", SOFT, "4.4.3", r"Name service error for name=dead\.test .*"),
    ({"example.test": ["MX 10 zero.test"], "zero.test": ["A 0.0.0.0", "A 224.0.0.1", "AAAA ff02::1",
                                                         "AAAA ::", "A 255.255.255.255"]},
     "example.test", HARD, "5.4.4", r"no address of example\.test is one that mail can go to"),
    ({}, "bad..name", HARD, "5.4.4", r"bad destination \"bad\.\.name\": .*"),
    ({}, "example.test:nonesuch", HARD, "5.4.4", r"bad destination .*: unknown port"),
])
def test_nothing_to_connect_to(suite, zone, nexthop, result, dsn, text):
    outcome = send(suite(zone, inet_protocols="all"), nexthop)
    assert (outcome.result, outcome.dsn) == (result, dsn), outcome
    assert re.fullmatch(text, outcome.text)
    assert outcome.relay == ""
    assert outcome.destination_failed == (result == SOFT)


def test_forbidden_address_does_not_hide_a_good_one(suite):
    zone = {"example.test": ["MX 10 a.test", "MX 20 b.test"], "a.test": ["A 0.0.0.0"],
            "b.test": ["A 127.0.0.2"]}
    with Servers(2) as servers:
        assert send(suite(zone), f"example.test:{servers.port}").result == "sent"


def test_no_mx_address_may_be_deferred(suite):
    outcome = send(suite({"example.test": ["MX 10 gone.test"]},
                         smtp_defer_if_no_mx_address_found="yes"), "example.test")
    assert (outcome.result, outcome.dsn) == ("deferred", "4.4.4")


def test_failing_mx_lookup_may_be_ignored(suite):
    """The zone of this test has one answer for all types: so both fail, by different names."""
    postern = suite({"example.test": ["SERVFAIL"]}, ignore_mx_lookup_error="yes")
    outcome = send(postern, "example.test")
    assert outcome.result == "deferred" and re.search("type=A+:", outcome.text)


@pytest.mark.parametrize("main", [{"smtp_dns_support_level": "disabled"},
                                  {"disable_dns_lookups": "yes"},
                                  {"smtp_host_lookup": "native"}])
def test_without_dns(suite, main):
    """/etc/hosts knows localhost; the DNS of this test says something else."""
    with MailServer() as server:
        postern = suite({"localhost": ["A 127.0.0.99", "MX 10 mx.test"]}, **main)
        name = "[localhost]" if "smtp_host_lookup" in main else "localhost"
        assert send(postern, f"{name}:{server.port}").relay == (
            f"localhost[127.0.0.1]:{server.port}")


def test_dns_then_native(suite):
    with MailServer() as server:
        postern = suite({}, smtp_host_lookup="dns, native")
        assert send(postern, f"[localhost]:{server.port}").result == "sent"
        outcome = send(postern, f"[gone.test]:{server.port}")
        assert (outcome.result, outcome.dsn) == ("bounced", "5.4.4")


@pytest.mark.parametrize("port", ["smtp_tcp_port", "service"])
def test_port_by_parameter_and_by_name(suite, port):
    with MailServer() as server:
        main = {"known_tcp_ports": f"filter={server.port}"}
        if port == "smtp_tcp_port":
            main["smtp_tcp_port"] = "filter"
        nexthop = "[127.0.0.1]" + (":filter" if port == "service" else "")
        assert send(suite(**main), nexthop).result == "sent"


@needs_root
def test_port_that_the_system_knows(suite):
    address = lonely_address()
    with MailServer(address=address, port=119) as server:
        assert send(suite(), f"[{address}]:nntp").result == "sent"
        assert server.messages


# Lists and fallback


def test_list_of_destinations(suite):
    with Servers(3) as servers:
        postern = suite({"b.test": ["A 127.0.0.3"]})
        outcome = send(postern, f"gone.test, [127.0.0.9]:{servers.port}, b.test:{servers.port}")
        assert outcome.relay == f"b.test[127.0.0.3]:{servers.port}"


@pytest.mark.parametrize("nexthop,main", [
    ("gone.test", {}), ("[127.0.0.9]:{}", {}), ("dead.test", {}), ("[127.0.0.2]:{}", {})])
def test_fallback_relay(suite, nexthop, main):
    with Servers(2, 3, at2={"RCPT": "451 4.3.0 later"}) as servers:
        postern = suite({"dead.test": ["SERVFAIL"]},
                        smtp_fallback_relay=f"[127.0.0.8]:{servers.port}, [127.0.0.3]:{servers.port}",
                        **main)
        outcome = send(postern, nexthop.format(servers.port))
        assert outcome.relay == f"127.0.0.3[127.0.0.3]:{servers.port}"


def test_no_fallback_for_a_message_that_is_refused(suite):
    with Servers(2, 3, at2={"RCPT": "550 5.1.1 no"}) as servers:
        postern = suite(smtp_fallback_relay=f"[127.0.0.3]:{servers.port}")
        assert send(postern, f"[127.0.0.2]:{servers.port}").result == "bounced"
        assert servers.visited() == {2}


# Ourselves


@needs_root
@pytest.mark.parametrize("zone,main", [
    ({"example.test": ["MX 10 me.test"], "me.test": ["A 127.0.0.1"]}, {}),
    ({"example.test": ["MX 10 me.test"], "me.test": ["A 127.55.5.5"]}, {}),
    ({"example.test": ["MX 10 other.test", "MX 10 me.test"], "other.test": ["A 127.0.0.26"],
      "me.test": ["A 192.0.2.7"]}, {"proxy_interfaces": "192.0.2.7"}),
    ({"example.test": ["A 127.0.0.1"]}, {}),
])
def test_mail_that_would_come_back(suite, zone, main):
    outcome = send(suite(zone, **main), "example.test")
    assert (outcome.result, outcome.dsn) == ("bounced", "5.4.6")
    assert outcome.text == "mail for example.test loops back to myself"


@needs_root
def test_backup_mx_asks_only_better_ones(suite):
    """We are the second: not the third, not ourselves, and no fallback relay."""
    zone = {"example.test": ["MX 10 a.test", "MX 20 me.test", "MX 30 c.test"],
            "a.test": ["AAAA 100::26"], "me.test": ["A 192.0.2.7"], "c.test": ["A 192.0.2.8"]}
    with Servers(3) as servers:
        postern = suite(zone, proxy_interfaces="192.0.2.7", smtp_connect_timeout="1s",
                        inet_protocols="all", smtp_fallback_relay=f"[127.0.0.3]:{servers.port}")
        outcome = send(postern, "example.test")
        assert outcome.result == "deferred"
        assert outcome.text.startswith("connect to a.test[100::26]:25: ")
        assert not servers.visited()
        assert "192.0.2." not in postern.log()


def test_other_ports_of_this_host_are_no_loop(suite):
    with MailServer() as server:
        postern = suite({"localhost.test": ["A 127.0.0.1"]})
        assert send(postern, f"localhost.test:{server.port}").result == "sent"
        assert send(postern, f"[127.0.0.1]:{server.port}").result == "sent"


# Time


def test_connect_timeout(suite):
    """A server whose backlog is full never answers."""
    with socket.socket() as s, contextlib.ExitStack() as stack:
        s.bind(("127.0.0.1", 0))
        s.listen(0)
        port = s.getsockname()[1]
        for _ in range(3):
            other = stack.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(("127.0.0.1", port))
        outcome = send(suite(smtp_connect_timeout="1s"), f"[127.0.0.1]:{port}")
        assert (outcome.result, outcome.dsn) == ("deferred", "4.4.1")
        assert outcome.text == f"connect to 127.0.0.1[127.0.0.1]:{port}: Connection timed out"
        assert outcome.destination_failed and outcome.relay == ""
