"""
The file in which an agent may leave its result: made room for before it begins, read when it is over, then removed.

Its path is the runtime's choice and stands on the agent's command line. It lies in a directory of Perdure's own and not
in the agent's, where an agent that commits all it finds would commit it too. Whatever lies there when the agent is over
is read once more for every runtime that attaches, and goes when the run is buried; a file that is too long to be told
whole stays, so that nothing is lost.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Final, NamedTuple

from actors.messages.agents import RESULT_BYTES_MAX

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A pipe or a link in its place must neither block the host nor lead it elsewhere."""


class Result(NamedTuple):
    """What an agent left: the beginning, and how long the whole is."""

    data: bytes
    size_bytes: int


def make_room(path: str) -> None:
    """Make the directory of a result. Raises OSError when it belongs to somebody else, or cannot be made."""
    folder = os.path.dirname(path)  # noqa: PTH120  the host imports no pathlib
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)  # noqa: PTH102
    found = os.lstat(folder)
    is_ours = found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not (stat.S_ISDIR(found.st_mode) and is_ours):
        raise OSError(errno.EPERM, "it is not a directory of ours that nobody else can write to", folder)


def read_result(path: str) -> Result | None:
    """Return what lies there; None when there is nothing, or nothing that could be read."""
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError):
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return None
        return Result(os.read(descriptor, RESULT_BYTES_MAX), found.st_size)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def remove_result(path: str) -> None:
    """Remove what was told whole; no error when there is nothing."""
    with contextlib.suppress(OSError, ValueError):
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode) or found.st_size <= RESULT_BYTES_MAX:
            os.unlink(path)  # noqa: PTH108
