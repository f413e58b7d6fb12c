"""Lives of tasks, sessions, services and records as journal lines that are the same whenever they are made.

With the lives of runs (`golden_runs`) and the golden directory (`golden`) they hold every fact that a journal may hold.
What clients and supervisors cause is decided as ever; what recovery and a restore write is given as they write it.

Run as a program (`python -m tests.kit.golden_facts DIRECTORY`) it makes the golden files anew, after a change of format
that was meant.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from actors.decisions import services, tasks_retention
from actors.decisions.claims import expire
from actors.decisions.decision import Rules
from actors.decisions.runs_ends import Ending, ended
from actors.decisions.runs_life import started
from actors.messages import services as serve
from actors.messages import sessions as session
from actors.messages import tasks as task
from actors.model.facts import Fact
from actors.running.rules import RunRules
from actors.running.services import ServiceSpec
from actors.storage.journal_decoding import encode_body
from tests.kit.decided import Bench
from tests.kit.decided_runs import own

JOURNAL: Final = "facts.journal.jsonl"
ROWS: Final = "facts.rows.jsonl"

TABLES: Final = ("tasks", "sessions", "services", "runs", "logs", "reports", "daemon")

ONE: Final = "11111111-2222-4333-8444-555555555555"
OTHER: Final = "99999999-2222-4333-8444-555555555555"
HELLO: Final = {"role": "user", "content": "naïve ☕"}
SERVED: Final = RunRules(
    services={"codex": ServiceSpec(name="codex", command="codex", args=("app-server",))}, cwd="/state", up_at="first"
)
RULES: Final = Rules(logs_kept=1, sessions_max=1, archive_tasks_after_days=90.0, runs=SERVED)


def lives() -> Bench:
    """Let everything live that is no run of an agent."""
    bench = Bench(rules=RULES)
    _tasks(bench)
    _sessions(bench)
    _services(bench)
    _records(bench)
    return bench


def files_of(bench: Bench) -> dict[str, bytes]:
    """Return the golden files: the lines, and the rows that they lead to."""
    lines = [b"{%b}" % encode_body(line.ts, line.cmd, line.facts) for line in bench.lines]
    rows = [row.encoded for name in TABLES for row in bench.tables.by_name[name].rows.values()]
    return {JOURNAL: b"\n".join(lines) + b"\n", ROWS: b"\n".join(rows) + b"\n"}


def _tasks(bench: Bench) -> None:
    """Saved, claimed, given back, run out, failed, reopened, logged, archived; adopted and restored."""
    bench.do(task.TaskSave(task=task.WholeTask(id="a", description="naïve ☕", metadata={"é": [1, None, 0.5]})))
    claimed = bench.do(task.TaskClaim(worker="w"))
    bench.do(task.TaskRelease(id="a", lease=claimed["lease"]))
    claimed = bench.do(task.TaskClaim(worker="w"))
    own(bench, lambda draft, at: expire(draft, "a", claimed["lease"], at))
    bench.do(task.TaskStart(id="a"))
    bench.do(task.TaskFail(id="a", error="no"))
    bench.do(task.TaskReopen(id="a"))
    for number in range(3):
        bench.do(task.TaskLog(id="a", message=f"entry {number}"))
    bench.do(task.TaskStart(id="a"))
    bench.do(task.TaskComplete(id="a", result={"text": "done"}))
    row = bench.row("tasks", "a")
    bench.commit(Fact(op="task.adopted", id="b", rev=7, data={**row, "id": "b", "rev": 7}))
    bench.commit(Fact(op="task.restored", id="b", rev=8, data={**row, "id": "b", "description": "before", "rev": 8}))
    bench.pass_s(91 * 86_400.0)
    own(bench, lambda draft, at: tasks_retention.overdue(draft, at, None).decision)


def _sessions(bench: Bench) -> None:
    """Saved, loaded, renamed, closed, changed, seen, archived beyond the limit; adopted, restored and rewound."""
    made: dict[str, Any] = {"title": "t", "provider": "anthropic", "model": "m", "working_directory": "/w"}
    bench.do(session.SessionCreate(id=ONE, messages=(HELLO,), **made))
    bench.do(session.SessionLoad(id=ONE))
    bench.do(session.SessionRename(id=ONE, title="renamed"))
    bench.do(session.SessionSave(id=ONE, messages=(HELLO, HELLO)))
    bench.do(session.SessionAlias(id=ONE, alias="mine"))
    bench.do(session.SessionPut(session=session.WholeSession(id=ONE, external_ids=("claude-1",))))
    bench.do(session.SessionSeen(external_id="claude-1", cwd="/w", git=session.GivenGit(branch="main")))
    bench.do(session.SessionClose(id=ONE, outcome="done", reason="enough"))
    bench.pass_s(1.0)
    bench.do(session.SessionCreate(id=OTHER, **made))
    row = bench.row("sessions", OTHER)
    for rev, op, aside in (
        (2, "session.adopted", {}),
        (3, "session.restored", {"archive": "1", "messages": [HELLO]}),
        (4, "session.rewound", {"source": f"archive/sessions/{OTHER}/before-rev-3.jsonl", "keep": 1}),
    ):
        bench.commit(Fact(op=op, id=OTHER, rev=rev, data={**row, "message_count": 1, **aside, "rev": rev}))


def _services(bench: Bench) -> None:
    """Configured, begun, started, exited, backed off, given up, wanted again, stopped, and taken out."""
    own(bench, services.configured)
    for number, judged in enumerate((serve.LifeDelayed, serve.GivenUp)):
        life = f"life-{number}"
        bench.do(serve.LifeBegin(name="codex", run_id=life, is_judged=number > 0, is_restart=number > 0))
        own(bench, started, run_id=life, pid=4242, pid_started=171)
        left = Ending(happening="exit", exit_code=3, stdout_bytes=3, stderr_bytes=0)
        own(bench, ended, run_id=life, ending=left)
        more: dict[str, Any] = {"message": "too often"} if judged is serve.GivenUp else {}
        bench.do(judged(name="codex", run_id=life, **more))
    bench.do(serve.ServiceStart(name="codex"))
    bench.do(serve.ServiceStop(name="codex"))
    bench.rules = msgspec.structs.replace(RULES, runs=attrs.evolve(SERVED, services={}))
    own(bench, services.configured)


def _records(bench: Bench) -> None:
    """A report that is removed, and the record of Perdure itself."""
    report = {"id": "r", "created_at": bench.stamp, "bytes": 7, "rev": 1, "data": {"a": 1}}
    bench.commit(Fact(op="report.saved", id="r", rev=1, data=report))
    bench.commit(Fact(op="report.removed", id="r", rev=2, data={}))
    for rev, op in ((1, "daemon.started"), (2, "daemon.stopped")):
        row = {"id": "daemon", "started": rev == 1, "started_at": bench.stamp, "pid": 1, "rev": rev}
        bench.commit(Fact(op=op, id="daemon", rev=rev, data=msgspec.Raw(msgspec.json.encode(row))))


if __name__ == "__main__":
    for name, content in files_of(lives()).items():
        (Path(sys.argv[1]) / name).write_bytes(content)
