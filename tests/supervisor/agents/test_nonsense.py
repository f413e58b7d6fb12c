"""Orders that make no sense, in any order: at most the connection is lost, never a host, an agent or a byte."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.messages.agents import Bury, End, Offsets, Spawn, Started
from supervisor.agents import protocol
from supervisor.agents.frames import FRAME_BYTES_MAX, encode
from tests.kit.agents import agent, running_host

RUNS = ("other", "nobody")


def any_order(rng: random.Random) -> Any:
    """One order, of the right form and about anything; none that may end the steady agent."""
    run_id = rng.choice(RUNS)
    offset = rng.choice([0, 1, 5, 1 << 20, 1 << 61])
    stream: Any = rng.choice(["stdout", "stderr"])
    return rng.choice(
        [
            protocol.Attach(version=protocol.VERSION, runs={run_id: Offsets(stdout=offset, stderr=0)}),
            protocol.Attach(version=protocol.VERSION, runs={}),
            protocol.Attach(version=protocol.VERSION + 1, runs={}),
            Spawn(run_id=run_id, argv=("true",), env={}, cwd=rng.choice(["/", "/no/such/folder"])),
            protocol.Acknowledge(run_id=run_id, stream=stream, offset=offset),
            End(run_id=run_id, grace_s=rng.choice([0, 3600])),
            Bury(run_id=run_id),
        ]
    )


def spoilt(rng: random.Random, said: bytes, kept: range) -> bytes:
    """What is left of orders when one end dies, or goes mad: cut anywhere, or with other bytes in it.

    No other bytes at the places `kept`: there is told how much of the output is durable, and one byte makes it a lie
    that a host has to believe.
    """
    kind = rng.choice(["whole", "cut", "changed", "oversize"])
    if kind == "cut":
        return said[: rng.randrange(len(said))]
    if kind == "changed":
        at = rng.choice([place for place in range(len(said)) if place not in kept])
        return said[:at] + rng.randbytes(rng.randrange(1, 9)) + said[at:]
    if kind == "oversize":
        return said + (FRAME_BYTES_MAX + rng.randrange(1, 1 << 31)).to_bytes(4, "big")
    return said


@pytest.mark.parametrize("rounds", [150, pytest.param(5000, marks=pytest.mark.long)])
def test_a_runtime_that_says_anything_harms_nobody(tmp_path: Path, rounds: int) -> None:
    seed = random.randrange(1 << 32)
    sys.stdout.write(f"seed {seed}\n")
    rng = random.Random(seed)
    with running_host(tmp_path) as host:
        first = host.link()
        first.attach()
        started = first.spawn("steady", agent("lines", 400, 0.002))
        assert isinstance(started, Started)
        first.close()
        for _ in range(rounds):
            begin = encode(protocol.Attach(version=protocol.VERSION, runs={"steady": Offsets()}))
            said = begin + b"".join(encode(any_order(rng)) for _ in range(rng.randrange(1, 8)))
            with host.door() as door:
                door.sendall(spoilt(rng, said, range(begin.index(b"steady"), len(begin))))
        last = host.link()
        attached = last.attach({"steady": Offsets()})
        assert "steady" in [row.run_id for row in attached.runs]
        ended = last.ended("steady")
        assert (ended.exit_code, ended.stdout_bytes) == (0, len(last.written["steady", "stdout"]))
        assert last.text("steady").splitlines() == [f"line {number}" for number in range(400)]
        assert isinstance(last.spawn("after", ("true",)), Started)
        assert last.ended("after").exit_code == 0
