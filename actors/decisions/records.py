"""Decisions about what is only recorded: events, text logs, reports, and runs that somebody else carries out.

An event's row has no seq of its own: its id is unique, and its seq is that of the journal line which holds it, as
`event.list` and subscriptions show it. A log's row counts bytes and a report's row is an index; the text and the data
travel beside them, to their files.
"""

from __future__ import annotations

from typing import Any

import attrs
import msgspec

from actors.decisions.decision import At, Decision, Handler, encode, row_reply, whole
from actors.messages import records as ask
from actors.model.draft import Draft
from actors.model.errors import AlreadyExists, Conflict, InvalidParams
from actors.model.facts import Fact
from actors.model.ids import clean_id, given_session_id, new_id
from actors.model.run import Run, Stream
from actors.model.stamps import given_stamp
from actors.model.state import Lookup
from actors.model.tables import decode_run


class _Sized(msgspec.Struct):
    bytes: int = 0
    created_at: str = ""


def record_event(draft: Draft, asked: ask.EventRecord, at: At) -> Decision:
    """Write an event into the journal."""
    event_id = new_id()
    row = {
        "id": event_id,
        "created_at": at.stamp,
        "level": asked.level,
        "type": asked.type,
        "message": asked.message,
        "detail": asked.detail,
        "rev": draft.next_rev("events", event_id),
    }
    fact = Fact(op="event.recorded", id=event_id, rev=row["rev"], data=msgspec.Raw(encode(row)))
    return Decision((fact,), (event_id,))


def log_name(session_id: str) -> str:
    """Return the name under which the table `logs` and the folder logs/ know a session's text log."""
    return f"session_{session_id}"


def append_log(draft: Draft, asked: ask.LogAppend, _at: At) -> Decision:
    """Add text at the end of a session's log; the session itself need not be known."""
    name = log_name(given_session_id(asked.session_id, "session_id")[0])
    offset = log_bytes(draft, name)
    rev = draft.next_rev("logs", name)
    data = {"id": name, "bytes": offset + len(asked.text.encode()), "rev": rev, "offset": offset, "text": asked.text}
    return Decision((Fact(op="log.appended", id=name, rev=rev, data=data),), (name,))


def log_bytes(lookup: Lookup, name: str) -> int:
    """Return how long a text log is; 0 when there is none."""
    row = lookup.row("logs", name)
    return 0 if row is None else msgspec.json.decode(row.encoded, type=_Sized).bytes


def save_report(draft: Draft, asked: ask.ReportSave, at: At) -> Decision:
    """Keep a report; one with the same id is replaced, and keeps the time at which it was first made."""
    report_id = clean_id(asked.id) if asked.id is not None else new_id()
    before = draft.row("reports", report_id)
    if before is not None and asked.id not in (None, report_id):
        raise AlreadyExists(f"{asked.id!r} becomes {report_id}, and there is such a report already", id=report_id)
    known = None if before is None else msgspec.json.decode(before.encoded, type=_Sized)
    rev = draft.next_rev("reports", report_id)
    data = {
        "id": report_id,
        "created_at": at.stamp if known is None else known.created_at,
        "bytes": len(encode(asked.data)),
        "rev": rev,
        "data": asked.data,
    }
    return Decision((Fact(op="report.saved", id=report_id, rev=rev, data=data),), (report_id,))


def put_run(draft: Draft, asked: ask.RunPut, _at: At) -> Decision:
    """Record a run as its carrier tells it: what is not said stays as it was, or as a new run has it."""
    given = asked.run
    run_id = clean_id(given.id, "run.id")
    row = draft.row("runs", run_id)
    before = Run(id=run_id) if row is None else decode_run(row.encoded)
    if before.is_own:
        raise Conflict(f"run {run_id} is carried out by Perdure itself", hint="run.stop ends it", id=run_id)
    changes: dict[str, Any] = {
        name: value
        for name in given.__struct_fields__
        if name not in {"id", "rev"} and (value := getattr(given, name)) is not msgspec.UNSET
    }
    if changes.get("session_id") is not None:
        changes["session_id"] = given_session_id(changes["session_id"], "run.session_id")[0]
    if changes.get("task_id") is not None:
        changes["task_id"] = clean_id(changes["task_id"], "run.task_id")
    for name in ("started_at", "ended_at"):
        if changes.get(name) is not None:
            changes[name] = given_stamp(changes[name], f"run.{name}")
    for name in ("stdout", "stderr"):
        if name in changes:
            changes[name] = Stream(bytes=changes[name].bytes, path=changes[name].path)
    run = attrs.evolve(before, **changes, rev=draft.next_rev("runs", run_id))
    if run.is_own:
        raise InvalidParams.of("run.stdout.path", "this is where Perdure keeps the output of a run of its own")
    return Decision((whole("run.recorded", run),), (run_id,))


def _log_reply(lookup: Lookup, ids: tuple[str, ...]) -> bytes:
    return encode({"bytes": log_bytes(lookup, ids[0])})


def _report_reply(_lookup: Lookup, ids: tuple[str, ...]) -> bytes:
    return encode({"id": ids[0], "path": f"reports/report_{ids[0]}.json"})


EVENTS: dict[type, Handler] = {ask.EventRecord: Handler(record_event, row_reply("events"))}
REPORTS: dict[type, Handler] = {
    ask.LogAppend: Handler(append_log, _log_reply),
    ask.ReportSave: Handler(save_report, _report_reply),
}
RUNS: dict[type, Handler] = {ask.RunPut: Handler(put_run, row_reply("runs"))}
"""Parameters → what they do, by the actor that owns the rows."""

HANDLERS: dict[type, Handler] = {**EVENTS, **REPORTS, **RUNS}
"""All of them, for batches."""
