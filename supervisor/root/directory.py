"""
Making a directory ours, or leaving it alone.

The root judges before it touches anything, because from then on its own lock file marks the directory as Perdure's. The
marks are those of `actors.storage.standing.classify`, told again here: the root may not know the storage (it would load
it into the one process that must not break), and a test holds the two judgements equal. What a newer version wrote
is told by the runtime, which knows versions.
"""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any, Final

import msgspec

from supervisor.root.errors import NotAStateDirectory

PRIVATE_MODE: Final = 0o700

_MARKS: Final = frozenset(
    {"identity.json", "perdure.lock", "writer.lock", "perdure.sock", "perdure.sock.path", "spool"}
)
_DIRECTORIES: Final = frozenset({"journal", "tasks", "sessions", "logs", "reports", "archive", "quarantine", "spool"})
_OWN_TEMPORARIES: Final = ("identity.json.tmp-", "state.json.tmp-")
_SEGMENT: Final = re.compile(r"\d{20}\.jsonl")
_BACKUP: Final = re.compile(r"state\.backup\..*\.json")
_VERSION: Final = re.compile(rb'"version"\s*:\s*"(\d{1,9})[^"]{0,40}"')
_HEAD_BYTES: Final = 64 << 10
_STATE_BYTES_MAX: Final = 256 << 20
"""A state.json that names no version is read whole to be recognised; no version 1 state was ever this big."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to the directory."""

    made: bool
    repaired_mode: int | None
    """The permissions that it had, when they were too wide (or too narrow) and were set right."""


def prepare(path: Path) -> Prepared:
    """
    Make `path` a directory of ours with mode 0700, or raise `NotAStateDirectory` and leave it untouched.

    Missing parents are made too. `path` must be absolute and free of symbolic links (`os.path.realpath`).
    """
    made = False
    try:
        if not os.path.lexists(path):
            path.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
            made = True
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileExistsError, NotADirectoryError):
        raise NotAStateDirectory(f"{path} is not a directory") from None
    except OSError as error:
        raise NotAStateDirectory(f"{path} cannot be used as state directory: {error.strerror}") from None
    try:
        return Prepared(made=made, repaired_mode=_make_private(path, descriptor))
    except OSError as error:
        raise NotAStateDirectory(f"{path} cannot be used as state directory: {error.strerror}") from None
    finally:
        os.close(descriptor)


def is_foreign(path: Path) -> bool:
    """Whether the directory holds something and shows no mark of Perdure or of version 1; changes nothing."""
    names = {name for name in os.listdir(path) if not name.startswith(_OWN_TEMPORARIES)}  # noqa: PTH208  names only
    names.discard("lost+found")  # the root of a file system of its own
    if not names:
        return False
    if "state.json" in names and (known := _known_by_state(path / "state.json")) is not None:
        return not known
    return not (
        names & _MARKS
        or any(_BACKUP.fullmatch(name) for name in names)
        or any(_SEGMENT.fullmatch(name) for name in _names(path / "journal"))
        or _is_unfinished_start(path, names)
        or _has_task_files(path / "tasks")
    )


def _make_private(path: Path, descriptor: int) -> int | None:
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid():
        raise NotAStateDirectory(
            f"{path} belongs to user {status.st_uid}, not to user {os.geteuid()}",
            hint="run Perdure as the directory's owner, or name another directory with --state-path",
        )
    if is_foreign(path):
        raise NotAStateDirectory(f"{path} is not empty and is no state directory of Perdure; it was left untouched")
    mode = stat.S_IMODE(status.st_mode)
    if mode == PRIVATE_MODE:
        return None
    os.fchmod(descriptor, PRIVATE_MODE)
    return mode


def _known_by_state(path: Path) -> bool | None:
    """Judge by state.json alone; None when it says nothing and the other marks must."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            if _VERSION.search(head):
                return True
            state = json.loads(head + file.read(_STATE_BYTES_MAX))
    except (OSError, ValueError, RecursionError):
        return True if path.is_file() else None  # damaged is nobody's any more; recovery keeps what it holds
    lists = isinstance(state, dict) and any(isinstance(state.get(name), list) for name in ("tasks", "sessions"))
    return True if lists else None


def _is_unfinished_start(path: Path, names: set[str]) -> bool:
    """A first start that was cut short leaves some of our directories, all empty."""
    return names <= _DIRECTORIES and "journal" in names and not any(_names(path / name) for name in names)


def _has_task_files(tasks: Path) -> bool:
    for name in _names(tasks):
        if name.endswith(".json"):
            task = _json_object(tasks / name)
            return task is not None and {"id", "description", "status"} <= task.keys()
    return False


def _json_object(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208  names only
    except (FileNotFoundError, NotADirectoryError):
        return []
