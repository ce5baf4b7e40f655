# SPDX-License-Identifier: Apache-2.0
"""smtpd: who may send to whom. The relay matrix (T32), restriction lists, access tables."""

import re

import pytest

from smtp_wire import OURS, Smtpd

L, H, IP, X = OURS, "mail.example.test", "127.0.0.1", "x.test"
STRANGERS = "192.0.2.0/24"  # mynetworks that the test's client is not in

# Three kinds of server, each of which must refuse: recipients checked, recipients not checked
# (everything below L would be taken), and a relay for r.test.
MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{open} inet n - n - - smtpd -o local_recipient_maps=
127.0.0.1:{relay} inet n - n - - smtpd -o relay_domains=r.test -o local_recipient_maps=
127.0.0.1:{reject} inet n - n - - smtpd
  -o { smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination }
cleanup unix n - n - 0 fake_cleanup
"""
SENDERS = [f"s@{X}", "", f"s@{L}", f"s@{H}", "s@localhost", "s", f"s@[{IP}]"]

# L08 to L33: what stands between < and >.
RECIPIENTS = [
    f"v%{X}@{L}", f"v%{X}@[{IP}]", f"v%{X}@{H}", f'"v@{X}"', f'"v%{X}"', f"v@{X}@{L}",
    f"v@{X}@[{IP}]", f"v@{X}@{H}", f'"v@{X}"@{L}', f'"v@{X}"@[{IP}]', f'"v%{X}"@{L}',
    f"v\\@{X}@{L}", f'"v\\@{X}"@{L}', f"@{L}:v@{X}", f"@[{IP}]:v@{X}", f"@{H},@{L}:v@{X}",
    f"{X}!v", f"{X}!v@{L}", f"{X}!v@[{IP}]", f"{H}!{X}!v", f"{L}!{X}!v@{L}", f"{X}!v%{L}",
    f"v%{X}%{L}@{L}", f"v%{X}", "v@[192.0.2.9]", "v@[IPv6:2001:db8::9]", "v@2130706433",
    f"v@{X}:25", f"v@{X}.", f"v@{L}.@{X}", f"v@.{L}", f"v@{L}..", "v@", f"@{L}",
    f"=?x?q?v=40{X}=3e?=@{X}", f"v@{X}%00@{L}", f"v@{L}(v@{X})",
    f"v@{L},v@{X}", f"v@{X}><u@{L}", f"u@sub.{L}", f"v@{X}", f"v@{X.upper()}",
    "v@[127.1]", "v@[0x7f.1]", "v@[2130706433]", "v@[]", "v@[127.0.0.1",
]
RAW = [  # bytes that are no text
    f"RCPT TO:<v@{X}\0@{L}>".encode(), f"RCPT TO:<v@{L}。{X}>".encode(),
    f"RCPT TO:<v@{L[:-1]}ｔ{X}>".encode(), f"RCPT TO:<v@{X}。>".encode(),
    b"RCPT TO:<v\xc0\xae@" + X.encode() + b">",
]
# The same at a server that delivers to the local users it is told of: whatever the name.
LOCAL_ODDITIES = [f'"|cmd"@{L}', f"/tmp/f@{L}", f":include:/etc/passwd@{L}", f"~root@{L}",
                  f'"-oQ/tmp"@{L}', f"=?x?q?v=40{X}=3e?=@{L}",
                  f"=?utf-7?q?v+AEA-{X}?=@{L}", f"=?utf-7?q?v+AEA-{X}?="]


@pytest.fixture(scope="module")
def matrix():
    main = {"mynetworks": STRANGERS, "smtpd_hard_error_limit": "1000000",
            "smtpd_soft_error_limit": "1000000", "recipient_delimiter": "+",
            "mydestination": f"{L}, {H}, localhost"}
    with Smtpd(main=main, master=MASTER, ports=("open", "relay", "reject")) as server:
        yield server


@pytest.mark.parametrize("port", ["smtp", "open", "relay", "reject"])
def test_relay_matrix(matrix, port):
    wrong = []
    with matrix.wire(port) as wire:
        for hello in ("EHLO client.test", "HELO client.test"):
            wire.command(hello)
            for sender in SENDERS:
                wire.command("RSET")
                assert wire.command(f"MAIL FROM:<{sender}>").code == 250
                for recipient in [f"v@{X}"] + RECIPIENTS:
                    answer = wire.command(f"RCPT TO:<{recipient}>")
                    if not 400 <= answer.code <= 599:
                        wrong.append((sender, recipient, str(answer)))
                for command in RAW:
                    answer = wire.command(command)
                    if not 400 <= answer.code <= 599:
                        wrong.append((sender, command, str(answer)))
                assert wrong == []
                assert wire.command("DATA").code == 554
    assert wrong == []
    assert matrix.taken() == []


def test_relay_matrix_with_utf8_declared(matrix):
    with matrix.wire() as wire:
        wire.ehlo()
        assert wire.command(f"MAIL FROM:<s@{X}> SMTPUTF8").code == 250
        for recipient in [f"v@{L}。{X}", f"v@{X}。", f"v@\u200b{X}", f"v@ｘ.test", f"é@{X}"]:
            answer = wire.command(f"RCPT TO:<{recipient}>")
            assert 400 <= answer.code <= 599, (recipient, answer)


def test_newline_in_a_recipient_is_no_command(matrix):
    with matrix.wire() as wire:
        wire.ehlo()
        assert wire.command(f"MAIL FROM:<s@{X}>").code == 250
        wire.send(f"RCPT TO:<v@{L}\nRCPT TO:<v@{X}>\r\n".encode())
        assert [r.code // 100 for r in wire.replies(2)] in ([5, 4], [5, 5])


def test_odd_local_parts_are_only_names(matrix):
    with matrix.wire() as wire:
        wire.ehlo()
        wire.command(f"MAIL FROM:<s@{X}>")
        for recipient in LOCAL_ODDITIES:
            assert wire.command(f"RCPT TO:<{recipient}>").code in (550, 501)


def test_what_is_ours_is_taken(matrix):
    with matrix.wire("relay") as wire:
        wire.ehlo()
        wire.command(f"MAIL FROM:<s@{X}>")
        for recipient in (f"u@{L}", f"U@{L.upper()}", f"u@[{IP}]", f"u+ext@{L}", f'"u"@{L}',
                          "postmaster", "v@r.test", "v@sub.r.test", f"@{X},@y.test:u@{L}"):
            assert wire.command(f"RCPT TO:<{recipient}>").code == 250, recipient
        # A relay host must not be asked to take our word for what stands in a local part.
        answer = wire.command(f"RCPT TO:<v%{X}@r.test>")
        assert str(answer) == f"454 4.7.1 <v%{X}@r.test>: Relay access denied"


def test_texts(matrix):
    with matrix.wire("reject") as wire:
        wire.ehlo()
        wire.command("MAIL FROM:<s@x.test>")
        assert str(wire.command("RCPT TO:<v@x.test>")) == \
            "554 5.7.1 <v@x.test>: Relay access denied"
        assert str(wire.command(f"RCPT TO:<z@{L}>")) == \
            f"550 5.1.1 <z@{L}>: Recipient address rejected: User unknown in local recipient table"
    with matrix.wire("smtp") as wire:
        wire.ehlo()
        wire.command("MAIL FROM:<s@x.test>")
        assert str(wire.command("RCPT TO:<v@x.test>")) == \
            "454 4.7.1 <v@x.test>: Relay access denied"
    matrix.wait_log(r"NOQUEUE: reject: RCPT from localhost\[127\.0\.0\.1\]: 554 5\.7\.1 "
                    r"<v@x\.test>: Relay access denied; from=<s@x\.test> to=<v@x\.test> "
                    r"proto=ESMTP helo=<client\.test>")


def test_mynetworks_may_relay():
    with Smtpd(main={"mynetworks": "127.0.0.0/8"}) as smtpd, smtpd.wire() as wire:
        wire.envelope("s@x.test", "v@x.test")
        assert wire.data(b"x").code == 250


@pytest.mark.parametrize("relay, recipient", [
    ("", ""), ("permit_mynetworks", "permit"), ("permit", "warn_if_reject reject"),
    ("permit, reject_unauth_destination", "permit"),
    ("reject_unlisted_recipient", "check_recipient_access inline:{a=reject}"),
])
def test_a_configuration_that_stops_nobody_does_not_start(relay, recipient):
    main = {"smtpd_relay_restrictions": relay, "smtpd_recipient_restrictions": recipient}
    with Smtpd(main=main, crashes=True) as smtpd:
        wire = smtpd.wire(greeting=False)
        smtpd.wait_log(r"fatal: in parameter smtpd_relay_restrictions or "
                       r"smtpd_recipient_restrictions, specify at least one working instance of")
        wire.close()


def test_a_broken_mynetworks_permits_nobody():
    for broken in ("127.0.0.0/33", "127.0.0.1/8", "hash:/does/not/exist, 127.0.0.1"):
        with Smtpd(main={"mynetworks": broken}) as smtpd, smtpd.wire() as wire:
            wire.ehlo()
            wire.command("MAIL FROM:<s@x.test>")
            assert wire.command("RCPT TO:<v@x.test>").code in (454, 451)


# Restriction lists: the lists, the dialogue and its last reply.

RESTRICTIONS = [
    ({"smtpd_recipient_restrictions": "reject"}, [],
     f"554 5.7.1 <u@{L}>: Recipient address rejected: Access denied"),
    ({"smtpd_recipient_restrictions": "defer"}, [],
     f"450 4.3.2 <u@{L}>: Recipient address rejected: Try again later"),
    ({"smtpd_client_restrictions": "reject"}, [],
     "554 5.7.1 <localhost[127.0.0.1]>: Client host rejected: Access denied"),
    ({"smtpd_helo_restrictions": "reject"}, [],
     "554 5.7.1 <client.test>: Helo command rejected: Access denied"),
    ({"smtpd_sender_restrictions": "reject"}, [],
     "554 5.7.1 <s@x.test>: Sender address rejected: Access denied"),
    ({"smtpd_recipient_restrictions": "permit, reject"}, [], "250 2.1.5 Ok"),
    ({"smtpd_client_restrictions": "permit", "smtpd_sender_restrictions": "reject"}, [],
     "554 5.7.1 <s@x.test>: Sender address rejected: Access denied"),
    ({"smtpd_recipient_restrictions": "permit_mynetworks, reject", "mynetworks": "127.0.0.1"}, [],
     "250 2.1.5 Ok"),
    ({"smtpd_recipient_restrictions": "permit_inet_interfaces, reject"}, [], "250 2.1.5 Ok"),
    ({"smtpd_recipient_restrictions": "permit_sasl_authenticated, reject"}, [],
     f"554 5.7.1 <u@{L}>: Recipient address rejected: Access denied"),
    ({"smtpd_recipient_restrictions": "permit_auth_destination, reject"}, [], "250 2.1.5 Ok"),
    ({"smtpd_recipient_restrictions": "warn_if_reject reject, permit"}, [], "250 2.1.5 Ok"),
    ({"smtpd_sender_restrictions": "defer_if_permit"}, [],
     "450 4.7.0 <s@x.test>: Sender address rejected: defer_if_permit requested"),
    ({"smtpd_sender_restrictions": "defer_if_reject, reject"}, [],
     "450 4.7.0 <s@x.test>: Sender address rejected: defer_if_reject requested"),
    ({"smtpd_helo_restrictions": "reject_invalid_helo_hostname"}, ["EHLO a..b"],
     "501 5.5.2 <a..b>: Helo command rejected: Invalid name"),
    ({"smtpd_helo_restrictions": "reject_non_fqdn_helo_hostname"}, ["EHLO foo"],
     "504 5.5.2 <foo>: Helo command rejected: need fully-qualified hostname"),
    ({"smtpd_helo_restrictions": "reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname"},
     ["EHLO [127.0.0.1]"], "250 2.1.5 Ok"),
    ({"smtpd_helo_restrictions": "reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname"},
     ["EHLO mail.x.test."], "250 2.1.5 Ok"),
    ({"smtpd_helo_restrictions": "reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname"},
     ["EHLO [IPv6:2001:db8::1]"], "250 2.1.5 Ok"),
    ({"smtpd_helo_restrictions": "reject_invalid_helo_hostname"}, ["EHLO a.b.."],
     "501 5.5.2 <a.b..>: Helo command rejected: Invalid name"),
    ({"smtpd_helo_restrictions": "reject_non_fqdn_helo_hostname"}, ["EHLO [127.1]"],
     "501 5.5.2 <[127.1]>: Helo command rejected: invalid ip address"),
    ({"smtpd_sender_restrictions": "reject_non_fqdn_sender"}, ["RSET", "MAIL FROM:<a@b>"],
     "504 5.5.2 <a@b>: Sender address rejected: need fully-qualified address"),
    ({"smtpd_sender_restrictions": "reject_non_fqdn_sender"}, ["RSET", "MAIL FROM:<>"],
     "250 2.1.5 Ok"),
    ({"smtpd_sender_restrictions": "reject_unlisted_sender"}, ["RSET", f"MAIL FROM:<z@{L}>"],
     f"550 5.1.0 <z@{L}>: Sender address rejected: User unknown in local recipient table"),
    ({"smtpd_reject_unlisted_sender": "yes"}, ["RSET", f"MAIL FROM:<z@{L}>"],
     f"550 5.1.0 <z@{L}>: Sender address rejected: User unknown in local recipient table"),
    ({"smtpd_recipient_restrictions": "reject_rbl_client rbl.test, permit"}, [],
     "451 4.3.5 Server configuration error"),
    ({"smtpd_recipient_restrictions": "check_policy_service { unix:x, timeout=1s }, permit"}, [],
     "451 4.3.5 Server configuration error"),
    ({"smtpd_recipient_restrictions": "no_such_thing, permit"}, [],
     "451 4.3.5 Server configuration error"),
    ({"smtpd_recipient_restrictions": "check_recipient_access fail:x, permit"}, [],
     f"451 4.3.0 <u@{L}>: Temporary lookup failure"),
    ({"local_recipient_maps": "fail:x"}, [], f"451 4.3.0 <u@{L}>: Temporary lookup failure"),
    ({"local_recipient_maps": "fail:x", "smtpd_reject_unlisted_recipient": "no"}, [],
     "250 2.1.5 Ok"),
    ({"show_user_unknown_table_name": "no", "local_recipient_maps": "inline:{a=b}"}, [],
     f"550 5.1.1 <u@{L}>: Recipient address rejected: User unknown"),
    ({"smtpd_restriction_classes": "one, two", "one": "two", "two": "reject",
      "smtpd_recipient_restrictions": "check_sender_access inline:{x.test=one}"}, [],
     f"554 5.7.1 <u@{L}>: Recipient address rejected: Access denied"),
    ({"smtpd_restriction_classes": "one", "one": "one",
      "smtpd_recipient_restrictions": "one, permit"}, [], "451 4.3.5 Server configuration error"),
    ({"smtpd_relay_restrictions": "check_recipient_access inline:{example.test=OK}, reject"}, [],
     "250 2.1.5 Ok"),
    ({"smtpd_recipient_restrictions": "reject_multi_recipient_bounce"},
     ["RSET", "MAIL FROM:<>", f"RCPT TO:<w@{L}>"],
     f"550 5.5.3 <u@{L}>: Recipient address rejected: Multi-recipient bounce"),
    ({"smtpd_recipient_restrictions": "reject_plaintext_session"}, [],
     "450 4.7.1 Session encryption is required"),
]


@pytest.mark.parametrize("main, before, expected", RESTRICTIONS, ids=range(len(RESTRICTIONS)))
def test_restrictions(main, before, expected):
    with Smtpd(main={"mynetworks": STRANGERS, **main}) as smtpd, smtpd.wire() as wire:
        wire.commands("EHLO client.test", *(["MAIL FROM:<s@x.test>"] if not before else []))
        for command in before:
            wire.command(command)
        if before and before[-1].startswith("EHLO"):
            wire.command("MAIL FROM:<s@x.test>")
        assert str(wire.command(f"RCPT TO:<u@{L}>")) == expected


# The reply codes are parameters: a code, the rest of main.cf, the dialogue and its last reply.
CODES = [
    ("reject_code", {"smtpd_recipient_restrictions": "reject"}, [f"RCPT TO:<u@{L}>"], 5),
    ("defer_code", {"smtpd_recipient_restrictions": "defer"}, [f"RCPT TO:<u@{L}>"], 4),
    ("access_map_reject_code", {"smtpd_helo_restrictions": "inline:{client.test=REJECT}"},
     [f"RCPT TO:<u@{L}>"], 5),
    ("access_map_defer_code", {"smtpd_helo_restrictions": "inline:{client.test=DEFER}"},
     [f"RCPT TO:<u@{L}>"], 4),
    ("relay_domains_reject_code", {"smtpd_relay_restrictions": "reject_unauth_destination"},
     ["RCPT TO:<v@x.test>"], 5),
    ("relay_domains_reject_code", {"smtpd_relay_restrictions": "reject_unauth_destination"},
     ["RCPT TO:<v@x.test>"], 4),
    ("invalid_hostname_reject_code", {"smtpd_helo_restrictions": "reject_invalid_helo_hostname"},
     ["EHLO a..b", "MAIL FROM:<>", f"RCPT TO:<u@{L}>"], 5),
    ("non_fqdn_reject_code", {"smtpd_sender_restrictions": "reject_non_fqdn_recipient"},
     ["RCPT TO:<u>"], 5),
    ("multi_recipient_bounce_reject_code",
     {"smtpd_recipient_restrictions": "reject_multi_recipient_bounce"},
     ["RSET", "MAIL FROM:<>", f"RCPT TO:<u@{L}>", f"RCPT TO:<w@{L}>"], 5),
    ("plaintext_reject_code", {"smtpd_recipient_restrictions": "reject_plaintext_session"},
     [f"RCPT TO:<u@{L}>"], 5),
    ("unknown_local_recipient_reject_code", {}, [f"RCPT TO:<z@{L}>"], 5),
    ("unknown_local_recipient_reject_code", {}, [f"RCPT TO:<z@{L}>"], 4),
    ("unknown_relay_recipient_reject_code",
     {"relay_domains": "r.test", "relay_recipient_maps": "inline:{a@r.test=x}"},
     ["RCPT TO:<z@r.test>"], 5),
    ("unknown_virtual_alias_reject_code",
     {"virtual_alias_domains": "r.test", "virtual_alias_maps": "inline:{a@r.test=x}"},
     ["RCPT TO:<z@r.test>"], 5),
    ("unknown_virtual_mailbox_reject_code",
     {"virtual_mailbox_domains": "r.test", "virtual_mailbox_maps": "inline:{a@r.test=x}"},
     ["RCPT TO:<z@r.test>"], 5),
]


@pytest.mark.parametrize("name, main, commands, class_", CODES, ids=[f"{c[0]}-{c[3]}" for c in CODES])
def test_reply_codes_are_parameters(name, main, commands, class_):
    code = f"{class_}77"
    with Smtpd(main={"mynetworks": STRANGERS, name: code, **main}) as smtpd, smtpd.wire() as wire:
        wire.commands("EHLO client.test", "MAIL FROM:<s@x.test>")
        answer = wire.commands(*commands)[-1]
        assert answer.code == int(code)
        assert re.match(rf"{class_}\.\d\.\d ", answer.text), answer


def test_other_parameters_of_access_tables():
    main = {"mynetworks": STRANGERS, "smtpd_null_access_lookup_key": "nobody",
            "smtpd_sender_restrictions": "inline:{{nobody=REJECT null} {.up.test=REJECT parent}"
                                         " {up.test=REJECT itself}}",
            "parent_domain_matches_subdomains": ""}
    with Smtpd(main=main) as smtpd, smtpd.wire() as wire:
        wire.ehlo()
        for sender, text in (("", "null"), ("a@sub.up.test", "parent"), ("a@up.test", "itself")):
            wire.commands("RSET", f"MAIL FROM:<{sender}>")
            assert wire.command(f"RCPT TO:<u@{L}>").text.endswith(f"rejected: {text}")


def test_early_refusals():
    """smtpd_delay_reject = no: each list at its own stage."""
    main = {"mynetworks": STRANGERS, "smtpd_delay_reject": "no",
            "smtpd_helo_restrictions": "reject_invalid_helo_hostname",
            "smtpd_helo_required": "yes",
            "smtpd_sender_restrictions": "check_sender_access inline:{bad@x.test=REJECT}"}
    with Smtpd(main=main) as smtpd, smtpd.wire() as wire:
        assert wire.command("EHLO a..b").code == 501
        assert wire.command("EHLO client.test").code == 250
        assert wire.command("EHLO a..b").code == 501
        assert wire.command("MAIL FROM:<good@x.test>").code == 503, "no name is left"
        assert wire.command("EHLO client.test").code == 250
        assert wire.command("MAIL FROM:<bad@x.test>").code == 554
        assert wire.command(f"RCPT TO:<u@{L}>").code == 503
        assert wire.command("MAIL FROM:<good@x.test>").code == 250
    main["smtpd_client_restrictions"] = "reject"
    with Smtpd(main=main) as smtpd, smtpd.wire(greeting=False) as wire:
        assert str(wire.reply()) == \
            "554 5.7.1 <localhost[127.0.0.1]>: Client host rejected: Access denied"
        assert str(wire.command("EHLO client.test")) == \
            "503 5.7.0 Error: access denied for localhost[127.0.0.1]"
        assert wire.command("QUIT").code == 221


# Access tables: the HELO name, and the reply to RCPT TO:<u@L>.
ACTIONS = [
    ("REJECT", "554 5.7.1 <%s>: Helo command rejected: Access denied"),
    ("REJECT go away", "554 5.7.1 <%s>: Helo command rejected: go away"),
    ("REJECT 5.1.2 gone", "554 5.1.2 <%s>: Helo command rejected: gone"),
    ("DEFER", "450 4.7.1 <%s>: Helo command rejected: Access denied"),
    ("555 foo bar", "555 5.7.1 <%s>: Helo command rejected: foo bar"),
    ("450 4.7.9 later", "450 4.7.9 <%s>: Helo command rejected: later"),
    ("550 5.7.2", "550 5.7.2 <%s>: Helo command rejected: Access denied"),
    ("421 bye", "421 4.7.1 <%s>: Helo command rejected: bye"),
    ("521 5.7.1 begone", "521 5.7.1 <%s>: Helo command rejected: begone"),
    ("551", "250 2.1.5 Ok"), ("12345", "250 2.1.5 Ok"), ("OK", "250 2.1.5 Ok"),
    ("RELAY", "250 2.1.5 Ok"), ("dunno", "250 2.1.5 Ok"), ("permit", "250 2.1.5 Ok"),
    ("WARN w", "250 2.1.5 Ok"), ("INFO i", "250 2.1.5 Ok"), ("HOLD no", "250 2.1.5 Ok"),
    ("DISCARD x", "250 2.1.5 Ok"), ("DEFER_IF_REJECT yy", "250 2.1.5 Ok"),
    ("DEFER_IF_PERMIT xx", "450 4.7.1 <%s>: Helo command rejected: xx"),
    ("PREPEND X-A: b", "451 4.3.5 Server configuration error"),
    ("5.7.2", "451 4.3.5 Server configuration error"),
    ("foobar", "451 4.3.5 Server configuration error"),
    ("reject", "554 5.7.1 <%s>: Helo command rejected: Access denied"),
    ("reject_unauth_destination", "250 2.1.5 Ok"),
    ("check_client_access inline:{other=OK}", "451 4.3.5 Server configuration error"),
]


@pytest.fixture(scope="module")
def access():
    table = "".join(f"h{i}.test {action}\n" for i, (action, _) in enumerate(ACTIONS))
    main = {"mynetworks": STRANGERS, "smtpd_hard_error_limit": "1000",
            "smtpd_soft_error_limit": "1000", "recipient_delimiter": "+"}
    keys = ("alice@k.test 551 address\nk.test 551 domain\nalice@ 551 user\n"
            "<> 551 null\nup.test 551 parent\nx+e@k2.test 551 extended\nx@k2.test 551 plain\n")
    with Smtpd(main=main, files={"helo": table, "sender": keys}) as server:
        conf = server.instance.conf
        server.instance.write_config(main={
            "smtpd_helo_restrictions": f"check_helo_access texthash:{conf}/helo",
            "smtpd_sender_restrictions": f"check_sender_access texthash:{conf}/sender"})
        server.instance.reload()
        yield server


@pytest.mark.parametrize("index", range(len(ACTIONS)), ids=[a for a, _ in ACTIONS])
def test_access_actions(access, index):
    action, expected = ACTIONS[index]
    name = f"h{index}.test"
    with access.wire() as wire:
        wire.commands(f"EHLO {name}", "MAIL FROM:<s@x.test>")
        answer = wire.command(f"RCPT TO:<u@{L}>")
        assert str(answer) == expected.replace("%s", name)
        if answer.code in (421, 521):
            assert wire.is_closed()


def test_hold_and_discard(access):
    index = [a for a, _ in ACTIONS].index("HOLD no")
    with access.wire() as wire:
        wire.commands(f"EHLO h{index}.test", "MAIL FROM:<s@x.test>", f"RCPT TO:<u@{L}>")
        assert wire.data(b"x").code == 250
    assert access.taken()[-1]["hold"] == 1
    access.wait_log(rf"NOQUEUE: hold: RCPT from localhost\[127\.0\.0\.1\]: <h{index}\.test>: Helo "
                    rf"command no; from=<s@x\.test> to=<u@{L}> proto=ESMTP helo=<h{index}\.test>")
    before = access.count()
    index = [a for a, _ in ACTIONS].index("DISCARD x")
    with access.wire() as wire:
        wire.commands(f"EHLO h{index}.test", "MAIL FROM:<s@x.test>")
        assert wire.command("RCPT TO:<v@y.test>").code == 250
        assert re.match(r"2\.0\.0 Ok: queued as \w+$", wire.data(b"x").text)
        wire.envelope()
        assert wire.data(b"x").code == 250
    access.wait_log(rf"NOQUEUE: discard: RCPT from localhost\S+: <h{index}\.test>: Helo command x;")
    assert access.count() == before + 1


def test_hold_at_the_end_of_data():
    """Also for a message most of which has been passed on by then."""
    main = {"mynetworks": STRANGERS,
            "smtpd_end_of_data_restrictions": "check_helo_access inline:{h.test=HOLD}"}
    with Smtpd(main=main) as smtpd, smtpd.wire() as wire:
        wire.command("EHLO h.test")
        for size in (1, 4000):
            wire.commands("MAIL FROM:<s@x.test>", f"RCPT TO:<u@{L}>")
            assert wire.data((b"y" * 76 + b"\r\n") * size).code == 250
        smtpd.wait_count(2)
        assert [m["hold"] for m in smtpd.taken()] == [1, 1]


def test_hold_and_discard_need_a_message():
    main = {"mynetworks": STRANGERS, "smtpd_delay_reject": "no",
            "smtpd_helo_restrictions": "inline:{hold.test=HOLD, discard.test=DISCARD}",
            "smtpd_sender_restrictions": "inline:{s@y.test=HOLD}"}
    with Smtpd(main=main) as smtpd, smtpd.wire() as wire:
        for hello in ("hold.test", "discard.test", "client.test"):
            assert wire.command(f"EHLO {hello}").code == 250
            wire.commands("MAIL FROM:<s@x.test>", f"RCPT TO:<u@{L}>")
            assert wire.data(b"x").code == 250
        smtpd.wait_count(3)
        assert [m["hold"] for m in smtpd.taken()] == [0, 0, 0]
        smtpd.wait_log(r"access table inline:\S+ \S+: with smtpd_delay_reject=no, action DISCARD "
                       r"is always skipped in client and HELO restrictions")
        wire.commands("MAIL FROM:<s@y.test>", f"RCPT TO:<u@{L}>")
        assert wire.data(b"x").code == 250
        smtpd.wait_count(4)
        assert sorted(m["hold"] for m in smtpd.taken()) == [0, 0, 0, 1]


@pytest.mark.parametrize("sender, text", [
    ("alice@k.test", "address"), ("ALICE@K.test", "address"), ("bob@k.test", "domain"),
    ("alice@other.test", "user"), ("alice+x@other.test", "user"), ("", "null"),
    ("bob@deep.sub.up.test", "parent"), ("x+e@k2.test", "extended"), ("x+f@k2.test", "plain"),
    ("bob@other.test", None), ("bob@notup.test", None),
])
def test_access_keys(access, sender, text):
    with access.wire() as wire:
        wire.commands("EHLO client.test", f"MAIL FROM:<{sender}>")
        answer = wire.command(f"RCPT TO:<u@{L}>")
        if text:
            assert answer.text == f"5.7.1 <{sender}>: Sender address rejected: {text}"
        else:
            assert answer.code == 250


@pytest.mark.parametrize("key", ["localhost", "127.0.0.1", "127.0.0", "127.0", "127"])
def test_client_keys(key):
    main = {"mynetworks": STRANGERS,
            "smtpd_client_restrictions": "inline:{{%s=REJECT you}}" % key}
    with Smtpd(main=main) as smtpd, smtpd.wire() as wire:
        wire.commands("EHLO client.test", "MAIL FROM:<s@x.test>")
        assert str(wire.command(f"RCPT TO:<u@{L}>")) == \
            "554 5.7.1 <localhost[127.0.0.1]>: Client host rejected: you"


def test_unauth_pipelining_restriction():
    main = {"mynetworks": STRANGERS, "smtpd_forbid_unauth_pipelining": "no",
            "smtpd_data_restrictions": "reject_unauth_pipelining"}
    with Smtpd(main=main) as smtpd, smtpd.wire() as wire:
        wire.envelope()
        wire.send(b"DATA\r\nhi\r\n.\r\n")
        assert str(wire.reply()) == \
            "503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining"
        smtpd.wait_log(r"improper command pipelining after DATA from localhost\S+: hi\\r\\n\.\\r\\n")


def test_reload_keeps_sessions():
    instance_main = {"mynetworks": STRANGERS}
    with Smtpd(main=instance_main) as smtpd, smtpd.wire() as old:
        old.envelope()
        smtpd.instance.write_config(main={"smtpd_banner": "new"})
        smtpd.instance.reload()
        with smtpd.wire() as new:
            assert new.greeting.text == "new"
        assert old.data(b"x").code == 250
        assert old.command("QUIT").code == 221
