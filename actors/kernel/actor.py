"""The serve loop: what an actor does stands in its `Behaviour`; how it lives stands here.

An actor's life: `setup` (recover what it needs; then it is ready) → batches, each handled and then finished →
`teardown` (asked to stop) or a crash. On a crash the mailbox learns which letter was in hand, and the crash goes to the
supervisor. An alarm wakes the loop when something is due, and once a second in any case: the loop beats every time, so
an idle actor is not taken for a hung one. The alarm is a task of its own because a deadline around every wait would
cost as much as a small batch itself: it is moved only when something is due earlier than it would ring.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import trio

from actors.kernel.mailbox import Letter, Mailbox

BEAT_EVERY_S: Final = 1.0
"""How often an idle actor shows that it lives; well below any sensible `hung_after_s`."""


class Leaving(Exception):
    """Raised by a behaviour that waits for another actor when it is asked to stop: its batch goes back whole.

    The other one may be gone, and be started again only when this one has left.
    """


class Context(Protocol):
    """What the supervisor gives to a child, as far as an actor uses it."""

    stopping: trio.Event

    def ready(self, details: Mapping[str, object] | None = None) -> None:
        """Say that setup is over."""
        ...

    def excuse(self) -> None:
        """Say that the crash to come counts for the letter that caused it twice, not against the actor."""
        ...

    def beat(self) -> None:
        """Say that the actor lives."""
        ...

    async def chaos_hang(self) -> None:
        """Return at once, or never when chaos wants this actor to hang."""
        ...


class Behaviour(Protocol):
    """What an actor does."""

    async def setup(self) -> None:
        """Get ready; whatever waits in the mailbox is handled afterwards."""
        ...

    async def handle(self, tells: Sequence[Any], letters: Sequence[Letter]) -> None:
        """Handle everything that waited; when this returns, each letter is answered or handed on."""
        ...

    def due_in_s(self) -> float:
        """Return after how many seconds `tick` has something to do; BEAT_EVERY_S at most is waited anyway."""
        ...

    async def tick(self) -> None:
        """Do what time demands; called after every batch and whenever something is due."""
        ...

    async def teardown(self) -> None:
        """Leave in order."""
        ...


class Alarm:
    """Wakes a mailbox when the moment has come; rung, it is silent until it is set again."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._scope = trio.CancelScope()
        self._rings_at = float("inf")

    def set(self, in_s: float) -> None:
        """Ring in so many seconds, or earlier when that was wanted before."""
        rings_at = trio.current_time() + max(0.0, in_s)
        if rings_at < self._rings_at:
            self._rings_at = self._scope.deadline = rings_at

    async def run(self) -> None:
        """Ring whenever it is time, for ever."""
        while True:
            with self._scope:
                await trio.sleep_forever()
            self._scope = trio.CancelScope()
            self._rings_at = float("inf")
            self._mailbox.wake()


async def serve(behaviour: Behaviour, mailbox: Mailbox, context: Context) -> None:
    """Live one incarnation of an actor, until it is asked to stop or crashes."""
    crash: Exception | None = None
    alarm = Alarm(mailbox)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_wake_when_stopping, context.stopping, mailbox)
        nursery.start_soon(alarm.run)
        crash = await _live(behaviour, mailbox, context, alarm)
        nursery.cancel_scope.cancel()
    if crash is not None:
        raise crash


async def _wake_when_stopping(stopping: trio.Event, mailbox: Mailbox) -> None:
    await stopping.wait()
    mailbox.wake()


async def _live(behaviour: Behaviour, mailbox: Mailbox, context: Context, alarm: Alarm) -> Exception | None:
    """Return the crash that ended the incarnation (so that no nursery wraps it), None when it was asked to stop."""
    try:
        await behaviour.setup()
        context.ready()
        while not context.stopping.is_set():
            alarm.set(min(BEAT_EVERY_S, behaviour.due_in_s()))
            await _turn(behaviour, mailbox, context)
        await behaviour.teardown()
    except Leaving:
        mailbox.give_back()
    except Exception as crash:  # noqa: BLE001 - whatever ends an actor is the supervisor's to judge
        crash_id = secrets.token_hex(6)
        crash.add_note(f"crash id {crash_id}")
        if mailbox.crashed(crash_id):
            context.excuse()
        return crash
    except BaseException:  # cancelled; a nursery inside makes a group of it
        mailbox.give_back()
        raise
    return None


async def _turn(behaviour: Behaviour, mailbox: Mailbox, context: Context) -> None:
    """Handle one batch. A stop waits for it, unless it waits itself: half a batch would be decided twice."""
    tells, letters = await mailbox.receive()
    context.beat()
    await context.chaos_hang()
    if tells or letters:
        await behaviour.handle(tells, letters)
        mailbox.finished()
    await behaviour.tick()
