"""A real file system on a loop device whose power can be cut: nothing that was not synced comes back.

The ioctl stops the file system at once, without writing its log (EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN: one number, one
flag); mounting it again replays what the log had, as after a power cut. Needs root, loop devices and the mkfs.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

SHUTDOWN: Final = 0x8004587D
WITHOUT_LOG: Final = 2
SIZE_BYTES: Final = {"ext4": 64 << 20, "xfs": 320 << 20}
"""The least that mkfs of each kind takes, in round numbers; the image is sparse."""


class CutDisk:
    """The place where it is mounted, and the cut."""

    def __init__(self, place: Path, image: Path) -> None:
        self.place = place
        self._image = image

    def mount(self) -> None:
        """Mount the image; the test is skipped where that is not allowed."""
        done = _run("mount", "-o", "loop", str(self._image), str(self.place))
        if done.returncode != 0:
            pytest.skip(f"an image cannot be mounted here: {done.stderr.strip()}")

    def cut(self) -> None:
        """Stop the file system as it stands. What is open there must be closed before `come_back`."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", WITHOUT_LOG))
        finally:
            os.close(descriptor)

    def come_back(self) -> None:
        """Mount it again, as it is after a power cut."""
        subprocess.run(["umount", str(self.place)], check=True)
        self.mount()


@contextmanager
def cut_disk(folder: Path, kind: str) -> Iterator[CutDisk]:
    """Make a file system of this kind at `folder/place`; skip the test, with the reason, where that is not possible."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    if shutil.which(f"mkfs.{kind}") is None:
        pytest.skip(f"mkfs.{kind} is not installed")
    image, place = folder / "image", folder / "place"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(SIZE_BYTES[kind])
    subprocess.run([f"mkfs.{kind}", "-q", str(image)], check=True, capture_output=True)
    disk = CutDisk(place, image)
    disk.mount()
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True)
