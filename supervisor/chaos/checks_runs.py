"""The checker of what agents left: every byte that they printed is kept, none twice, and each run ended once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from actors.model.run import LIVE
from supervisor.chaos.evidence import Evidence
from supervisor.chaos.record import Exchange
from supervisor.chaos.verdict import Promise, Verdict
from supervisor.trials.agent import printed

_FINISHED: Final = ("completed", "failed", "cancelled")


def output(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """A run that exited by itself has all that its agent prints, any other the beginning of it."""
    expected = _expected(record)
    ends = Counter(fact.id for line in evidence.journal.lines for fact in line.facts if fact.op == "run.ended")
    violations = []
    checks = 0
    for (table, run_id), run in evidence.live.items():
        copy = _copy_of(run)
        if table != "runs" or copy not in expected:
            continue
        checks += 1
        kept = evidence.outputs.get(run_id, b"")
        whole = expected[copy]
        if run["status"] in LIVE:
            violations.append(f"run {run_id} is still {run['status']} when all is over")
        elif ends[run_id] > 1:
            violations.append(f"run {run_id} ended {ends[run_id]} times")
        if run["status"] == "exited" and run["exit_code"] == 0 and kept != whole:
            violations.append(f"run {run_id} printed {len(whole)} bytes, {_kept_otherwise(kept, whole)}")
        elif not whole.startswith(kept):
            violations.append(f"run {run_id} began to print {len(whole)} bytes, {_kept_otherwise(kept, whole)}")
        if run["stdout"]["bytes"] != len(kept):
            violations.append(f"run {run_id} has {run['stdout']['bytes']} bytes in its row and {len(kept)} in its log")
    violations += _unfinished(record, evidence)
    return Verdict.of(Promise.OUTPUT, checks, violations)


def _expected(record: Sequence[Exchange]) -> dict[str, bytes]:
    """What each agent prints, by the file that it was given."""
    return {
        one.marks["copy"]: b"".join(printed(one.marks["copy"], one.marks["seconds"]))
        for one in record
        if one.method == "run.exec" and "copy" in one.marks
    }


def _copy_of(run: Mapping[str, Any]) -> str:
    argv: list[str] = ["", "", *(run.get("argv") or [])]
    return argv[-2]


def _kept_otherwise(kept: bytes, whole: bytes) -> str:
    same = next((n for n, (one, other) in enumerate(zip(kept, whole, strict=False)) if one != other), None)
    return f"{len(kept)} are kept" if same is None else f"what is kept differs from byte {same} on"


def _unfinished(record: Sequence[Exchange], evidence: Evidence) -> list[str]:
    """Tasks of acknowledged runs that are not over: an interrupted run is tried again until one ends."""
    tasks = [one.result["task_id"] for one in record if one.method == "run.exec" and one.acknowledged]
    return [
        f"task {task_id} of a run is {task['status']} when all is over"
        for task_id in dict.fromkeys(tasks)
        if (task := evidence.live.get(("tasks", task_id))) is not None and task["status"] not in _FINISHED
    ]
