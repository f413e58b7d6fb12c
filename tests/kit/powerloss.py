"""The power-loss model: the directories that a power cut could leave, each built and recovered from.

A trace (`tests.kit.disks`) is replayed operation by operation. After each one the model knows what is durable and what
is only pending: data of a file since its last sync, names of a directory since its last sync. A cut there may leave

- of the names pending: any prefix, in the order they were made, or a sampled subset across directories; a rename is two
  operations, the new name and the loss of the old one, and either may be there without the other;
- of the data pending: nothing, all, all but half of the last write, three bytes of it, its second half only, zeros at
  the full size, garbage, or a sampled subset of writes torn at sampled places.

A file whose sync failed keeps what was pending then as doubtful for ever: later syncs do not settle it, because the
kernel has marked those pages clean (measured on ext4). Data that is durable under a name that is not is lost, and the
other way round. `judge` builds each distinct state in a scratch directory and asks a check to recover from it.

Deterministic: the same trace and seed give the same states in the same order.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from random import Random
from typing import Final

from attrs import define, field, frozen

from tests.kit import tally
from tests.kit.disks import (
    ROOT_INODE,
    Enter,
    Leave,
    Mark,
    Operation,
    Sync,
    SyncDirectory,
    SyncFailed,
    Trace,
    Truncate,
    Write,
)

Check = Callable[[Path, Mapping[str, int]], object]
"""Recovers from the directory and raises when a promise is broken; gets the marks that held at the cut."""

_SAMPLES: Final = 8  # mixed choices per cut, beside the systematic ones
_PREFIXES_MAX: Final = 12  # more names than that are never pending at once in the workloads here


class Fate(Enum):
    """What becomes of a file's data that was written and not synced."""

    ABSENT = "absent"
    WHOLE = "whole"
    HALF = "half"
    THREE_BYTES = "three bytes"
    SECOND_HALF = "its second half only"
    NULS = "NULs at full size"
    GARBAGE = "garbage"
    SAMPLED = "a sampled subset"


class Settled(Enum):
    """How sure a write is."""

    PENDING = "pending"
    DOUBTFUL = "doubtful"
    """A sync failed while it was pending: it may be on disk or not, whatever later syncs say."""
    DURABLE = "durable"


@define
class _File:
    """One inode's data: a durable beginning, then the changes that are not all durable."""

    base: bytes = b""
    changes: list[tuple[Write | Truncate, Settled]] = field(factory=list)

    def settle(self, after: Settled) -> None:
        self.changes = [(change, after if state is Settled.PENDING else state) for change, state in self.changes]
        while self.changes and self.changes[0][1] is Settled.DURABLE:
            self.base = _changed(self.base, self.changes.pop(0)[0])

    @property
    def is_dirty(self) -> bool:
        return bool(self.changes)

    def content(self, fate: Fate, random: Random) -> bytes:
        data = self.base
        unsure = [number for number, (_, state) in enumerate(self.changes) if state is not Settled.DURABLE]
        last = unsure[-1] if unsure else -1
        for number, (change, state) in enumerate(self.changes):
            if state is Settled.DURABLE:
                data = _changed(data, change)
            else:
                data = _suffer(data, change, fate, random, is_last=number == last)
        return data


@define
class _Directory:
    """One directory's names as of its last sync; what is pending stands in the model's list, in order over all."""

    entries: dict[str, int] = field(factory=dict)


