"""Services while everybody around them is killed: no life is lost or lived twice, no byte is."""

from __future__ import annotations

import random
from typing import Any

import pytest

from actors.model.errors import Conflict
from tests.kit.perdure import Perdure
from tests.kit.services import configure, running, server, service

RESTLESS = {
    "supervisor__process_restarts_max": "100000",
    "supervisor__restarts_max": "1000",
    "supervisor__backoff_max_s": "0.05",
    "chaos__enabled": "true",
}
BLOWS = ("runtime", "runs", "writer", "services", "restart", "stop")
NAMES = ("counter", "crashing")


def strike(whole: Perdure, blow: str, rng: random.Random) -> None:
    """Harm somebody, or have a service stopped and started."""
    name = rng.choice(NAMES)
    if blow == "runtime":
        whole.kill_runtime()
    elif blow == "restart":
        whole.call("service.restart", name=name)
    elif blow == "stop":
        assert whole.call("service.stop", name=name)["status"] == "stopped"
        assert service(whole, name)["pid"] is None
        whole.call("service.start", name=name)
    else:
        try:
            whole.call("actor.kill", name=blow, how=rng.choice(("crash", "cancel")))
        except Conflict:
            return  # it is still down from the blow before


def lives_of(whole: Perdure, name: str) -> list[dict[str, Any]]:
    """All lives of a service, the oldest first."""
    found = whole.call("run.list", limit=1000)["runs"]
    return sorted((run for run in found if run["tool"] == f"service:{name}"), key=lambda run: run["attempt"])


def printed(whole: Perdure, run: dict[str, Any]) -> str:
    path = whole.state_path / run["stdout"]["path"]
    return path.read_text() if path.exists() else ""


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_no_life_is_lost_or_lived_twice_whoever_is_killed(make: Any, seed: int) -> None:
    rng = random.Random(seed)
    whole: Perdure = make(**RESTLESS)
    crashing = {"command": "sh", "args": ["-c", "echo hi; sleep 0.1; exit 3"]}
    configure(whole, {"counter": server("counts"), "crashing": crashing})
    whole.start()
    running(whole, "counter")
    for _ in range(30):
        strike(whole, rng.choice(BLOWS), rng)
    running(whole, "counter")
    assert whole.stop() == 0
    whole.start()  # what is compared stands still: services of the new one have lives of their own
    for name in NAMES:
        lives = [run for run in lives_of(whole, name) if run["status"] not in {"starting", "running"}]
        assert [run["attempt"] for run in lives] == list(range(1, len(lives) + 1))
        assert {run["status"] for run in lives} <= {"exited", "cancelled"}
        for run in lives:
            text = printed(whole, run)
            assert len(text) == run["stdout"]["bytes"]
            if name == "crashing" and run["status"] == "exited":
                assert (text, run["exit_code"]) == ("hi\n", 3)
            if name == "counter":
                lines = [line for line in text.splitlines() if line != "bye"]
                assert lines == [f"line {number}" for number in range(len(lines))]
