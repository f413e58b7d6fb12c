"""identity.json: who this state directory is. Made once, never changed; every snapshot carries a copy.

`{daemon_id, node_id, repo_root, created_at, version}`: a new UUID, the machine's name, the directory Perdure was first
started in, when, and by which version of the program.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.model.errors import UNDECODABLE
from actors.model.ids import new_id
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine

IDENTITY_BYTES_MAX: Final = 1 << 16
_MEMBERS: Final = ("daemon_id", "node_id", "repo_root", "created_at", "version")


def read_identity(disk: Disk, layout: Layout) -> dict[str, Any] | str:
    """Return the identity, or why there is none that can be used ("missing" when there is no file)."""
    try:
        identity = msgspec.json.decode(disk.read_file(layout.identity, IDENTITY_BYTES_MAX))
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return error.strerror or str(error)
    except UNDECODABLE as error:
        return str(error)
    if not isinstance(identity, dict) or not all(isinstance(identity.get(name), str) for name in _MEMBERS):
        return "it is no identity"
    return identity


def ensure_identity(
    disk: Disk, layout: Layout, quarantine: Quarantine, known: Mapping[str, Any], *, created_at: str, version: str
) -> tuple[dict[str, Any], str | None]:
    """Return the identity and why its file had to be written: made anew only when no snapshot knows it either.

    A file that is damaged goes to quarantine first. Raises OSError.
    """
    found = read_identity(disk, layout)
    if isinstance(found, dict):
        return found, None
    identity = dict(known) if all(name in known for name in _MEMBERS) else made_anew(created_at, version)
    if disk.exists(layout.identity):
        quarantine.keep_file(layout.identity, f"identity.json cannot be used: {found}")
    disk.write_new_file(layout.identity, msgspec.json.format(msgspec.json.encode(identity), indent=2) + b"\n")
    return identity, found


def made_anew(created_at: str, version: str) -> dict[str, Any]:
    """Return a new identity."""
    return {
        "daemon_id": new_id(),
        "node_id": platform.node() or "unknown",
        "repo_root": str(Path.cwd()),
        "created_at": created_at,
        "version": version,
    }
