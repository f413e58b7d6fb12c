"""Who is at the other end of a Unix socket: the kernel knows, and cannot be lied to (SPEC section 6)."""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

ROOT_UID: Final = 0

_UCRED: Final = struct.Struct("3i")  # Linux: pid, uid, gid
_XUCRED_HEAD: Final = struct.Struct("Ii")  # macOS: version, uid, then groups
_SOL_LOCAL: Final = 0
_LOCAL_PEERCRED: Final = 1
_XUCRED_BYTES: Final = 76


def served_uids() -> frozenset[int]:
    """Return who is served: the user that Perdure runs as, and root."""
    return frozenset({os.geteuid(), ROOT_UID})


def peer_uid(client: socket.socket) -> int:
    """Return the user id of the process that connected; raises OSError when the system does not tell."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        return int(_UCRED.unpack(credentials)[1])
    credentials = client.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES)
    return int(_XUCRED_HEAD.unpack_from(credentials)[1])
