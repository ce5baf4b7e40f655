# SPDX-License-Identifier: Apache-2.0
"""Programs from Debian packages that are unpacked and not installed, because some of them could not
be installed side by side. What was unpacked is kept below build/packages: a second run needs no
network."""

import contextlib
import fcntl
import functools
import glob
import os
import re
import shutil
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.environ.get("POSTERN_PACKAGES", os.path.join(ROOT, "build", "packages"))


class NotToBeHad(Exception):
    """A package is neither in the cache nor to be downloaded."""


def unpack(*packages):
    """The packages and the libraries they want that are not installed, unpacked together; returns
    that directory."""
    return cached("+".join(packages), lambda tree: _unpack(packages, tree))


def cached(name, make):
    """The directory of that name in the cache; when it is not there, make(directory) fills it."""
    target = os.path.join(CACHE, name)
    if os.path.isdir(target):
        return target
    with _locked():
        if not os.path.isdir(target):
            fresh = tempfile.mkdtemp(prefix=".new-", dir=CACHE)
            try:
                os.chmod(fresh, 0o755)
                make(fresh)
                os.rename(fresh, target)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    return target


_lock_depth = 0


@contextlib.contextmanager
def _locked():
    """One process at a time makes things; make() may call cached() again."""
    global _lock_depth
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, ".lock"), "w") as lock:
        if _lock_depth == 0:
            fcntl.flock(lock, fcntl.LOCK_EX)
        _lock_depth += 1
        try:
            yield
        finally:
            _lock_depth -= 1


def _unpack(packages, tree):
    wanted, done = set(packages), set()
    with tempfile.TemporaryDirectory(prefix="deb-") as directory:
        os.chmod(directory, 0o777)  # apt downloads as a user of its own
        while wanted:
            debs = _download(wanted, directory)
            done |= wanted
            for deb in debs:
                subprocess.run(["dpkg", "-x", deb, tree], check=True)
            wanted = {name for deb in debs for name in _missing_libraries(deb)} - done


_failed = set()  # not tried again by this process


def _download(packages, directory):
    """The files of these packages."""
    before = set(os.listdir(directory))
    names = " ".join(sorted(packages))
    if names in _failed:
        raise NotToBeHad("cannot be downloaded here: " + names)
    try:
        subprocess.run(["apt-get", "-q", "download", *sorted(packages)], cwd=directory, check=True,
                       capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError):
        _failed.add(names)
        raise NotToBeHad("cannot be downloaded here: " + names) from None
    return [os.path.join(directory, name) for name in sorted(os.listdir(directory))
            if name not in before]


def _missing_libraries(deb):
    """Libraries of its dependencies for which this system has nothing."""
    depends = subprocess.run(["dpkg-deb", "-f", deb, "Depends"], check=True, capture_output=True,
                             text=True).stdout
    choices = [re.findall(r"(?:^|\|)\s*([a-z0-9.+-]+)", part) for part in depends.split(",")]
    return {names[0] for names in choices
            if names and names[0].startswith("lib") and _installed().isdisjoint(names)}


@functools.lru_cache
def _installed():
    """Names of packages, and those that they provide."""
    shown = subprocess.run(["dpkg-query", "-W", "-f",
                            "${db:Status-Status} ${Package} ${Provides}\n"], check=True,
                           capture_output=True, text=True).stdout
    return {name for line in shown.splitlines() if line.startswith("installed ")
            for name in re.findall(r"[a-z0-9][a-z0-9.+-]+(?= |,|$)", line[len("installed "):])}


def library_path(tree):
    """Where the programs of an unpacked package find their libraries."""
    return ":".join([os.path.join(tree, "usr", "lib", "postfix"),
                     *glob.glob(os.path.join(tree, "usr", "lib", "*-linux-gnu"))])


def postfix_program(name):
    """smtp-source or smtp-sink of the postfix package: its path and its environment."""
    tree = unpack("postfix")
    return (os.path.join(tree, "usr", "sbin", name),
            {**os.environ, "LD_LIBRARY_PATH": library_path(tree)})
