"""The load generator and the echo server: those in C where a compiler is found, else those in Python.

Both kinds take the same order and tell the same; the ones in C use a tenth of the processor time for each request,
which on two cores is time that the server under measurement gets.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextvars import ContextVar
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
    """Compiled into a folder, and there as long as that is. Raises Uncompiled."""

    language = "C"

    def __init__(self, compiler: str, folder: Path) -> None:
        self._folder = folder
        for name in ("load", "echo"):
            self._compile(compiler, name)

    def load(self, order: Order) -> tuple[list[str], bytes]:
        """See `Programs`."""
        what = (order.protocol, order.connections, order.depth, order.prefix)
        until = (order.seconds, order.warm_s, order.requests)
        return [str(self._folder / "load"), order.socket, *map(str, what), *map(str, until)], b""

    def echo(self, path: str, reply_bytes: int) -> list[str]:
        """See `Programs`."""
        return [str(self._folder / "echo"), path, str(reply_bytes)]

    def _compile(self, compiler: str, name: str) -> None:
        source, made = Path(__file__).with_name(f"{name}.c"), str(self._folder / name)
        try:
            subprocess.run([compiler, "-O2", "-o", made, str(source)], capture_output=True, check=True)
            tried = subprocess.run([made], capture_output=True, check=False)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Uncompiled(str(error)) from error
        if tried.returncode != USAGE:
            raise Uncompiled(f"{name} ended with {tried.returncode}")


class Uncompiled(Exception):
    """The compiler is none, or what it made does not run here (a folder without execution)."""


_chosen: ContextVar[Programs] = ContextVar("programs", default=InPython())  # noqa: B039  it holds nothing


def programs() -> Programs:
    """Return those in use: the same for a whole measurement, for rates of two generators cannot be compared."""
    return _chosen.get()


@contextlib.contextmanager
def best_programs(folder: Path) -> Iterator[Programs]:
    """Use the best there are; those in C are compiled into `folder`."""
    token = _chosen.set(_best(folder))
    try:
        yield programs()
    finally:
        _chosen.reset(token)


def _best(folder: Path) -> Programs:
    for name in COMPILERS:
        compiler = shutil.which(name)
        if compiler is not None:
            try:
                return InC(compiler, folder)
            except Uncompiled:
                continue
    return InPython()
