"""
Asking the runtime: the one place where the command line meets the client library.

A command waits for a runtime that is restarting, because the socket is held by the root: it connects into the backlog
and is served by the next one. It does not wait where nobody holds the state directory's lock: then nothing runs there,
and that is told with exit code 3.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.invocation import Invocation

if TYPE_CHECKING:
    from pathlib import Path

    from supervisor.client import Client
    from supervisor.root.lock import LockInfo

ROWS_SHOWN: Final = 100
"""Rows of a list unless asked for more: a few screens."""

PAGE_ROWS: Final = 1000
"""The most that one answer holds."""

PATIENCE_S: Final = 60.0
"""How long a command waits for a runtime that is restarting or recovering: the largest of states comes up in it."""

WAIT_FOR_SOCKET_S: Final = 1.0
"""A root that has just taken the lock binds its socket next."""

GLANCE_S: Final = 2.0
"""How long a look waits (`status`, the shell's completion): whoever looks wants to know now."""


class Runtime(Protocol):
    """What a command needs of the client."""

    def call(self, method: str, /, **params: Any) -> Any:
        """Carry out one command; raises the error's class."""
        ...


class Rows(NamedTuple):
    """What a list gave."""

    rows: list[dict[str, Any]]
    more: bool
    """Whether there are more than were asked for."""


def until_over(perdure: Runtime, method: str, /, **params: Any) -> Any:
    """
    Carry out a command that is answered when an agent has ended, which takes as long as its grace lets it.

    Waits on for as long as somebody answers there at all: the command is repeated with its key, which changes nothing.
    """
    from supervisor.client import TimedOut

    key = os.urandom(16).hex()
    while True:
        try:
            return perdure.call(method, **params, idempotency_key=key)
        except TimedOut:
            perdure.call("runtime.ping")


@contextmanager
def runtime(invocation: Invocation, *, patience_s: float = PATIENCE_S) -> "Iterator[Client]":
    """
    A connection to the runtime of this state directory.

    Raises CommandFailed when nothing runs there or somebody works on it offline, and what the client raises when nobody
    answers within `patience_s`. A service manager may hold the socket while nothing runs, to start Perdure at the first
    connection: so a socket is tried, but not waited for, where nobody holds the lock.
    """
    from supervisor.client import Client, NotRunning

    held = held_by(invocation.state_path).held
    wait_s = WAIT_FOR_SOCKET_S if held else 0.0
    with Client(invocation.state_path, timeout_s=patience_s, wait_s=wait_s) as client:
        try:
            yield client
        except NotRunning as error:
            raise nothing_runs(invocation.state_path) from error


def held_by(state_path: "Path") -> "LockInfo":
    """Who holds the state directory. Raises CommandFailed when that is an offline command."""
    from supervisor.root.lock import read_lock

    held = read_lock(state_path)
    if held.held and held.phase in OFFLINE_PHASES:
        raise CommandFailed(
            f"perdure {held.phase} (process {held.pid}) works on {state_path}", "wait until it is done", Exit.CONFLICT
        )
    return held


OFFLINE_PHASES: Final = frozenset({"doctor", "rebuild", "migrate", "rollback", "restore", "clean"})
"""What an offline command writes into the lock file as its phase: its name."""


def nothing_runs(state_path: "Path") -> CommandFailed:
    """The error for a state directory that nobody holds."""
    return CommandFailed(f"nothing runs in {state_path}", "perdure up starts it", Exit.NOTHING_RUNS)


def listing(perdure: Runtime, method: str, member: str, params: Mapping[str, Any], rows_max: int | None) -> Rows:
    """Read a list page by page, at most `rows_max` rows of it; None: to its end."""
    rows: list[dict[str, Any]] = []
    asked = dict(params)
    while True:
        left = PAGE_ROWS if rows_max is None else min(PAGE_ROWS, rows_max - len(rows))
        page = perdure.call(method, **asked, limit=left)
        rows += page[member]
        cursor = page.get("next_cursor")
        if cursor is None or (rows_max is not None and len(rows) >= rows_max):
            return Rows(rows, more=cursor is not None)
        asked["cursor"] = cursor


def answered_at_once(invocation: Invocation, method: str, params: Mapping[str, Any]) -> Any:
    """The answer to a query, None where none comes within a glance, whatever the reason."""
    from actors.model.errors import PerdureError
    from supervisor.config.errors import ConfigError

    try:
        with runtime(invocation, patience_s=GLANCE_S) as perdure:
            return perdure.call(method, **params)
    except (PerdureError, CommandFailed, ConfigError, OSError):
        return None


def follow(perdure: "Client", after_seq: int | None, kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    """
    The journal's lines as they come, without a gap: `{seq, ts, events}` each; ends only with an error.

    `after_seq` None: from now on; `kinds` empty: all of them.
    """
    yield from perdure.subscribe(after_seq=after_seq, kinds=list(kinds) or None)
