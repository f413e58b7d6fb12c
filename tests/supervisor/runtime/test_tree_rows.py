"""The tree as rows: parents first, with what its mailbox and its last crash tell; ready for JSON."""

from __future__ import annotations

import json

from actors.kernel.mailbox import DeadLetter, Mailbox
from actors.kernel.ref import Ask
from supervisor.runtime.tree_rows import crash_as_json, tree_rows
from supervisor.tree.report import CrashReport
from supervisor.tree.rules import ChildKind
from supervisor.tree.states import ChildState
from supervisor.tree.trace import Trace
from supervisor.tree.view import ChildView

CRASH = CrashReport(
    id="0123456789ab",
    path="runtime/core/tasks",
    incarnation=1,
    reason="crashed",
    exception_type="ZeroDivisionError",
    message="division by zero",
    trace=Trace(ValueError("lost")),
    uptime_s=1.5,
    at="2026-03-01T12:00:00.000Z",
)


def view(path: str, *children: ChildView, crash: CrashReport | None = None) -> ChildView:
    return ChildView(
        name=path.rpartition("/")[2],
        path=path,
        kind=ChildKind.SUPERVISOR if children else ChildKind.WORKER,
        state=ChildState.RUNNING,
        started_at_s=1.0,
        uptime_s=2.00049,
        last_crash=crash,
        children=children,
    )


TREE = view(
    "runtime",
    view("runtime/core", view("runtime/core/tasks", crash=CRASH), view("runtime/core/sessions")),
    view("runtime/gateway"),
)


def test_parents_come_before_their_children() -> None:
    paths = [row["path"] for row in tree_rows(TREE, {})]
    assert paths == ["runtime", "runtime/core", "runtime/core/tasks", "runtime/core/sessions", "runtime/gateway"]


def test_rows_are_plain_json() -> None:
    rows = tree_rows(TREE, {"tasks": Mailbox("tasks", 1)})
    assert json.loads(json.dumps(rows)) == rows


def test_a_row_tells_of_its_mailbox_and_its_dead_letters() -> None:
    mailbox = Mailbox("tasks", 10)
    mailbox.offer([Ask("a"), Ask("b")])
    mailbox.dead_letters.append(DeadLetter(mailbox="tasks", what="task.create", crash_id="c0ffee"))
    rows = {row["name"]: row for row in tree_rows(TREE, {"tasks": mailbox})}
    assert rows["tasks"]["mailbox_depth"] == rows["tasks"]["mailbox_depth_max"] == 2
    assert rows["tasks"]["dead_letters"] == [{"mailbox": "tasks", "what": "task.create", "crash_id": "c0ffee"}]
    assert "mailbox_depth" not in rows["gateway"]


def test_a_crash_is_told_without_its_traceback() -> None:
    told = crash_as_json(CRASH)
    assert "traceback" not in told
    assert (told["id"], told["reason"], told["message"]) == ("0123456789ab", "crashed", "division by zero")
    assert told["uptime_s"] == 1.5
    (tasks,) = (row for row in tree_rows(TREE, {}) if row["name"] == "tasks")
    assert tasks["last_crash"] == told
