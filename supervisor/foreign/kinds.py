"""The table of what can be imported; and what a directory looks like, where it is not what somebody took it for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

from supervisor.foreign import claude, codex, codexd, nanocoder, sessions_db, state_v1
from supervisor.foreign.values import File, Found


@frozen(kw_only=True)
class Kind:
    """One row."""

    name: str
    what: str
    """What lies in such a directory."""
    looks_like: Callable[[Path], bool]
    files: Callable[[Path], list[File]]
    read: Callable[[Path], Iterator[Found]]


def _kind(name: str, what: str, module: object) -> Kind:
    return Kind(
        name=name,
        what=what,
        looks_like=vars(module)["looks_like"],
        files=vars(module)["files"],
        read=vars(module)["read"],
    )


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        _kind("state-v1", "a state directory of version 1", state_v1),
        _kind("sessions-db", "a database of sessions-db", sessions_db),
        _kind("codex", "rollouts of Codex", codex),
        _kind("claude", "transcripts of Claude Code", claude),
        _kind("nanocoder", "sessions of nanocoder", nanocoder),
        _kind("codexd", "a state store of codexd", codexd),
    )
}
"""Name → kind; in the order in which a directory is looked at, the surest mark first."""


class WrongKind(Exception):
    """A directory is not what it was taken for; the text says what it looks like."""


def check(kind: Kind, directory: Path) -> None:
    """Raise WrongKind when nothing of this kind lies there."""
    if kind.looks_like(directory):
        return
    for other in KINDS.values():
        if other.name != kind.name and other.looks_like(directory):
            raise WrongKind(f"{directory} does not hold {kind.what}: it looks like {other.what} ({other.name})")
    state = "it is empty" if next(directory.iterdir(), None) is None else "nothing that is known lies there"
    raise WrongKind(f"{directory} does not hold {kind.what}: {state}")
