"""The core without processes and sockets: the real writer on a real directory, and the actors above it.

A test asks as the gateway would (`core.ask`), makes the clock jump, and crashes actors; whoever crashes or is stopped
lives again at once, as under a supervisor without backoff.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio
import trio.lowlevel
from attrs import define, field

from actors.decisions.batch import method_of
from actors.decisions.decision import Rules
from actors.domain import Domain, Place
from actors.events import Events
from actors.hall import Hall
from actors.kernel.actor import Behaviour, serve
from actors.kernel.clock import SystemClock
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import Ref
from actors.ledger import Ledger
from actors.messages.request import Delivery, Done, Outcome, Request
from actors.model.recent_lines import RecentLines
from actors.model.stamps import posix_of
from actors.model.state import Limits
from actors.reports import Reports
from actors.runs import Runs
from actors.sessions import Sessions
from actors.storage.disk_store import DiskStore
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.settings import StorageSettings
from actors.subscriptions import Subscriptions
from actors.tasks import Tasks
from actors.writer import Desk, Writer, WriterSettings

PATIENCE_S = 60.0
"""A fail-safe: nothing here takes a second."""

START = "2026-03-01T12:00:00.000Z"

DOMAIN = ("tasks", "sessions", "runs", "events", "reports")


class HandClock(SystemClock):
    """Both clocks, moved by hand."""

    def __init__(self, wall_s: float | None = None) -> None:
        super().__init__(lambda: self.wall_s, lambda: self.running_s)
        self.wall_s = posix_of(START) if wall_s is None else wall_s
        self.running_s = 1000.0

    def pass_s(self, seconds: float) -> None:
        """Time passes."""
        self.wall_s += seconds
        self.running_s += seconds


@define(eq=False)
class Life:
    """A context without a supervisor."""

    stopping: trio.Event = field(factory=trio.Event)
    is_ready: trio.Event = field(factory=trio.Event)
    beats: int = 0
    excused: bool = False

    def ready(self, details: Any = None) -> None:
        self.is_ready.set()

    def excuse(self) -> None:
        self.excused = True

    def beat(self) -> None:
        self.beats += 1

    async def chaos_hang(self) -> None:
        """Nobody hangs here."""


class Nobody:
    """Counts nothing, logs nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_args, **_kwargs: None


@define(eq=False)
class Listener:
    """A connection that takes notifications, or does not."""

    lines: list[dict[str, Any]] = field(factory=list)
    answer: Delivery = Delivery.SENT
    heard: trio.Event = field(factory=trio.Event)

    def notify(self, line: bytes) -> Delivery:
        if self.answer is Delivery.SENT and line:
            assert line.endswith(b"\n")
            self.lines.append(msgspec.json.decode(line))
            self.heard.set()
            self.heard = trio.Event()
        return self.answer

    async def until(self, number: int) -> list[dict[str, Any]]:
        """Wait for so many notifications; return the params of all."""
        with trio.fail_after(PATIENCE_S):
            while len(self.lines) < number:
                await self.heard.wait()
        return [line["params"] for line in self.lines]