@define
class _FileSystem:
    """What is durable and what is pending, after some operations."""

    files: dict[int, _File] = field(factory=dict)
    directories: dict[int, _Directory] = field(factory=dict)
    names: list[Enter | Leave] = field(factory=list)
    """Pending changes of names, over all directories, in the order they were made."""

    @classmethod
    def of(cls, trace: Trace) -> _FileSystem:
        """Take over what was there at the start, all of it durable; inodes are numbered as the recorder does."""
        system = cls(directories={ROOT_INODE: _Directory()})
        inodes = {"": ROOT_INODE}
        for path in (*trace.directories, *trace.files):
            inodes[path] = inode = len(inodes)
            parent, _, name = path.rpartition("/")
            system.directories[inodes[parent]].entries[name] = inode
            if path in trace.files:
                system.files[inode] = _File(trace.files[path])
            else:
                system.directories[inode] = _Directory()
        return system

    def do(self, operation: Operation) -> None:
        match operation:
            case Write() | Truncate():
                self.files[operation.inode].changes.append((operation, Settled.PENDING))
            case Sync():
                self.files[operation.inode].settle(Settled.DURABLE)
            case SyncFailed():
                self.files[operation.inode].settle(Settled.DOUBTFUL)
            case Enter():
                if operation.is_directory:
                    self.directories.setdefault(operation.inode, _Directory())
                else:
                    self.files.setdefault(operation.inode, _File())
                self.names.append(operation)
            case Leave():
                self.names.append(operation)
            case SyncDirectory():
                entries = self.directories[operation.directory].entries
                for change in self.names:
                    if change.directory == operation.directory:
                        _rename_entry(entries, change)
                self.names = [change for change in self.names if change.directory != operation.directory]
            case Mark():
                pass

    def tree(self, applied: frozenset[int], fates: Mapping[int, Fate], random: Random) -> dict[str, bytes | None]:
        """Return content by path (None for a directory) with these pending names applied and these fates."""
        entries = {inode: dict(directory.entries) for inode, directory in self.directories.items()}
        for number, change in enumerate(self.names):
            if number in applied:
                _rename_entry(entries[change.directory], change)
        found: dict[str, bytes | None] = {}
        contents: dict[int, bytes] = {}
        waiting = [(ROOT_INODE, "")]
        while waiting:
            directory, prefix = waiting.pop()
            for name, inode in entries[directory].items():
                path = prefix + name
                if inode in entries:
                    found[path] = None
                    waiting.append((inode, path + "/"))
                    continue
                if inode not in contents:
                    contents[inode] = self.files[inode].content(fates.get(inode, Fate.WHOLE), random)
                found[path] = contents[inode]
        return found


@frozen
class CrashState:
    """One directory that a power cut could leave."""

    cut: int
    """How many operations had been done."""
    label: str
    tree: dict[str, bytes | None]
    marks: dict[str, int]

    def build(self, directory: Path) -> None:
        """Make it real."""
        for path in sorted(path for path, content in self.tree.items() if content is None):
            (directory / path).mkdir(mode=0o700, parents=True)
        for path, content in self.tree.items():
            if content is not None:
                (directory / path).write_bytes(content)


@frozen
class Violation:
    """A promise that a state broke."""

    state: CrashState
    error: Exception

    def __str__(self) -> str:
        """Return the state's label and what the check said, on one line."""
        return f"{self.state.label}: {type(self.error).__name__}: {str(self.error).splitlines()[0]}"


@frozen
class Verdict:
    """What came of judging a trace."""

    states: int
    """Distinct states that were checked."""
    violation: Violation | None


def crash_states(trace: Trace, seed: int = 0, *, first: int = 0) -> Iterator[CrashState]:
    """Yield every distinct state (by content and marks), at the cuts from operation number `first` on."""
    system = _FileSystem.of(trace)
    marks: dict[str, int] = {}
    seen: set[int] = set()
    for cut in range(len(trace.operations) + 1):
        if cut > 0:
            operation = trace.operations[cut - 1]
            system.do(operation)
            if isinstance(operation, Mark):
                marks[operation.name] = operation.value
        if cut < first:
            continue
        for label, tree in _states_at(system, Random(f"{seed}/{cut}")):
            key = hash((frozenset(tree.items()), tuple(sorted(marks.items()))))
            if key not in seen:
                seen.add(key)
                yield CrashState(cut, f"cut after {cut} of {len(trace.operations)}, {label}", tree, dict(marks))


