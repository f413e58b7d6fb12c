"""Where the socket is: in the state directory, or, where that path is too long for the system, where a file says."""

# pathlib takes longer to load than a command takes to be answered:
# ruff: noqa: PTH111, PTH112, PTH116, PTH118, PTH123

from __future__ import annotations

import os
import stat
from typing import Final

SOCKET_NAME: Final = "perdure.sock"
POINTER_NAME: Final = "perdure.sock.path"


def socket_path(path: str | os.PathLike[str]) -> str:
    """Return the socket that `path` names: itself, or the one of the state directory it is; it need not be there."""
    given = os.path.expanduser(os.fspath(path))
    if not os.path.isdir(given):
        return given
    own = os.path.join(given, SOCKET_NAME)
    if _is_socket(own):
        return own
    try:
        with open(os.path.join(given, POINTER_NAME), encoding="utf-8") as pointer:
            named = pointer.read().strip()
    except OSError:
        return own
    return named or own


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
