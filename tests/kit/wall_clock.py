"""A wall clock for other processes, stepped while they run: a small library for LD_PRELOAD, built when it is needed.

What libfaketime does, without the need for it: only the time of day moves, for all processes that are given it at once.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_suffix(".c")
_OFFSET: Final = struct.Struct("=q")


class WallClock:
    """See the module's text. `folder` holds the library and the offset."""

    def __init__(self, folder: Path) -> None:
        """Build it. Raises NoCompiler."""
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise NoCompiler("there is no C compiler (cc, gcc or clang)")
        self._library = folder / "wall_clock.so"
        self._file = folder / "wall_clock"
        options = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC"]
        subprocess.run([compiler, *options, "-o", str(self._library), str(SOURCE)], check=True, timeout=120)
        self._file.write_bytes(bytes(_OFFSET.size))

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to be under it."""
        return {"LD_PRELOAD": str(self._library), "PERDURE_WALL_CLOCK": str(self._file)}

    def step_to(self, offset_s: float) -> None:
        """Let the clock be so far from the machine's, from now on."""
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), _OFFSET.size) as mapped:
            mapped[:] = _OFFSET.pack(round(offset_s * 1e9))


class NoCompiler(Exception):
    """The library cannot be built here; the text says why."""
