"""Runs on a bench: the tool that tests run, and what the runs actor decides by itself."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.decisions.decision import Decision, Rules
from actors.decisions.runs_life import order, started
from actors.messages import runs as ask
from actors.running.rules import RunRules
from actors.running.tools import Tool
from tests.kit.decided import Bench

TALKER = Tool(
    name="TALKER", argv=("talk", "{session_id}", "{description}", "{task_id}"), resume=("talk", "again", "{session_id}")
)
RULES = Rules(runs=RunRules(tools={"TALKER": TALKER}, cwd="/state"))


def own(bench: Bench, decide: Any, **given: Any) -> Decision:
    """Decide what the runs actor does by itself, and commit it."""
    decision: Decision = decide(bench.draft(), bench.at, **given)
    if decision.facts:
        bench.commit(*decision.facts)
    return decision


def row(bench: Bench, table: str, row_id: str) -> dict[str, Any]:
    found = bench.tables.row(table, row_id)
    assert found is not None
    decoded: dict[str, Any] = msgspec.json.decode(found.encoded)
    return decoded


def a_run(bench: Bench, status: str = "queued") -> dict[str, Any]:
    """A run of a task of its own, as far as wanted."""
    made: dict[str, Any] = bench.do(ask.RunExec(argv=("true",)))
    if status != "queued":
        own(bench, order, run_id=made["id"])
    if status == "running":
        own(bench, started, run_id=made["id"], pid=1, pid_started=2)
    return row(bench, "runs", made["id"])
