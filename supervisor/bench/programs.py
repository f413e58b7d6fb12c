"""The load generator and the echo server: those in C where a compiler is found, else those in Python.

Both kinds take the same order and tell the same; the ones in C use a tenth of the processor time for each request,
which on two cores is time that the server under measurement gets.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import msgspec

from supervisor.bench.load import Order

COMPILERS: Final = ("cc", "gcc", "clang")
USAGE: Final = 2
"""Exit code of a program that was started without arguments: so it can be started here at all."""


class Programs(Protocol):
    """How the two are started."""

    language: str

    def load(self, order: Order) -> tuple[list[str], bytes]:
        """Return the load generator's command line, and what goes to its standard input."""
        ...

    def echo(self, path: str, reply_bytes: int) -> list[str]:
        """Return the echo server's command line."""
        ...


class InPython:
    """Those that always run."""

    language = "Python"

    def load(self, order: Order) -> tuple[list[str], bytes]:
        """See `Programs`."""
        return [sys.executable, "-m", "supervisor.bench.load"], msgspec.json.encode(order)

    def echo(self, path: str, reply_bytes: int) -> list[str]:
        """See `Programs`."""
        return [sys.executable, "-m", "supervisor.bench.echo", path, str(reply_bytes)]


class InC:
    """Compiled into a folder that goes with this process. Raises Uncompiled."""

    language = "C"

    def __init__(self, compiler: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="perdure-load-")
        for name in ("load", "echo"):
            self._compile(compiler, name)

    def load(self, order: Order) -> tuple[list[str], bytes]:
        """See `Programs`."""
        what = (order.protocol, order.connections, order.depth, order.prefix)
        until = (order.seconds, order.warm_s, order.requests)
        return [self._place("load"), order.socket, *map(str, what), *map(str, until)], b""

    def echo(self, path: str, reply_bytes: int) -> list[str]:
        """See `Programs`."""
        return [self._place("echo"), path, str(reply_bytes)]

    def _place(self, name: str) -> str:
        return str(Path(self._folder.name) / name)

    def _compile(self, compiler: str, name: str) -> None:
        source = Path(__file__).with_name(f"{name}.c")
        try:
            subprocess.run([compiler, "-O2", "-o", self._place(name), str(source)], capture_output=True, check=True)
            tried = subprocess.run([self._place(name)], capture_output=True, check=False)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Uncompiled(str(error)) from error
        if tried.returncode != USAGE:
            raise Uncompiled(f"{name} ended with {tried.returncode}")


class Uncompiled(Exception):
    """The compiler is none, or what it made does not run here (a temporary folder without execution)."""


@cache
def programs() -> Programs:
    """Return what this process uses, the same each time: rates of two generators cannot be compared."""
    for name in COMPILERS:
        compiler = shutil.which(name)
        if compiler is not None:
            try:
                return InC(compiler)
            except Uncompiled:
                continue
    return InPython()
