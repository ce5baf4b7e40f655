# SPDX-License-Identifier: Apache-2.0
"""Questions to the resolver of an instance, as its own services ask them (tests/support/dnsq.c)."""

import json
import os
import subprocess

from postern import LIBEXEC

DNSQ = os.path.join(LIBEXEC, "dnsq")


def asking(postern, *questions, patience=20):
    """Starts a process that asks all at the same time."""
    asker = subprocess.Popen(
        [DNSQ, os.path.join(postern.queue, "private", "resolver"), str(patience)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=postern.env())
    asker.stdin.write("".join("\t".join(q) + "\n" for q in questions))
    asker.stdin.close()
    asker.stdin = None
    return asker


def answers_of(asker):
    """{(name, type): answer}, in the order of arrival"""
    out, err = asker.communicate(timeout=60)
    assert asker.returncode == 0 and not err, err
    answers = [json.loads(line) for line in out.splitlines()]
    return {(a["asked"], a["type"]): a for a in answers}


def ask_all(postern, *questions, patience=20):
    return answers_of(asking(postern, *questions, patience=patience))


def ask(postern, name, kind, *native, patience=20):
    return ask_all(postern, (name, kind, *native), patience=patience)[name, kind]


def names(answer):
    return sorted(r["name"] for r in answer["records"])


def addresses(answer):
    return sorted(r["address"] for r in answer["records"])
