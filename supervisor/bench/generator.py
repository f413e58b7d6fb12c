"""Runs the load generator, and knows its limit: a rate close to it says nothing about the server."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import msgspec

from supervisor.bench.load import Order, Outcome
from supervisor.bench.programs import programs

REPLY_BYTES: Final = 700
"""About as long as the row of a task of 300 bytes, so that reading it costs the same."""

LIMIT_SHARE: Final = 0.8
"""Above this part of what it reaches against the echo server, the generator may be what limits."""


@attrs.frozen
class Shape:
    """N connections with D requests in flight each."""

    connections: int
    depth: int

    def __str__(self) -> str:
        return f"{self.connections} × {self.depth}"


def load(order: Order) -> Outcome:
    """Run the load generator once. Raises RuntimeError when it fails or an answer was an error."""
    argv, given = programs().load(order)
    ended = subprocess.run(argv, input=given, capture_output=True, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"the load generator failed: {ended.stderr.decode(errors='replace')[-500:].strip()}")
    outcome = msgspec.json.decode(ended.stdout, type=Outcome)
    if outcome.errors:
        raise RuntimeError(f"{outcome.errors} of {sum(outcome.sent)} requests were answered with an error")
    return outcome


def limit(shape: Shape, seconds: float) -> Outcome:
    """Return what the generator reaches against a server that only answers."""
    with _echo() as path:
        return load(order_of(path, "perdure", shape, "echo", seconds))


def order_of(path: str, protocol: str, shape: Shape, prefix: str, seconds: float) -> Order:
    """Return the order of a timed run."""
    return Order(
        socket=path,
        protocol=protocol,
        connections=shape.connections,
        depth=shape.depth,
        prefix=prefix,
        seconds=seconds,
        warm_s=seconds / 5,
    )


def is_limit(rate: float, limit: float) -> bool:
    """Whether the generator may have been what limited `rate`."""
    return rate > LIMIT_SHARE * limit


@contextlib.contextmanager
def _echo() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="perdure-echo-") as folder:
        path = str(Path(folder) / "echo.sock")
        argv = programs().echo(path, REPLY_BYTES)
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            try:
                if server.stdout is None or not server.stdout.readline():
                    raise RuntimeError("the echo server did not start")
                yield path
            finally:
                server.kill()
