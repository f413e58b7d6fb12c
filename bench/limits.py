"""What clients that misbehave cost: the runtime's memory idle and under each attack, and how others are served then.

`.venv/bin/python bench/limits.py [--connections 5000]`, with the default configuration but for the number of
connections. Memory is the highest of what is seen every few milliseconds; "slowest" is the longest that one other
client waited for an acknowledged command meanwhile, beside what it waits when all is quiet.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.kit.attacks import MIB, deaf, dripping, hostile, idle, memory_bytes, swollen
from tests.kit.perdure import Perdure, Wire, perdure

COMMANDS = 300


def measured(whole: Perdure, other: Wire, attack: AbstractContextManager[None]) -> tuple[int, float]:
    """Return the highest memory in bytes, and the longest wait for a command in seconds."""
    most_bytes, slowest_s = 0, 0.0
    with attack:
        for _ in range(COMMANDS):
            begun_s = time.monotonic()
            other.call("event.record", type="note", message="is anybody there?")
            slowest_s = max(slowest_s, time.monotonic() - begun_s)
            most_bytes = max(most_bytes, memory_bytes(whole))
    return most_bytes, slowest_s


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=5000)
    number = parser.parse_args().connections
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, number + 300), hard))
    attacks: dict[str, Callable[[Perdure], AbstractContextManager[None]]] = {
        "idle": lambda _whole: nullcontext(),
        f"{number} connections": lambda whole: idle(whole, number),
        "500 connections, one byte after the other": lambda whole: dripping(whole, 500),
        "100 that never read their replies": lambda whole: deaf(whole, 100, "long"),
        "100 lines of 15 MiB that do not end": lambda whole: swollen(whole, 100, 15 * MIB),
        "20 that send hostile JSON": lambda whole: hostile(whole, 20),
    }
    print(f"{'':44}{'RSS, MiB':>10}{'slowest, ms':>14}")
    for name, attack in attacks.items():
        settings = {"gateway__connections_max": str(number + 100)}
        with tempfile.TemporaryDirectory() as folder, perdure(Path(folder) / "p", **settings) as whole:
            whole.start()
            with whole.wire() as other:
                other.call("task.create", id="long", description="x" * 100_000)
                most_bytes, slowest_s = measured(whole, other, attack(whole))
        print(f"{name:44}{most_bytes / MIB:10.1f}{slowest_s * 1000:14.1f}")


if __name__ == "__main__":
    main()
