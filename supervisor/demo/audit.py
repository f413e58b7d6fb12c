"""The audit: everything that was acknowledged to the workers, against everything that is there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from supervisor.client import Client

PAGE = 1000


@attrs.frozen
class Finding:
    """What the audit found."""

    acknowledged: int
    lost: int
    doubled: int
    examples: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not self.lost and not self.doubled


def audit(client: Client, records: Path) -> Finding:
    """Compare; every acknowledged thing must be there, and nothing twice."""
    promised = [json.loads(line) for record in sorted(records.glob("*.jsonl")) for line in record.open("rb")]
    tasks = {task["id"]: task for task in _tasks(client)}
    lost = [*_lost_tasks(promised, tasks), *_lost_messages(client, promised)]
    doubled = [*_doubled_logs(promised, tasks), *_doubled_messages(client, promised)]
    return Finding(len(promised), len(lost), len(doubled), tuple([*lost, *doubled][:5]))


def _lost_tasks(promised: list[dict[str, Any]], tasks: dict[str, Any]) -> Iterator[str]:
    for entry in promised:
        task = tasks.get(entry.get("id", ""))
        if entry["kind"] in {"task", "log", "completed"} and task is None:
            yield f"task {entry['id']} is not there"
        elif entry["kind"] == "completed" and task is not None and task["status"] != "completed":
            yield f"task {entry['id']} is {task['status']}, it was completed"
        elif entry["kind"] == "log" and task is not None and entry["text"] not in _messages_of(task):
            yield f"task {entry['id']} has lost the log entry {entry['text']!r}"


def _doubled_logs(promised: list[dict[str, Any]], tasks: dict[str, Any]) -> Iterator[str]:
    """A task that lost its lease may be begun by two workers; any other has each entry once."""
    shared = {entry["id"] for entry in promised if entry["kind"] == "lost_lease"}
    for task in tasks.values():
        twice = [text for text, count in Counter(_messages_of(task)).items() if count > 1]
        if twice and task["id"] not in shared:
            yield f"task {task['id']} has {twice[0]!r} more than once"


def _lost_messages(client: Client, promised: list[dict[str, Any]]) -> Iterator[str]:
    for session, entries in _by_session(promised).items():
        there = [message["content"] for message in _messages(client, session)]
        for entry in entries:
            if there[entry["index"] - 1 : entry["index"]] != [entry["text"]]:
                yield f"session {session} has not {entry['text']!r} at {entry['index']}"


def _doubled_messages(client: Client, promised: list[dict[str, Any]]) -> Iterator[str]:
    for session in _by_session(promised):
        there = Counter(message["content"] for message in _messages(client, session))
        yield from (f"session {session} has {text!r} {count} times" for text, count in there.items() if count > 1)


def _by_session(promised: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    sessions: dict[str, list[dict[str, Any]]] = {}
    for entry in promised:
        if entry["kind"] == "message":
            sessions.setdefault(entry["session"], []).append(entry)
    return sessions


def _messages_of(task: dict[str, Any]) -> list[str]:
    return [entry["message"] for entry in task["logs"]]


def _tasks(client: Client) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        page = client.call("task.list", limit=PAGE, **({} if cursor is None else {"cursor": cursor}))
        yield from page["tasks"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _messages(client: Client, session: str) -> Iterator[dict[str, Any]]:
    after: int | None = 0
    while after is not None:
        page = client.call("session.messages", id=session, after=after, limit=PAGE)
        yield from page["messages"]
        after = page["next"]
