"""
Leaving a sighting in the state directory's spool/, for the writer to take in when it lives again.

This is the one place outside the writer from which something gets into the directory's data: a new file under a name of
its own, in a folder that nobody else writes to (SPEC, promise 7).
"""

import json
import os
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


def spool(state_path: Path, method: str, params: Mapping[str, Any], key: str) -> Path:
    """Write it durably; the directory is made where it is missing. Raises OSError."""
    folder = state_path / "spool"
    for directory in (state_path, folder):
        directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    now = datetime.now(UTC)
    name = f"{now:%Y%m%dT%H%M%S.%fZ}-{time.monotonic_ns() % 10**9:09d}-{secrets.token_hex(4)}.json"
    at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    content = {"v": 1, "at": at, "key": key, "method": method, "params": dict(params)}
    beside = folder / f"{name}.tmp-{secrets.token_hex(4)}"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"))
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(folder / name)
    finally:
        beside.unlink(missing_ok=True)
    _sync(folder)
    return folder / name


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
