"""Holding the disk back in a core, and commands that are sent without waiting for their answers."""

from __future__ import annotations

import errno
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import trio.testing

from actors.messages import sessions
from actors.model.errors import PerdureError
from tests.kit.core import PATIENCE_S, Core

S1 = "11111111-1111-4111-8111-111111111111"
S2 = "22222222-2222-4222-8222-222222222222"


class Gate:
    """Holds the commit thread before a write, and lets it go on, or fail."""

    def __init__(self, commit: Callable[[Sequence[bytes]], Any]) -> None:
        self._commit = commit
        self._opened = threading.Event()
        self.reached = threading.Event()
        self.fails = False

    def commit(self, bodies: Sequence[bytes]) -> Any:
        if not self._opened.is_set():
            self.reached.set()
            assert self._opened.wait(PATIENCE_S)
            if self.fails:
                self.fails = False
                raise OSError(errno.EIO, "the disk failed")
        return self._commit(bodies)

    def open(self, *, fails: bool = False) -> None:
        self.fails = fails
        self._opened.set()


@contextmanager
def held_disk(core: Core) -> Iterator[Gate]:
    """Let the next commit wait until the test lets it go on."""
    store: Any = core.desk.store
    commit = store.commit
    gate = Gate(commit)
    store.commit = gate.commit
    try:
        yield gate
    finally:
        gate.open()
        store.commit = commit


@asynccontextmanager
async def quiet_disk(core: Core) -> AsyncIterator[None]:
    """Let both I/O threads end what they have in hand and begin nothing else, until the block is left."""
    left = threading.Event()
    parked = [threading.Event(), threading.Event()]

    def park(here: threading.Event) -> None:
        here.set()
        assert left.wait(PATIENCE_S)

    try:
        for thread, here in zip((core.desk.commit_thread, core.desk.background_thread), parked, strict=True):
            thread.submit(partial(park, here))
        await core.until(lambda: all(here.is_set() for here in parked))
        yield
    finally:
        left.set()


def offered(core: Core, actor: str, params: Any, *, key: str | None = None) -> Callable[[], Any]:
    """Send a command without waiting; return what waits for its answer."""
    request, answered = core.request(params, key=key)
    assert core.refs[actor].offer([request]) == 1
    return answered


async def told(answered: Callable[[], Any]) -> Any:
    """Wait for an answer; an error is returned and not raised."""
    try:
        return await answered()
    except PerdureError as error:
        return error


async def decided(core: Core, *mailboxes: str) -> None:
    """Wait until these actors have handed on whatever waited for them."""
    await core.until(lambda: not any(core.mailboxes[name].depth for name in mailboxes))
    await trio.testing.wait_all_tasks_blocked(0.01)


async def a_session(core: Core, session_id: str = S1, messages: Sequence[dict[str, Any]] = ()) -> None:
    made = sessions.SessionCreate(
        title="t", provider="p", model="m", working_directory="/w", id=session_id, messages=tuple(messages)
    )
    await core.ask("sessions", made)


async def messages_of(core: Core, session_id: str = S1) -> list[Any]:
    found: list[Any] = (await core.ask("sessions", sessions.SessionMessages(id=session_id, limit=1000)))["messages"]
    return found