class Core:
    """See the module's text."""

    def __init__(self, root: Path, rules: Rules, recent_kept: int, lag_lines_max: int) -> None:
        self.root = root
        self.disk = Disk()
        self.clock = HandClock()
        self.ledger = Ledger(recent=RecentLines(recent_kept))
        self.subscriptions = Subscriptions(lag_lines_max)
        self.mailboxes = {name: Mailbox(name, 8192) for name in ("writer", *DOMAIN)}
        self.refs = {name: Ref(mailbox) for name, mailbox in self.mailboxes.items()}
        self.places = {
            name: Place(
                mailbox=self.mailboxes[name],
                writer=self.refs["writer"],
                ledger=self.ledger,
                clock=self.clock,
                rules=rules,
            )
            for name in DOMAIN
        }
        self.desk = Desk(
            mailbox=self.mailboxes["writer"],
            ledger=self.ledger,
            clock=self.clock,
            settings=WriterSettings(files_delay_s=0.0),
            events=self.refs["events"],
            runs=self.refs["runs"],
            open_store=self._open_store,
            observer=Nobody(),
            give_up=_give_up,
            log=Nobody(),
        )
        self.hall = Hall()
        self.behaviours: dict[str, Behaviour] = {}
        self.lives: dict[str, Life] = {}
        self.crashes: list[Exception] = []
        self._scopes: dict[str, trio.CancelScope] = {}
        self._ref = 0
        self._life = os.urandom(4).hex()
        """Recovery knows commands by their refs: those of another life over this directory must be others."""

    async def ask(self, actor: str, params: Any, *, key: str | None = None, listener: Listener | None = None) -> Any:
        """Ask as the gateway does; return the decoded result or raise the error."""
        request, answered = self.request(params, key=key, listener=listener)
        assert self.refs[actor].offer([request]) == 1
        return await answered()

    def request(
        self, params: Any, *, key: str | None = None, listener: Listener | None = None
    ) -> tuple[Request, Callable[[], Any]]:
        """Make a request, and what waits for its answer."""
        outcomes: list[Outcome] = []
        event = trio.Event()

        def reply(outcome: Outcome) -> None:
            outcomes.append(outcome)
            event.set()

        async def answered() -> Any:
            with trio.fail_after(PATIENCE_S):
                await event.wait()
            assert len(outcomes) == 1
            if isinstance(outcomes[0], Done):
                return msgspec.json.decode(outcomes[0].result)
            raise outcomes[0].error

        self._ref += 1
        digest = hashlib.sha256(repr(params).encode()).hexdigest() if key is not None else None
        notify = None if listener is None else listener.notify
        ref = f"test-{self._life}-{self._ref}"
        return Request(method_of(type(params)), params, reply, ref, key, digest, notify), answered

    def wake(self, *names: str) -> None:
        """Let actors look at the clock."""
        for name in names:
            self.mailboxes[name].wake()

    async def restart(self, name: str) -> None:
        """Stop an actor where it stands; it lives again."""
        life = self.lives[name]
        self._scopes[name].cancel()
        await self.until(lambda: self.lives[name] is not life)
        with trio.fail_after(PATIENCE_S):
            await self.lives[name].is_ready.wait()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is so; time passes as it does for everybody, so that pauses end."""
        with trio.fail_after(PATIENCE_S):
            while not holds():
                await trio.sleep(0.001)
                self.clock.pass_s(0.001)

    async def live(self, name: str) -> None:
        """Live one incarnation after the other."""
        while True:
            life = self.lives[name] = Life()
            with trio.CancelScope() as scope:
                self._scopes[name] = scope
                self.behaviours[name] = self._behaviour(name, life)
                try:
                    await serve(self.behaviours[name], self.mailboxes[name], life)
                except Exception as crash:  # noqa: BLE001 - the test looks at what crashed
                    self.crashes.append(crash)
            if life.stopping.is_set():
                return

    def _behaviour(self, name: str, life: Life) -> Behaviour:
        if name == "writer":
            return Writer(self.desk, life)
        if name == "events":
            return Events(self.places[name], life, self.subscriptions)
        kinds: dict[str, Callable[[Place, Life], Domain]] = {
            "tasks": partial(Tasks, runs_ref=self.refs["runs"]),
            "sessions": Sessions,
            "runs": partial(Runs, hall=self.hall),
            "reports": Reports,
        }
        return kinds[name](self.places[name], life)

    def _open_store(self) -> DiskStore:
        return DiskStore(
            disk=self.disk,
            layout=Layout(self.root),
            settings=StorageSettings(preallocate_bytes=0),
            limits=Limits(),
            stamp=self.clock.stamp,
            version="0.0.0",
        )


def _give_up(reason: str) -> None:
    raise AssertionError(reason)


@asynccontextmanager
async def running_core(
    root: Path,
    *,
    rules: Rules | None = None,
    recent_kept: int = 1000,
    lag_lines_max: int = 10_000,
    before: Callable[[Core], None] | None = None,
) -> AsyncIterator[Core]:
    """Run a core over a directory; `before` may set its clock. At the end everybody stops in order."""
    core = Core(root, rules or Rules(), recent_kept, lag_lines_max)
    if before is not None:
        before(core)
    try:
        async with trio.open_nursery() as nursery:
            for name in ("writer", *DOMAIN):
                nursery.start_soon(partial(core.live, name))
                with trio.fail_after(PATIENCE_S):
                    while name not in core.lives:
                        await trio.lowlevel.checkpoint()
                    await core.lives[name].is_ready.wait()
            yield core
            for name in (*reversed(DOMAIN), "writer"):
                core.lives[name].stopping.set()
    finally:
        if core.desk.store is not None:  # the test failed, and the writer with it
            core.desk.store.close()
        core.desk.close()
        for thread in (core.desk.commit_thread, core.desk.background_thread):
            assert thread.joined(PATIENCE_S)
