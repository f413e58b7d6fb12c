"""The lives of runs as journal lines that are the same byte for byte whenever they are made: one of every fact of runs.

Run as a program (`python -m tests.kit.golden_runs DIRECTORY`) it makes the golden files anew, after a change of format
that was meant.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import msgspec

from actors.decisions.decision import Rules
from actors.decisions.runs_ends import Ending, ended
from actors.decisions.runs_life import dropped, end_asked, identified, order, reported, started
from actors.decisions.runs_retention import overdue
from actors.messages import records as record
from actors.messages import runs as ask
from actors.messages import tasks as task
from actors.model.stamps import later
from actors.running.parsing import Reported
from actors.running.rules import RunRules
from actors.running.tools import Limits, Tool
from actors.storage.journal_decoding import encode_body
from tests.kit.decided import START, Bench
from tests.kit.decided_runs import own

JOURNAL: Final = "runs.journal.jsonl"
ROWS: Final = "runs.rows.jsonl"

TALKER: Final = Tool(
    name="TALKER",
    argv=("talk", "{description}", "{result_path}"),
    resume=("talk", "again", "{session_id}"),
    limits=Limits(wall_s=60.0),
)


AGED: Final = Rules(runs=RunRules(keep_days=30.0))


def lives() -> Bench:
    """Let runs live: one that is resumed and done, one that is stopped, one overtaken, one of somebody else's."""
    bench = Bench(rules=Rules(runs=RunRules(tools={"TALKER": TALKER}, cwd="/state", results="/tmp/results")))
    bench.do(task.TaskCreate(id="talk", description="naïve ☕", tool="TALKER"))
    first = bench.do(ask.RunStart(task_id="talk"))["id"]
    own(bench, order, run_id=first)
    own(bench, started, run_id=first, pid=4242, pid_started=171)
    own(bench, identified, run_id=first, vendor_session_id="thread-1")
    own(bench, ended, run_id=first, ending=Ending(happening="interrupt", reason="the agent host is gone"))
    (second,) = bench.tables.runs.queued
    own(bench, order, run_id=second)
    own(bench, started, run_id=second, pid=4243, pid_started=172)
    own(bench, reported, run_id=second, said=Reported({"text": None, "usage": {"input_tokens": 1}}))
    left = Ending(happening="exit", exit_code=0, stdout_bytes=3, stderr_bytes=0, result={"text": "done"})
    own(bench, ended, run_id=second, ending=left)
    stopped = bench.do(ask.RunExec(argv=("sleep", "9"), cwd="/w", env={"A": "1"}, timeout_s=5))["id"]
    own(bench, order, run_id=stopped)
    own(bench, started, run_id=stopped, pid=4244, pid_started=173)
    own(bench, end_asked, run_id=stopped, kind="stopped", message="somebody stopped it")
    own(bench, ended, run_id=stopped, ending=Ending(happening="exit", signal=15, stdout_bytes=0, stderr_bytes=0))
    overtaken = bench.do(ask.RunExec(argv=("true",)))
    bench.do(task.TaskCancel(id=overtaken["task_id"]))
    own(bench, dropped, run_id=overtaken["id"])
    bench.do(record.RunPut(run=record.WholeRun(id="foreign", status="exited", exit_code=0)))
    bench.do(record.RunPut(run=record.WholeRun(id="aged", status="exited", ended_at=later(START, -31 * 86_400.0))))
    bench.commit(*overdue(bench.draft(), msgspec.structs.replace(bench.at, rules=AGED), None).decision.facts)
    return bench


def files_of(bench: Bench) -> dict[str, bytes]:
    """Return the golden files: the lines, and the rows that they lead to. Made ids give way to numbered ones."""
    lines = [b"{%b}" % encode_body(line.ts, line.cmd, line.facts) for line in bench.lines]
    rows = [row.encoded for name in ("runs", "tasks") for row in bench.tables.by_name[name].rows.values()]
    files = {JOURNAL: b"\n".join(lines) + b"\n", ROWS: b"\n".join(rows) + b"\n"}
    for name, content in files.items():
        text = content
        for number, run_id in enumerate(run_id for run_id in bench.tables.runs.rows if run_id != "foreign"):
            text = text.replace(run_id.encode(), f"00000000-0000-7000-8000-{number:012d}".encode())
        made = (task_id for task_id in bench.tables.tasks.rows if task_id.startswith("task_"))
        for number, task_id in enumerate(made):
            text = text.replace(task_id.encode(), f"task_00000000-0000-7000-9000-{number:012d}".encode())
        files[name] = text
    return files


if __name__ == "__main__":
    for name, content in files_of(lives()).items():
        (Path(sys.argv[1]) / name).write_bytes(content)
