"""Damage to a copy of a state directory: bits flipped, ends cut, zeros written, files gone; drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Final

import attrs

ZEROS: Final = 512
WITNESS: Final = 24
"""Bytes beside the damage by which it is recognised in quarantine."""

PATTERNS: Final[Mapping[str, str]] = {
    "journal": "journal/*.jsonl",
    "snapshot": "state.json",
    "backup": "state.backup.*.json",
    "task": "tasks/*.json",
    "session": "sessions/*-*.jsonl",
}
"""File as the schedule names it → where it lies."""


@attrs.frozen
class Damage:
    """What was done."""

    root: Path
    file: str
    """Relative to the state directory; empty when nothing was done."""
    kind: str
    offset: int = 0
    witness: bytes = b""
    """Bytes that the damaged place holds now: they must be found again."""
    may_lose: bool = False
    """Whether it may be the only place of something."""
    must_be_told: bool = False

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.kind} at {self.offset} of {self.file}" if self.file else "not damaged"

    def is_kept(self) -> bool:
        """Whether the damaged bytes are still where they were, or in quarantine."""
        if not self.witness:
            return True
        places = [self.root / self.file, *(self.root / "quarantine").rglob("*"), *(self.root / "archive").rglob("*")]
        places += list((self.root / "journal").iterdir())
        return any(self.witness in path.read_bytes() for path in places if path.is_file())


def inflict(root: Path, kind: str, file: str, rng: Random) -> Damage:
    """Damage one file; nothing is done when there is none of the kind, or it has nothing to damage."""
    found = [] if kind == "none" else sorted(root.glob(PATTERNS[file]))
    found = [path for path in found if _content(path)]
    if kind == "missing" and file == "journal":
        found = found[:-1]  # that there was a newest segment is written in itself only
    if not found:
        return Damage(root, "", kind)
    path = rng.choice(found)
    name = str(path.relative_to(root))
    content = bytearray(_content(path))
    may_lose = file == "journal"
    offset = _inside_a_line(content, rng.randrange(len(content)))
    if kind == "missing":
        path.unlink()
        return Damage(root, name, kind, may_lose=may_lose, must_be_told=False)
    _HANDS[kind](content, offset, rng)
    path.write_bytes(content)
    begin = max(0, min(offset, len(content)) - WITNESS)
    witness = bytes(content[begin : begin + WITNESS])
    return Damage(root, name, kind, offset, witness, may_lose, must_be_told=file == "snapshot")


def _content(path: Path) -> bytes:
    return path.read_bytes().rstrip(b"\0") if path.is_file() else b""


def _inside_a_line(content: bytearray, offset: int) -> int:
    """Where lines end nothing shows that there were more of them: damage that can be seen begins inside one."""
    return offset + 1 if offset == 0 or content[offset - 1] == ord("\n") else offset


def _flip(content: bytearray, offset: int, rng: Random) -> None:
    content[offset] ^= 1 << rng.randrange(8)


def _cut(content: bytearray, offset: int, _rng: Random) -> None:
    del content[offset:]


def _zeros(content: bytearray, offset: int, _rng: Random) -> None:
    end = min(len(content), offset + ZEROS)
    content[offset:end] = bytes(end - offset)


_HANDS: Final[Mapping[str, Callable[[bytearray, int, Random], None]]] = {"flip": _flip, "cut": _cut, "zeros": _zeros}
