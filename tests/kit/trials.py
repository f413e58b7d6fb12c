"""A small trial as its record and its evidence tell it: clean, until a test plants something in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import msgspec

from actors.model.facts import Fact
from supervisor.chaos.evidence import Evidence, Journal, Line
from supervisor.chaos.record import Exchange
from supervisor.trials.agent import command_line, printed
from tests.kit.stores import SESSION, created, session_appended, session_created

COPY = "/scratch/w0-1"
SECONDS = 0.2
RUN = "01a1fde4-0000-7000-8000-000000000001"


@attrs.define
class History:
    """Exchanges and lines, made one after the other; each takes a tenth of a second of its own."""

    record: list[Exchange] = attrs.field(factory=list)
    lines: list[Line] = attrs.field(factory=list)
    live: dict[tuple[str, str], dict[str, Any]] = attrs.field(factory=dict)
    messages: dict[str, tuple[Any, ...]] = attrs.field(factory=dict)
    texts: dict[str, str] = attrs.field(factory=dict)
    outputs: dict[str, bytes] = attrs.field(factory=dict)
    followed: dict[str, tuple[Any, ...]] = attrs.field(factory=dict)
    blows_s: tuple[float, ...] = ()

    def ask(self, method: str, result: Any = None, *facts: Fact, **members: Any) -> Exchange:
        """Add an exchange, and the line that holds its facts."""
        number = len(self.record) + 1
        params = {"idempotency_key": f"k{number}", **members.pop("params", {})}
        told = {"sent_s": number, "answered_s": number + 0.5, **members}
        one = Exchange(client="w0", number=number, method=method, params=params, result=result, **told)
        self.record.append(one)
        if facts:
            self.commit(*facts, key=one.key, method=method)
        return one

    def commit(self, *facts: Fact, key: str | None = None, method: str = "own") -> None:
        """Add a line."""
        seq = len(self.lines) + 1
        self.lines.append(Line(seq, seq - 1, key, method, facts))

    def change(self, number: int, **members: Any) -> None:
        """Plant something in an exchange."""
        self.record[number - 1] = attrs.evolve(self.record[number - 1], **members)

    def evidence(self) -> Evidence:
        """Everything that is there."""
        heard = [
            {"seq": line.seq, "facts": [[fact.op, fact.id, fact.rev] for fact in line.facts]} for line in self.lines
        ]
        return Evidence(
            journal=Journal(self.lines),
            live=self.live,
            messages=self.messages,
            texts=self.texts,
            outputs=self.outputs,
            followed=self.followed or {"all": ({"kinds": ()}, *heard)},
            blows_s=self.blows_s,
        )

    def found(self, check: Callable[[Sequence[Exchange], Evidence], Any]) -> tuple[str, ...]:
        """What a checker finds."""
        verdict = check(self.record, self.evidence())
        assert verdict.checks > 0
        found: tuple[str, ...] = verdict.violations
        return found


def row_of(fact: Fact) -> dict[str, Any]:
    """The row of a fact that holds a whole one."""
    row: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(fact.data))
    return row


def clean() -> History:
    """A history in which every promise was kept. The tests know its exchanges by their numbers."""
    history = History()
    first = created("a")
    history.ask("task.create", row_of(first), first)  # 1
    history.live["tasks", "a"] = row_of(first)
    history.ask("task.get", row_of(first), params={"id": "a"})  # 2
    parts = [created(f"b-{n}", description="batch-w0-1") for n in range(3)]
    commands = [{"method": "task.create", "params": {"id": part.id, "description": "batch-w0-1"}} for part in parts]
    rows = [row_of(part) for part in parts]
    history.ask("batch.apply", {"results": rows}, *parts, params={"commands": commands})  # 3
    history.live |= {("tasks", row["id"]): row for row in rows}
    refused = [{"method": "task.create", "params": {"id": "never", "description": "batch-w0-2"}}]
    history.ask("batch.apply", error="not_found", allowed=("not_found",), params={"commands": refused})  # 4
    history.ask("task.list", {"tasks": rows, "next_cursor": None})  # 5
    session = session_created()
    history.ask("session.create", {**row_of(session), "messages": None}, session)  # 6
    said = session_appended(2, 1, [{"content": "w0 says 1"}])
    answer = {"id": SESSION, "rev": 2, "message_count": 1}
    append = {"id": SESSION, "messages": [{"content": "w0 says 1"}]}
    history.ask("session.append", answer, said, params=append)  # 7
    history.messages[SESSION] = ({"content": "w0 says 1"},)
    logged = {"id": f"session_{SESSION}", "bytes": 10, "rev": 1, "offset": 0, "text": "w0 says 2\n"}
    fact = Fact(op="log.appended", id=f"session_{SESSION}", rev=1, data=logged)
    history.ask("log.append", {"bytes": 10}, fact, params={"session_id": SESSION, "text": "w0 says 2\n"})  # 8
    history.texts[SESSION] = "w0 says 2\n"
    history.ask("task.create", row_of(first), params={"idempotency_key": "k1"}, marks={"repeats": 1})  # 9
    abuse = {"idempotency_key": "k1", "type": "chaos:other", "message": "w0 says 3"}
    history.ask("event.record", error="conflict", allowed=("conflict",), params=abuse, marks={"abuses": 1})  # 10
    for lease, task in ((1, "b-0"), (2, "b-1")):  # 11, 12
        claim = Fact(op="task.claimed", id=task, rev=2, data={"lease": lease, "status": "running"})
        row = {**history.live["tasks", task], "lease": lease, "status": "running", "rev": 2}
        history.ask("task.claim", row, claim)
        history.live["tasks", task] = row
    _add_run(history)
    history.ask("runtime.ping", {"pong": True, "seq": len(history.lines)})  # 14
    told = created("told")
    history.ask("task.create", row_of(told), told, told=("storage_failed",))  # 15
    history.live["tasks", "told"] = row_of(told)
    journal = Journal(history.lines)
    talked = journal.row_at(("sessions", SESSION), 2)
    assert talked is not None
    history.live["sessions", SESSION] = talked
    history.change(6, result=journal.row_at(("sessions", SESSION), 1))
    return history


def _add_run(history: History) -> None:
    argv = command_line(COPY, SECONDS)
    whole = b"".join(printed(COPY, SECONDS))
    queued = {"id": RUN, "task_id": None, "status": "queued", "rev": 1, "argv": argv, "exit_code": None}
    history.ask(  # 13
        "run.exec",
        {**queued, "task_id": "a"},
        Fact(op="run.queued", id=RUN, rev=1, data={**queued, "task_id": "a"}),
        marks={"seconds": SECONDS, "copy": COPY},
    )
    ended = {"status": "exited", "exit_code": 0, "stdout": {"bytes": len(whole), "path": "x"}}
    history.commit(Fact(op="run.ended", id=RUN, rev=2, data=ended))
    finished = {"status": "completed"}
    history.commit(Fact(op="task.completed", id="a", rev=2, data=finished))
    history.live["tasks", "a"] = {**history.live["tasks", "a"], **finished, "rev": 2}
    history.live["runs", RUN] = {**queued, "task_id": "a", **ended, "rev": 2}
    history.outputs[RUN] = whole
