"""A real disk with moods: it refuses chosen calls on chosen files, or lets them wait, until it is told otherwise.

`FaultyDisk` counts calls, which suits one thread; under two threads a fault is named by the file that it strikes. What
was done is written down in `deeds`, in the order in which it was done, and a test may write down deeds of its own.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from attrs import define, field

from actors.storage.files import Disk

WRITING: Final = ("write", "pwrite", "fsync", "fdatasync", "sync_dir", "rename", "link", "unlink", "ftruncate", "mkdir")
"""Every call that changes something, and creating a file besides (`create`)."""


class Deed(NamedTuple):
    """Something that was done, or (`refused`) that was asked in vain."""

    call: str
    path: str
    """Relative to the root."""
    data: bytes = b""
    refused: bool = False
    descriptor: int = -1


@define(eq=False)
class Mood:
    """Calls of these kinds, on files whose relative path holds `where`, meet trouble; the first `after` do not."""

    calls: tuple[str, ...]
    where: str
    times: float
    after: int
    spare: str
    """Files whose path holds it are left alone; "" spares nobody."""

    def strikes(self, call: str, path: str) -> bool:
        """Whether this call is to be met; counts it."""
        is_spared = bool(self.spare) and self.spare in path
        if call not in self.calls or self.where not in path or is_spared or self.times <= 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


@define(eq=False)
class Refusal(Mood):
    """The call fails; a write may be half done before it does, or be short without failing."""

    error: int = errno.EIO
    half: bool = False
    short: bool = False


@define(eq=False)
class Gate(Mood):
    """The call waits until `open` is called."""

    _waiting: threading.Event = field(factory=threading.Event)
    _opened: threading.Event = field(factory=threading.Event)

    @property
    def reached(self) -> bool:
        """Whether a call waits, or has waited, here."""
        return self._waiting.is_set()

    def open(self) -> None:
        """Let whoever waits go on, and meet nobody any more."""
        self.times = 0
        self._opened.set()

    def wait(self) -> None:
        """Wait, in the thread that made the call."""
        self._waiting.set()
        assert self._opened.wait(60), "nobody opened the gate"


class MoodyDisk(Disk):
    """See the module's text."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.deeds: list[Deed] = []
        self.free_bytes: int | None = None
        """How much room the disk says it has; None: as much as there is."""
        self._root = root
        self._moods: list[Mood] = []
        self._paths: dict[int, str] = {}

    def refuse(
        self,
        *calls: str,
        where: str = "",
        error: int = errno.EIO,
        times: float = float("inf"),
        after: int = 0,
        half: bool = False,
        short: bool = False,
        spare: str = "",
    ) -> Refusal:
        """Fail these calls from now on; without any, fail every call that changes something."""
        mood = Refusal(calls or (*WRITING, "create"), where, times, after, spare, error, half, short)
        self._moods.append(mood)
        return mood

    def gate(self, *calls: str, where: str = "", times: float = 1, after: int = 0) -> Gate:
        """Let the next of these calls wait."""
        gate = Gate(calls, where, times, after, "")
        self._moods.append(gate)
        return gate

    def mend(self) -> None:
        """Be a good disk again; whoever waits goes on."""
        for mood in self._moods:
            if isinstance(mood, Gate):
                mood.open()
        self._moods.clear()
        self.free_bytes = None

    def note(self, call: str, path: str) -> None:
        """Write down a deed of somebody else's, such as an answer."""
        self.deeds.append(Deed(call, path))

    def done(self, call: str, where: str = "") -> list[Deed]:
        """What was done, and not refused, of a kind on files whose path holds `where`."""
        return [deed for deed in self.deeds if deed.call == call and where in deed.path and not deed.refused]

    # The calls

    def disk_free_bytes(self, path: Path) -> int:
        return super().disk_free_bytes(path) if self.free_bytes is None else self.free_bytes

    def open(self, path: Path, flags: int, *, links_max: int = 1) -> int:
        creates = bool(flags & os.O_CREAT) and not os.path.lexists(path)
        if creates:
            self._meet("create", path)
        descriptor = super().open(path, flags, links_max=links_max)
        self._paths[descriptor] = self._relative(path)
        if creates:
            self._did("create", path, descriptor=descriptor)
        return descriptor

    def close(self, descriptor: int) -> None:
        self._paths.pop(descriptor, None)
        super().close(descriptor)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        return self._write("write", descriptor, data, lambda piece: Disk.write(self, descriptor, piece))

    def pwrite(self, descriptor: int, data: bytes | memoryview, offset: int) -> int:
        return self._write("pwrite", descriptor, data, lambda piece: Disk.pwrite(self, descriptor, piece, offset))

    def ftruncate(self, descriptor: int, length_bytes: int) -> None:
        self._meet("ftruncate", descriptor)
        super().ftruncate(descriptor, length_bytes)
        self._did("ftruncate", descriptor, descriptor=descriptor)

    def fsync(self, descriptor: int) -> None:
        self._meet("fsync", descriptor)
        super().fsync(descriptor)
        self._did("fsync", descriptor, descriptor=descriptor)

    def fdatasync(self, descriptor: int) -> None:
        self._meet("fdatasync", descriptor)
        super().fdatasync(descriptor)
        self._did("fdatasync", descriptor, descriptor=descriptor)

    def sync_dir(self, path: Path) -> None:
        self._meet("sync_dir", path)
        super().sync_dir(path)
        self._did("sync_dir", path)

    def rename(self, source: Path, target: Path) -> None:
        self._meet("rename", target)
        super().rename(source, target)
        self._did("rename", target)

    def link(self, source: Path, target: Path) -> None:
        self._meet("link", target)
        super().link(source, target)
        self._did("link", target)

    def unlink(self, path: Path) -> None:
        self._meet("unlink", path)
        super().unlink(path)
        self._did("unlink", path)

    def mkdir(self, path: Path) -> None:
        self._meet("mkdir", path)
        super().mkdir(path)
        self._did("mkdir", path)

    # Moods

    def _struck(self, call: str, path: str) -> Iterable[Mood]:
        return [mood for mood in list(self._moods) if mood.strikes(call, path)]

    def _meet(self, call: str, place: Path | int) -> None:
        path = self._name(place)
        for mood in self._struck(call, path):
            self._suffer(mood, call, path, place if isinstance(place, int) else -1)

    def _write(
        self, call: str, descriptor: int, data: bytes | memoryview, write: Callable[[bytes | memoryview], int]
    ) -> int:
        path = self._name(descriptor)
        taken = data
        for mood in self._struck(call, path):
            if isinstance(mood, Refusal) and mood.half:
                write(data[: len(data) // 2])
            if isinstance(mood, Refusal) and mood.short:
                taken = data[: max(1, len(data) // 2)]
            else:
                self._suffer(mood, call, path, descriptor)
        written = write(taken)
        self.deeds.append(Deed(call, path, bytes(taken[:written]), descriptor=descriptor))
        return written

    def _suffer(self, mood: Mood, call: str, path: str, descriptor: int) -> None:
        if isinstance(mood, Gate):
            mood.wait()
        elif isinstance(mood, Refusal):
            self.deeds.append(Deed(call, path, refused=True, descriptor=descriptor))
            raise OSError(mood.error, os.strerror(mood.error), str(self._root / path))

    def _did(self, call: str, place: Path | int, *, descriptor: int = -1) -> None:
        self.deeds.append(Deed(call, self._name(place), descriptor=descriptor))

    def _name(self, place: Path | int) -> str:
        return self._paths.get(place, "?") if isinstance(place, int) else self._relative(place)

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self._root)
