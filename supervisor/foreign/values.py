"""What readers of other tools' files yield: plain frozen values, whatever the tool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen


@frozen(kw_only=True)
class Skipped:
    """Something that was not taken over, and why."""

    file: str
    """Below the directory that is imported."""
    line: int | None = None
    """From 1; None where the whole file is meant."""
    reason: str


@frozen(kw_only=True)
class Message:
    """One message of a session, as it will be kept."""

    body: dict[str, Any]
    file: str
    line: int | None
    size_bytes: int
    """About as long as it was in its file."""


@frozen(kw_only=True)
class SessionFound:
    """A session: what `session.put` is told of it, and how to read its messages, as often as one likes."""

    file: str
    size_bytes: int
    members: dict[str, Any]
    """With `id` and `external_ids`, without `parent_id`."""
    messages: Callable[[], Iterator[Message | Skipped]]
    parent: str | None = None
    """The id, as the tool writes it, of the session that this one descends from; it may be read later."""


@frozen(kw_only=True)
class TaskFound:
    """A task, as `task.save` takes it."""

    file: str
    task: dict[str, Any]


@frozen(kw_only=True)
class RunFound:
    """A run that somebody else carried out, as `run.put` takes it."""

    file: str
    run: dict[str, Any]


@frozen(kw_only=True)
class ReportFound:
    """A report: any JSON value under an id."""

    file: str
    id: str
    data: Any


@frozen(kw_only=True)
class LogFound:
    """A session's text log."""

    file: str
    session_id: str
    size_bytes: int
    text: Callable[[], Iterator[str]]


@frozen(kw_only=True)
class EventsFound:
    """Events, oldest first, as `event.record` takes them; each with the number that its tool gave it."""

    file: str
    name: str
    """Whose events these are: stays the same from one import to the next."""
    events: Callable[[], Iterator[tuple[int, dict[str, Any]] | Skipped]]


@frozen(kw_only=True)
class Note:
    """Something that whoever imports should know, and that is no loss."""

    text: str


Found = SessionFound | TaskFound | RunFound | ReportFound | LogFound | EventsFound | Skipped | Note


@frozen(kw_only=True)
class File:
    """A file to be read."""

    path: str
    name: str
    """Below the directory that is imported."""
    size_bytes: int


@frozen(kw_only=True)
class Line:
    """One JSON object of a file of lines."""

    number: int
    value: dict[str, Any]
    size_bytes: int


NO_MESSAGES: Callable[[], Iterator[Message | Skipped]] = lambda: iter(())  # noqa: E731  it has no body to document
"""For sessions of which a tool keeps no messages."""
