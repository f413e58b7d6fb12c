"""The interposer's Python side: builds the C library once, writes its plan, reads its log.

interposer = Interposer(file, folder)          # one counter over all processes that are given it
interposer.spoil(Fault(Action.KILL_BEFORE, at=17))
… processes run with interposer.environment("supervisor.boot") …
interposer.log()                               # every call there was: what, where, by whom, spoiled or not
"""

from __future__ import annotations

import errno
import functools
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
from enum import IntEnum
from pathlib import Path
from typing import Final

from attrs import frozen

SOURCE: Final = Path(__file__).with_suffix(".c")
LOG_MAX: Final = 16_384
"""Calls that the log holds: several times what a workload makes."""

FAULTS_MAX: Final = 4

_FAULT: Final = struct.Struct("=QQQQQIiII64s")
_COUNTS: Final = struct.Struct("=QQII")
_FOLDER: Final = struct.Struct("=256s")
_PLAN: Final = slice(_COUNTS.size, _COUNTS.size + FAULTS_MAX * _FAULT.size)
_HEAD_BYTES: Final = _PLAN.stop + _FOLDER.size
_ENTRY: Final = struct.Struct("=IIIiq232s")


class Call(IntEnum):
    """What is counted; the numbers are those of interposer.c."""

    WRITE = 0
    PWRITE = 1
    WRITEV = 2
    FSYNC = 3
    FDATASYNC = 4
    SYNC_FILE_RANGE = 5
    SYNCFS = 6
    RENAME = 7
    LINK = 8
    UNLINK = 9
    FTRUNCATE = 10
    FALLOCATE = 11
    CREATE = 12
    """open with O_CREAT."""
    SEND = 13
    """send, sendto, sendmsg, and write on a socket."""
    MKDIR = 14
    RMDIR = 15
    SENDFILE = 16
    COPY_FILE_RANGE = 17


EVERY_CALL: Final = frozenset(Call)
ON_DISK: Final = EVERY_CALL - {Call.SEND}
CARRYING: Final = frozenset({Call.WRITE, Call.PWRITE, Call.WRITEV, Call.SEND, Call.SENDFILE, Call.COPY_FILE_RANGE})
"""Those that carry bytes, so that they can be done by half."""
SYNCING: Final = frozenset({Call.FSYNC, Call.FDATASYNC, Call.SYNC_FILE_RANGE, Call.SYNCFS})


class Action(IntEnum):
    """What becomes of a spoiled call; the numbers are those of interposer.c."""

    NOTHING = 0
    FAIL = 1
    FAIL_AFTER = 2
    """It is done, and says that it is not."""
    HALF_THEN_FAIL = 3
    KILL_BEFORE = 4
    KILL_AFTER = 5
    HALF_THEN_KILL = 6
    SHORT = 7
    DELAY = 8

    @property
    def kills(self) -> bool:
        """Whether the process does not outlive it."""
        return self in {Action.KILL_BEFORE, Action.KILL_AFTER, Action.HALF_THEN_KILL}


@frozen
class Fault:
    """What happens to the `at`-th matching call, and to every `every`-th matching one after it, `times` in all.

    Those of `calls` match whose path contains `where`. `times` 0 is until the plan changes. `taken_bytes` is how much
    of a call by half is done (0: half).
    """

    action: Action
    at: int
    times: int = 1
    every: int = 1
    error: int = errno.EIO
    delay_ms: int = 0
    taken_bytes: int = 0
    calls: frozenset[Call] = EVERY_CALL
    where: str = ""

    def __str__(self) -> str:
        """Say it in a line."""
        error = "" if self.action.kills else f" {errno.errorcode.get(self.error, self.error)}"
        again = "" if self.times == 1 else f", {self.times} times, every {self.every}"
        where = f" on {self.where}" if self.where else ""
        return f"{self.action.name}{error} at {self.at}{where}{again}, {self.taken_bytes or 'half'} taken"


