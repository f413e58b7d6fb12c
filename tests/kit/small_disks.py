"""A real file system of a chosen size, where this user may mount one: the disk that is really full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a tmpfs of this size at `folder/disk` and give its path; skip the test where that is not allowed."""
    place = folder / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs", str(place)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Make a mounted disk read-only for the length of a block; every write meets EROFS."""
    _remount(place, "ro")
    try:
        yield
    finally:
        _remount(place, "rw")


def free_bytes(place: Path) -> int:
    """Return what the disk has left."""
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def fill(ballast: Path, left_bytes: int) -> None:
    """Let somebody else's file take all but `left_bytes` of the disk, while others may be writing there."""
    with ballast.open("wb") as file, suppress(OSError):
        while (spare_bytes := free_bytes(ballast.parent) - left_bytes) > 0:
            file.write(bytes(min(spare_bytes, 1 << 16)))
            file.flush()


def _remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)
