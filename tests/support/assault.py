# SPDX-License-Identifier: Apache-2.0
"""Run as some user against UNIX sockets: everything that a protocol does not foresee.

    python3 -c "$(cat assault.py)" FLOOD < {"path": is_expected_to_listen, ...}

Prints {path: {act: what became of it}}: "denied" by the kernel, "closed" by the other side, or
"open". An answer counts as open.
"""

import concurrent.futures
import errno
import json
import os
import random
import resource
import socket
import sys

GLANCE, PATIENCE = 0.3, 10
FLOOD = int(sys.argv[1])


def connected(path, kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_UNIX, kind)
    s.settimeout(PATIENCE)
    s.connect(path)
    return s


def fate(s, patience):
    s.settimeout(patience)
    try:
        while s.recv(65536):
            pass
        return "closed"
    except ConnectionError:
        return "closed"
    except TimeoutError:
        return "open"


def say(path, data, patience=PATIENCE):
    with connected(path) as s:
        try:
            s.sendall(data)
        except ConnectionError:
            return "closed"
        return fate(s, patience)


def descriptors(path, kind=socket.SOCK_STREAM):
    with connected(path, kind) as s, open(os.devnull, "rb") as null:
        try:
            socket.send_fds(s, [b"\0"], [null.fileno()] * 250)
        except ConnectionError:
            return "closed"
        return fate(s, PATIENCE) if kind == socket.SOCK_STREAM else "sent"


def flood(path):
    """As many connections as descriptors, again and again; none says a whole word."""
    crowd, refused = [], 0
    for n in range(FLOOD):
        s = socket.socket(socket.AF_UNIX)
        s.setblocking(False)
        try:
            s.connect(path)
        except BlockingIOError:  # the backlog is full
            refused += 1
        if n % 3 == 0:
            try:
                s.send(b"\0\0\1\0m\0")
            except OSError:
                pass
        crowd.append(s)
        if len(crowd) == 200:
            for old in crowd:
                old.close()
            crowd = []
    for s in crowd:
        s.close()
    return "refused" if refused == FLOOD else "flooded"


def assault(path, listens):
    half = b"\0\0\2\0m\0\x0esubmit/1.begin"
    return {
        "silence": say(path, b"", GLANCE if listens else PATIENCE),
        "random": say(path, b"\xff" + random.Random(49).randbytes(5000)),
        "huge length": say(path, b"\xff\xff\xff\xffm"),
        "huge data": say(path, b"\x7f\xff\xff\xffd" + bytes(1000)),
        "length zero": say(path, b"\0\0\0\0m"),
        "half a message": say(path, half, GLANCE if listens else PATIENCE),
        "not a message": say(path, b"\0\0\0\x0bm\0\x03x/1\0\0\0\0\xff"),
        "text": say(path, b"EHLO x\r\nMAIL FROM:<>\r\n"),
        "descriptors": descriptors(path),
        "flood": flood(path),
    }


def datagrams(path):
    with connected(path, socket.SOCK_DGRAM) as s:
        for size in (1, 100, 5000, 60000):
            s.send(random.Random(size).randbytes(size))
    return {"descriptors": descriptors(path, socket.SOCK_DGRAM)}


def attack(path, listens):
    try:
        return assault(path, listens)
    except PermissionError:
        return {"silence": "denied"}
    except OSError as e:
        if e.errno != errno.EPROTOTYPE:
            raise
        return datagrams(path)


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    questions = json.load(sys.stdin)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        fates = pool.map(attack, questions.keys(), questions.values())
        json.dump(dict(zip(questions, fates)), sys.stdout)


main()