def judge(trace: Trace, check: Check, seed: int = 0, *, states_max: int | None = None, first: int = 0) -> Verdict:
    """Check the states of a trace, stopping at the first violation; `states_max` takes an even sample of the cuts."""
    states = list(crash_states(trace, seed, first=first)) if states_max else crash_states(trace, seed, first=first)
    if isinstance(states, list) and states_max is not None and len(states) > states_max:
        states = [states[number] for number in sorted(Random(seed).sample(range(len(states)), states_max))]
    count = 0
    with scratch() as parent:
        for state in states:
            count += 1
            tally.count("crash states")
            directory = parent / f"{count}"
            directory.mkdir()
            try:
                state.build(directory)
                check(directory, state.marks)
            except Exception as error:  # noqa: BLE001 - whatever the check raises is its verdict
                return Verdict(count, Violation(state, error))
            finally:
                shutil.rmtree(directory, ignore_errors=True)
    return Verdict(count, None)


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a directory in memory where there is one (thousands of states are built), else a temporary one."""
    memory = Path("/dev/shm")
    parent = tempfile.mkdtemp(prefix="perdure-powerloss-", dir=memory if memory.is_dir() else None)
    try:
        yield Path(parent)
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def _states_at(system: _FileSystem, random: Random) -> Iterator[tuple[str, dict[str, bytes | None]]]:
    """Yield what a cut here could leave: choices of names times choices of data, then mixed samples."""
    dirty = [inode for inode, file in system.files.items() if file.is_dirty]
    choices = list(_choices_of_names(system, random))
    for names_label, applied in choices:
        for fate in Fate if dirty else (Fate.WHOLE,):
            label = f"names {names_label}, unsynced data {fate.value}" if dirty else f"names {names_label}"
            yield label, system.tree(applied, dict.fromkeys(dirty, fate), random)
    for number in range(_SAMPLES if dirty else 0):
        names_label, applied = random.choice(choices)
        fates = {inode: random.choice(list(Fate)) for inode in dirty}
        yield f"names {names_label}, mixed fates {number}", system.tree(applied, fates, random)


def _choices_of_names(system: _FileSystem, random: Random) -> Iterator[tuple[str, frozenset[int]]]:
    pending = range(len(system.names))
    for length in [*pending, len(pending)][-_PREFIXES_MAX:]:
        yield f"first {length} of {len(pending)} pending", frozenset(range(length))
    directories = dict.fromkeys(change.directory for change in system.names)
    if len(directories) > 1:
        for directory in directories:
            only = frozenset(number for number in pending if system.names[number].directory == directory)
            yield f"of one directory only ({sorted(only)} of {len(pending)})", only
    for _ in range(_SAMPLES if len(pending) > 1 else 0):
        some = frozenset(number for number in pending if random.random() < 0.5)
        yield f"{sorted(some)} of {len(pending)} pending", some


def _rename_entry(entries: dict[str, int], change: Enter | Leave) -> None:
    if isinstance(change, Enter):
        entries[change.name] = change.inode
    else:
        entries.pop(change.name, None)


def _changed(data: bytes, change: Write | Truncate) -> bytes:
    if isinstance(change, Truncate):
        return data[: change.length_bytes].ljust(change.length_bytes, b"\0")
    return _put(data, change.offset, change.data)


def _put(data: bytes, offset: int, new: bytes) -> bytes:
    return data[:offset].ljust(offset, b"\0") + new + data[offset + len(new) :] if new else data


def _suffer(data: bytes, change: Write | Truncate, fate: Fate, random: Random, *, is_last: bool) -> bytes:
    """Return `data` after a change that was not synced met its fate."""
    if isinstance(change, Truncate):
        applies = fate is not Fate.ABSENT and (fate is not Fate.SAMPLED or random.random() < 0.5)
        return _changed(data, change) if applies else data
    new = change.data
    if fate is Fate.NULS:
        new = bytes(len(new))
    elif fate is Fate.GARBAGE:
        new = random.randbytes(len(new))
    begin, end = _survivor(fate, len(new), random, is_last=is_last)
    return _put(data, change.offset + begin, new[begin:end])


def _survivor(fate: Fate, length: int, random: Random, *, is_last: bool) -> tuple[int, int]:
    """Return which part of a write reached the disk."""
    if fate is Fate.ABSENT:
        return 0, 0
    if fate is Fate.SAMPLED:
        begin = random.choice((0, 0, length // 3))
        return begin, max(begin, random.choice((0, length // 2, length)))
    parts = {Fate.HALF: (0, length // 2), Fate.THREE_BYTES: (0, 3), Fate.SECOND_HALF: (length // 2, length)}
    return parts.get(fate, (0, length)) if is_last else (0, length)
