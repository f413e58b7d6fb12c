"""Killed at each step of delivering output, on either side: the log has every byte once, and the end comes once."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.perdure import CHECKOUT, Perdure, perdure
from tests.kit.whole_runs import RESTLESS, facts_of, log_of, over, runs_of

TRAPS = Path(__file__).parent.parent / "kit" / "traps"

LINES = 3000
AGENT = f"""
import os, sys, time
for number in range({LINES}):
    os.write(1, b"line %d\\n" % number)
    if number % 10 == 0:
        os.write(2, b"error %d\\n" % number)
    if number % 300 == 0:
        time.sleep(0.02)
sys.exit(3)
"""
STDOUT = b"".join(b"line %d\n" % number for number in range(LINES))
STDERR = b"".join(b"error %d\n" % number for number in range(0, LINES, 10))

IN_THE_RUNTIME = [
    ("actors.agents.output|AgentOutput.take", "Output", (1, 4)),
    ("actors.storage.run_logs|RunLogs.write", "", (1, 4)),
    ("supervisor.runtime.agents_link|AgentsLink.acknowledge", "", (1, 4)),
    ("actors.agents.ends|Ends.heard", "Ended", (1,)),
    ("actors.storage.run_logs|RunLogs.sync", "", (1,)),
    ("actors.agents.notes|Notes.ended", "", (1,)),
    ("actors.storage.disk_store|DiskStore.commit", "run.ended", (1,)),
    ("actors.agents.orders|Orders.bury", "", (1,)),
]
"""Step, what its arguments hold, and at which times it is met."""

IN_THE_HOST = [
    ("supervisor.agents.agent|Pipe.read", "", (1, 6)),
    ("supervisor.agents.buffers|Window.next_chunk", "", (1, 6)),
    ("supervisor.agents.connection|Connection.post", "Output", (1, 4)),
    ("supervisor.agents.connection|Connection.flush", "", (3, 12)),
    ("supervisor.agents.buffers|Window.acknowledge", "", (1, 4)),
    ("supervisor.agents.connection|Connection.post", "Ended", (1,)),
    ("supervisor.agents.runs|Runs._bury", "", (1,)),
]


def cases(table: list[tuple[str, str, tuple[int, ...]]]) -> Iterator[Any]:
    """Every trap of a table; steps that are met again and again are met late in the long form."""
    for step, word, counts in table:
        for count, when in itertools.product(counts, ("before", "after")):
            marks = [pytest.mark.long] if count != counts[0] else []
            yield pytest.param(f"{step}|{when}|{count}|{word}", marks=marks)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    """One Perdure for all: what is killed is replaced."""
    folder = tmp_path_factory.mktemp("p")
    with perdure(folder, trap=str(folder / "trap"), **RESTLESS, runs__interruptions_max="1000") as running:
        running.environment["PYTHONPATH"] = f"{TRAPS}:{CHECKOUT}"
        running.start()
        yield running


def carried_out(whole: Perdure, laid: str) -> list[dict[str, Any]]:
    """Run the agent with a trap laid; return the runs that it took, the oldest first."""
    trap = whole.folder / "trap"
    unfinished = whole.folder / "trap.new"
    unfinished.write_text(laid)
    unfinished.rename(trap)
    made = whole.call("run.exec", argv=[sys.executable, "-c", AGENT])
    while over(whole, runs_of(whole, made["task_id"])[-1]["id"])["status"] == "interrupted":
        pass
    runs = [over(whole, run["id"]) for run in runs_of(whole, made["task_id"])]
    # The last steps come after the end's fact: they are met by now, or with the next thing that happens.
    whole.call("runtime.ping")
    assert over(whole, whole.call("run.exec", argv=["true"])["id"])["status"] in {"exited", "interrupted"}
    assert not trap.exists(), "nobody came by"
    for run in runs:
        facts = facts_of(whole, run["id"])
        assert (facts.count("run.ended"), facts.count("run.queued")) == (1, 1)
    return runs


def assert_whole(whole: Perdure, run: dict[str, Any]) -> None:
    assert (run["status"], run["exit_code"]) == ("exited", 3)
    assert log_of(whole, run).read_bytes() == STDOUT
    assert log_of(whole, run, "stderr").read_bytes() == STDERR
    assert (run["stdout"]["bytes"], run["stderr"]["bytes"]) == (len(STDOUT), len(STDERR))


@pytest.mark.parametrize("laid", list(cases(IN_THE_RUNTIME)))
def test_a_runtime_killed_at_any_step_loses_and_doubles_nothing(whole: Perdure, laid: str) -> None:
    (run,) = carried_out(whole, laid)
    assert_whole(whole, run)


@pytest.mark.parametrize("laid", list(cases(IN_THE_HOST)))
def test_a_host_killed_at_any_step_leaves_a_true_beginning_and_the_next_run_is_whole(whole: Perdure, laid: str) -> None:
    *interrupted, last = carried_out(whole, laid)
    assert_whole(whole, last)
    assert len(interrupted) <= 1
    for run in interrupted:
        for stream, whole_output in (("stdout", STDOUT), ("stderr", STDERR)):
            path = log_of(whole, run, stream)
            written = path.read_bytes() if path.exists() else b""
            assert whole_output.startswith(written)
            assert run[stream]["bytes"] == len(written)
