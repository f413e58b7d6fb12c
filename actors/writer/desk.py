"""The writer's desk: what is the writer's but outlives its crashes, because it belongs to the supervisor's slot."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import attrs

from actors.kernel.clock import Clock
from actors.kernel.io_thread import IoThread
from actors.kernel.mailbox import Letter, Mailbox
from actors.kernel.ref import Ref
from actors.ledger import Ledger
from actors.model.errors import ShuttingDown
from actors.storage.contract import Store
from actors.writer.pace import Pace


@attrs.frozen(kw_only=True)
class WriterSettings:
    """The configuration, as far as the writer depends on it. Times are in seconds."""

    durability: str = "commit"
    """commit: an acknowledged command is on disk. interval: it may be lost with the power, within the interval."""
    durability_interval_s: float = 1.0
    files_delay_s: float = 0.25
    """How long a changed task may wait before its file is written."""
    files_sync_s: float = 5.0
    """How often files written behind are made durable: until then the journal keeps what they need."""
    retry_s: float = 1.0
    """How often a writer that cannot write tries the disk again."""
    come_back_every_s: float = 5.0
    """How often a state directory is tried whose journal goes on beside it: each try may write a whole snapshot."""
    look_every_s: float = 2.0
    """How often the room on the disk is looked at while nothing is committed; each commit looks by itself."""
    join_within_s: float = 60.0
    """How long a new incarnation waits for the old one's I/O; beyond that the process ends. Above the worst fsync."""
    snapshot_after_facts: int = 50_000
    last_files_within_s: float = 3.0
    """At a stop, files that wait are written for so long; what is left is written at the next start."""
    answer_bytes_max: int = 16 * 1024 * 1024
    """The longest answer of `state.get`: a frame."""


class Observer(Protocol):
    """Who counts what the writer does (metrics); called on the trio thread, must not wait."""

    def committed(self, commands: int, facts: int, duration_s: float, sync_s: float) -> None:
        """A batch is durable."""
        ...

    def saved(self, duration_s: float) -> None:
        """A snapshot is in place."""
        ...

    def save_failed(self) -> None:
        """A snapshot could not be written."""
        ...

    def loaded(self, duration_s: float) -> None:
        """Recovery is over."""
        ...


@attrs.define(eq=False, kw_only=True)
class Desk:
    """See the module's text."""

    mailbox: Mailbox
    ledger: Ledger
    clock: Clock
    settings: WriterSettings
    events: Ref
    runs: Ref
    """Told which tasks and runs a commit changed: runs wait for tasks, and anybody may change those."""
    open_store: Callable[[], Store]
    """Makes a fresh store over the state directory; called once per incarnation."""
    observer: Observer
    give_up: Callable[[str], None]
    """Ends the process: the old incarnation's I/O does not end, and two writers must never be."""
    log: Any
    """A structured logger."""
    is_followed: Callable[[], bool] = lambda: True
    """Whether anybody follows the journal, so that the events actor is to be told of every commit."""
    replying: Callable[[], AbstractContextManager[None]] = nullcontext
    """Holds back what leaves for clients until all of a batch is answered, and sends it then."""
    flush: Callable[[], None] = lambda: None
    """Sends what waits to be sent: called before the loop stands still."""
    pace: Pace = attrs.field(factory=Pace)
    commit_thread: IoThread = attrs.field(factory=lambda: IoThread("commit"))
    background_thread: IoThread = attrs.field(factory=lambda: IoThread("background"))
    savers: list[Letter] = attrs.field(factory=list)
    """Whoever waits for a snapshot."""
    replayed: set[str] = attrs.field(factory=set)
    """Commands whose lines were replayed and whose proposals may still lie in the mailbox, unanswered."""
    store: Store | None = None
    """The present incarnation's store; the next one closes it first."""

    def close(self) -> None:
        """Answer whoever still waits for a snapshot, and let both threads end after what is queued.

        Called on the loop. The store is closed that a writer left open who crashed at the very end.
        """
        for letter in self.savers:
            letter.fail(ShuttingDown("Perdure has stopped"))
        self.savers.clear()
        store, self.store = self.store, None
        if store is not None:
            self.commit_thread.submit(store.close)
        self.commit_thread.close()
        self.background_thread.close()

    def ended(self, within_s: float) -> bool:
        """Wait until both threads have ended, after `close`; blocks. Return False when one still works."""
        deadline_s = time.monotonic() + within_s
        threads = (self.commit_thread, self.background_thread)
        return all(thread.joined(max(0.0, deadline_s - time.monotonic())) for thread in threads)
