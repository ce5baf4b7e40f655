# SPDX-License-Identifier: Apache-2.0
"""Makes system calls on the queue and on mailboxes fail in the daemons of an instance, as
fault_shim.c does it.

    faults = Faults(postern)                # before it is started
    postern.start()
    faults.arm("qmgr", kinds=["rename"], places=["deferred"], nth=2, error=errno.EIO)
    ...
    assert faults.fired()
    faults.disarm()
"""

import collections
import mmap
import os
import struct

from postern import LIBEXEC

SHIM = os.path.join(LIBEXEC, "fault_shim.so")
KINDS = ("open create read write sync allocate truncate rename link unlink mkdir lock stat "
         "times readdir close memfd chmod").split()
PLACES = ("elsewhere queue incoming deferred hold corrupt slots maildrop index mailbox message "
          "memory").split()
ACTIONS = ("error", "short", "kill before", "kill after")

HEAD = "<I16sIIIIIIIiIIII"  # struct state of the shim, up to its paths
PATH_ROOM = 256
TRACE_MAX = 16384
CALLED = struct.Struct("13sBBB")
HEAD_SIZE = struct.calcsize(HEAD)
TRACE_AT = HEAD_SIZE + 2 * PATH_ROOM
SIZE = TRACE_AT + TRACE_MAX * CALLED.size
FIRED_AT, CALLED_AT = HEAD_SIZE - 8, HEAD_SIZE - 4

Call = collections.namedtuple("Call", "program kind place is_directory")


def mask(names, all_names):
    return sum(1 << all_names.index(name) for name in (all_names if names is None else names))


class Faults:
    def __init__(self, postern):
        path = postern.path("faults")
        with open(path, "wb") as f:
            f.truncate(SIZE)
        os.chmod(path, 0o666)
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), SIZE)
        paths = struct.pack("256s256s", postern.queue.encode(), postern.mail.encode())
        self.map[HEAD_SIZE:TRACE_AT] = paths
        self.variables = {
            "LD_PRELOAD": SHIM, "FAULT_STATE": path,
            "ASAN_OPTIONS": ":".join(filter(None, (os.environ.get("ASAN_OPTIONS", ""),
                                                   "verify_asan_link_order=0")))}
        kept = [word for word in postern.parameters["import_environment"].split()
                if word not in self.variables]
        postern.write_config(main={"import_environment": " ".join(
            kept + [f"{name}={value}" for name, value in self.variables.items()])})
        self.postern = postern

    def in_tools(self, on=True):
        """Whether commands that the instance runs from here on have the shim, too."""
        for name, value in self.variables.items():
            if on:
                self.postern.environment[name] = value
            else:
                self.postern.environment.pop(name, None)

    def _write(self, armed, program="", kinds=0, places=0, files_only=0, directories_only=0,
               nth=0, lasts=0, action=0, error=0, traces=0):
        self.map[0:4] = struct.pack("<I", 0)
        head = struct.pack(HEAD, armed, program.encode(), kinds, places, files_only,
                           directories_only, nth, lasts, action, error, traces, 0, 0, 0)
        self.map[4:HEAD_SIZE] = head[4:]
        self.map[0:4] = head[:4]  # last: from here on it counts

    def arm(self, program="", kinds=None, places=None, nth=1, lasts=False, action="error",
            error=5, files_only=False, directories_only=False):
        """The nth call from now of those described fails; with lasts, all that follow, too."""
        self._write(1, program, mask(kinds, KINDS), mask(places, PLACES), files_only,
                    directories_only, nth, lasts, ACTIONS.index(action), error, 1)

    def disarm(self):
        self._write(0)

    def _number(self, at):
        return struct.unpack_from("<I", self.map, at)[0]

    def fired(self):
        return self._number(FIRED_AT)

    def called(self):
        return self._number(CALLED_AT)

    def trace(self):
        """From here on calls are only taken down."""
        self._write(1, traces=1)

    def traced(self):
        """The calls since, in their order."""
        count = self._number(CALLED_AT)
        assert count <= TRACE_MAX, f"{count} calls are too many to take down"
        found = []
        for i in range(count):
            program, kind, place, is_directory = CALLED.unpack_from(
                self.map, TRACE_AT + i * CALLED.size)
            found.append(Call(program.rstrip(b"\0").decode(), KINDS[kind], PLACES[place],
                              bool(is_directory)))
        return found
