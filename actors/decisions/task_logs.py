"""A task's log: the newest entries stay in its row, older ones leave for `logs/task_<id>.log` (SPEC section 4).

The entries that leave travel in the same journal line, as `log.spilled` with the number of the first of them, so that
writing them to the file twice changes nothing. The table `logs` keeps how many have left. A deleted task's file stays,
and who has its id after it goes on in the same file: `log.left` says how many entries there are not the new one's.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import msgspec

from actors.decisions.decision import At, Decision, encode, needed_task, patch
from actors.messages import tasks as ask
from actors.messages.bounds import TEXT_CHARACTERS_MAX
from actors.model.draft import Draft
from actors.model.errors import Conflict, InvalidParams
from actors.model.facts import Fact
from actors.model.ids import clean_id
from actors.model.stamps import given_stamp
from actors.model.state import Lookup
from actors.model.tables import decode_task
from actors.model.task import LogEntry

LOG_CHARACTERS_MAX: Final = 2 * TEXT_CHARACTERS_MAX
"""Of a task's log in its row, which is read and written whole with every change: always the newest entry."""


class _Spilled(msgspec.Struct):
    entries: int = 0
    """In the file: the last one's number."""
    before: int = 0
    """Those of them that tasks left which had this id before and are gone."""


def log_name(task_id: str) -> str:
    """Return the name under which the table `logs` and the folder logs/ know a task's older entries."""
    return f"task_{task_id}"


def log(draft: Draft, asked: ask.TaskLog, at: At) -> Decision:
    """Add entries to a task's log."""
    task = needed_task(draft, clean_id(asked.id))
    if asked.lease is not None and asked.lease != task.lease:
        raise Conflict(f"task {task.id}: lease {asked.lease} is not the one held", lease_held=task.lease is not None)
    entries = taken_in(asked.given(), "entries", at)
    kept, spilled = trimmed(draft, task.id, task.logs + entries, at)
    data: dict[str, Any] = {
        "entries": [attrs.asdict(entry) for entry in entries],
        "kept": len(kept),
        "updated_at": at.stamp,
    }
    logged = Fact(op="task.logged", id=task.id, rev=draft.next_rev("tasks", task.id), data=data)
    return Decision((logged, *spilled), (task.id,))


def taken_in(given: tuple[ask.LogEntryGiven, ...], path: str, at: At) -> tuple[LogEntry, ...]:
    """Return the entries as the log keeps them, their times in one form; all times that are none are refused."""
    entries: list[LogEntry] = []
    violations: list[dict[str, str]] = []
    for number, entry in enumerate(given):
        stamp = at.stamp
        if entry.timestamp is not None:
            try:
                stamp = given_stamp(entry.timestamp, f"{path}[{number}].timestamp")
            except InvalidParams as error:
                violations += error.details["violations"]
        entries.append(LogEntry(timestamp=stamp, level=entry.level, type=entry.type, message=entry.message))
    if violations:
        raise InvalidParams(f"{violations[0]['path']}: {violations[0]['message']}", violations=violations)
    return tuple(entries)


def trimmed(
    draft: Draft, task_id: str, logs: tuple[LogEntry, ...], at: At
) -> tuple[tuple[LogEntry, ...], tuple[Fact, ...]]:
    """Return the entries that stay inline, and the fact that tells of those that leave (none: no fact)."""
    leaving = logs[: len(logs) - _kept(logs, at.rules.logs_kept)]
    if not leaving:
        return logs, ()
    name = log_name(task_id)
    there = _spilled(draft, task_id)
    rev = draft.next_rev("logs", name)
    data: dict[str, Any] = {
        "id": name,
        "entries": there.entries + len(leaving),
        "before": there.before,
        "first": there.entries + 1,
        "lines": [attrs.asdict(entry) for entry in leaving],
        "rev": rev,
    }
    fact = Fact(op="log.spilled", id=name, rev=rev, data=data)
    return logs[len(leaving) :], (fact,)


def left_behind(draft: Draft, task_id: str) -> tuple[Fact, ...]:
    """Return the fact that tells, of a task that goes, that its entries in the file are no later task's (or none)."""
    there = _spilled(draft, task_id)
    if there.before == there.entries:
        return ()
    return (patch(draft, "logs", "log.left", log_name(task_id), {"before": there.entries}),)


def _kept(logs: tuple[LogEntry, ...], number_max: int) -> int:
    """Return how many of the newest entries stay: not too many, and not too long together."""
    characters = 0
    for number, entry in enumerate(reversed(logs[-number_max:] if number_max else ())):
        characters += len(entry.message)
        if characters > LOG_CHARACTERS_MAX:
            return number
    return min(len(logs), number_max)


def spilled_count(lookup: Lookup, task_id: str) -> int:
    """Return how many of a task's entries have left its row."""
    there = _spilled(lookup, task_id)
    return there.entries - there.before


def _spilled(lookup: Lookup, task_id: str) -> _Spilled:
    row = lookup.row("logs", log_name(task_id))
    return _Spilled() if row is None else msgspec.json.decode(row.encoded, type=_Spilled)


def log_reply(lookup: Lookup, ids: tuple[str, ...]) -> bytes:
    """Answer with {id, rev, log_count}."""
    row = lookup.row("tasks", ids[0])
    if row is None:
        return b"null"
    task = decode_task(row.encoded)
    return encode({"id": task.id, "rev": task.rev, "log_count": len(task.logs) + spilled_count(lookup, task.id)})