@frozen
class Seen:
    """One call in the log."""

    number: int
    call: Call
    path: str
    """Below the folder."""
    process: int
    size: int
    action: Action
    """What became of it."""
    error: int
    """The errno that the caller saw; 0 when it was done."""

    def __str__(self) -> str:
        """Say it in a line."""
        spoiled = "" if self.action is Action.NOTHING else f" ({self.action.name})"
        return f"call {self.number}, {self.call.name.lower()} {self.path}{spoiled}"


@functools.cache
def library() -> Path | str:
    """Build the library for this session, once, and return where it is; a text says what is missing for that."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return "there is no C compiler (cc, gcc or clang)"
    if not Path("/proc/self/fd").is_dir():
        return "there is no /proc"
    folder = Path(tempfile.mkdtemp(prefix="perdure-interposer-"))
    target = folder / "interposer.so"
    options = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC"]
    built = subprocess.run(
        [compiler, *options, "-o", str(target), str(SOURCE), "-ldl"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, f"{compiler} cannot build the interposer:\n{built.stderr}"
    return target


def forget_library() -> None:
    """Remove what was built; at the session's end."""
    if library.cache_info().currsize and isinstance(built := library(), Path):
        shutil.rmtree(built.parent, ignore_errors=True)
    library.cache_clear()


class Interposer:
    """One plan, one counter, one log, shared by every process that is armed with `file`."""

    def __init__(self, file: Path, folder: Path) -> None:
        """`folder`: nothing outside it is counted."""
        self.file = file
        self._folder = folder
        with file.open("xb") as made:
            made.truncate(_HEAD_BYTES + LOG_MAX * _ENTRY.size)
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), 0)
        self.spoil()

    def close(self) -> None:
        """Let go of the file; it is removed with its folder."""
        self._map.close()

    def spoil(self, *faults: Fault, pairs: bool = False) -> None:
        """Forget what was counted, and spoil by this plan from now on.

        `pairs`: unnamed sockets count too, those between Perdure's own processes.
        """
        assert len(faults) <= FAULTS_MAX
        self._map[_PLAN] = bytes(FAULTS_MAX * _FAULT.size)
        self._map[_PLAN.stop : _HEAD_BYTES] = _FOLDER.pack(os.fsencode(self._folder))
        self._map[_HEAD_BYTES:] = bytes(len(self._map) - _HEAD_BYTES)
        self._map[: _COUNTS.size] = _COUNTS.pack(0, 0, LOG_MAX, pairs)
        plan = b"".join(map(_packed, faults))
        self._map[_PLAN.start : _PLAN.start + len(plan)] = plan

    def mend(self) -> None:
        """Spoil nothing from now on; what was counted stays."""
        self._map[_PLAN] = bytes(FAULTS_MAX * _FAULT.size)

    @property
    def count(self) -> int:
        """How many calls there were."""
        return int(struct.unpack_from("=Q", self._map, 0)[0])

    @property
    def hits(self) -> int:
        """How many of them were spoiled."""
        return int(struct.unpack_from("=Q", self._map, 8)[0])

    def log(self) -> list[Seen]:
        """Every call so far, as far as the log reaches."""
        found = []
        for number in range(1, min(self.count, LOG_MAX) + 1):
            call, process, hit, error, size, path = _ENTRY.unpack_from(
                self._map, _HEAD_BYTES + (number - 1) * _ENTRY.size
            )
            where = os.fsdecode(path.rstrip(b"\0"))
            found.append(Seen(number, Call(call), where, process, size, Action(hit), error))
        return found

    def environment(self, kind: str = "") -> dict[str, str]:
        """Return what makes a process take part; with `kind` only those whose command line contains it."""
        preload = {"LD_PRELOAD": str(library()), "INTERPOSER_FILE": str(self.file)}
        return {**preload, "INTERPOSER_KIND": kind} if kind else preload


def _packed(one: Fault) -> bytes:
    mask = functools.reduce(lambda bits, call: bits | 1 << call, one.calls, 0)
    counts = (one.at, one.every, one.times, mask, 0)
    return _FAULT.pack(*counts, one.action, one.error, one.delay_ms, one.taken_bytes, one.where.encode())
