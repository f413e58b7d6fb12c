"""An actor's life: setup, batches, ticks, a stop or a crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trio
import trio.lowlevel
import trio.testing
from attrs import define, field

from actors.kernel.actor import Alarm, Leaving, serve
from actors.kernel.mailbox import Letter, Mailbox
from actors.kernel.ref import Ask
from tests.kit.core import PATIENCE_S, Life


@define(eq=False)
class Recorder:
    """Notes everything that is done with it."""

    mailbox: Mailbox
    log: list[Any] = field(factory=list)
    on_handle: Callable[[Letter], None] = field(default=lambda _letter: None)
    due_s: float = float("inf")
    block: bool = False
    ticked: trio.Event = field(factory=trio.Event)

    async def setup(self) -> None:
        self.log.append("setup")

    async def handle(self, tells: Sequence[Any], letters: Sequence[Letter]) -> None:
        self.log.extend(tells)
        for letter in self.mailbox.each(letters):
            self.log.append(letter.message)  # type: ignore[attr-defined]
            self.on_handle(letter)
        if self.block:
            await trio.sleep_forever()

    def due_in_s(self) -> float:
        return self.due_s

    async def tick(self) -> None:
        self.due_s = float("inf")
        self.log.append("tick")
        self.ticked.set()

    async def teardown(self) -> None:
        self.log.append("teardown")


async def test_a_life_goes_from_setup_over_batches_to_teardown() -> None:
    mailbox = Mailbox("m", 10)
    recorder, life = Recorder(mailbox), Life()
    mailbox.offer([Ask("a"), Ask("b")])
    mailbox.tell("notice")
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, recorder, mailbox, life)
            await life.is_ready.wait()
            await recorder.ticked.wait()
            life.stopping.set()
    assert recorder.log[:5] == ["setup", "notice", "a", "b", "tick"]
    assert recorder.log[-1] == "teardown"
    assert life.beats


@define(eq=False)
class Waiting(Recorder):
    """Waits for somebody who never comes, in a nursery of its own, until it is asked to stop."""

    life: Life = field(factory=Life)
    waits: trio.Event = field(factory=trio.Event)

    async def handle(self, tells: Sequence[Any], letters: Sequence[Letter]) -> None:
        self.waits.set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await self.life.stopping.wait()
            nursery.cancel_scope.cancel()
        raise Leaving


async def test_who_waits_for_another_leaves_when_asked_to_and_its_batch_goes_back_whole() -> None:
    mailbox, life = Mailbox("m", 10), Life()
    waiting = Waiting(mailbox, life=life)
    mailbox.offer([Ask("a"), Ask("b")])
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, waiting, mailbox, life)
            await waiting.waits.wait()
            life.stopping.set()
    assert mailbox.depth == 2
    _tells, letters = await mailbox.receive()
    assert [letter.message for letter in letters] == ["a", "b"]  # type: ignore[attr-defined]


async def test_a_batch_goes_back_whole_though_the_cancellation_comes_in_a_group() -> None:
    mailbox, life = Mailbox("m", 10), Life()
    waiting = Waiting(mailbox, life=life)
    mailbox.offer([Ask("a"), Ask("b")])
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, waiting, mailbox, life)
            await waiting.waits.wait()
            nursery.cancel_scope.cancel()
    assert mailbox.depth == 2


async def test_a_stop_wakes_an_idle_actor_at_once(autojump_clock: trio.testing.MockClock) -> None:
    recorder, life = Recorder(Mailbox("m", 10)), Life()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, recorder, recorder.mailbox, life)
        await life.is_ready.wait()
        stopped_s = trio.current_time()
        life.stopping.set()
    assert trio.current_time() == stopped_s
    assert recorder.log[-1] == "teardown"


async def test_an_idle_actor_beats(autojump_clock: trio.testing.MockClock) -> None:
    recorder, life = Recorder(Mailbox("m", 10)), Life()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, recorder, recorder.mailbox, life)
        await trio.sleep(30)
        assert life.beats >= 29
        life.stopping.set()


async def test_what_is_due_wakes_the_actor(autojump_clock: trio.testing.MockClock) -> None:
    recorder, life = Recorder(Mailbox("m", 10), due_s=0.25), Life()
    async with trio.open_nursery() as nursery:
        begun_s = trio.current_time()
        nursery.start_soon(serve, recorder, recorder.mailbox, life)
        await recorder.ticked.wait()
        assert trio.current_time() - begun_s == pytest.approx(0.25)
        life.stopping.set()


async def test_a_crash_is_the_supervisors_with_its_id_and_the_guilty_letter_is_known() -> None:
    mailbox = Mailbox("m", 10)

    def strike(letter: Letter) -> None:
        if letter.message == "poison":  # type: ignore[attr-defined]
            raise ZeroDivisionError

    recorder, life = Recorder(mailbox, on_handle=strike), Life()
    poison = Ask("poison")
    mailbox.offer([Ask("a"), poison, Ask("b")])
    with pytest.raises(ZeroDivisionError) as caught:
        await serve(recorder, mailbox, life)
    assert any("crash id" in note for note in caught.value.__notes__)
    assert not life.excused
    assert poison.deliveries == 1
    assert mailbox.depth == 3


async def test_the_second_crash_by_one_letter_counts_for_the_letter() -> None:
    mailbox = Mailbox("m", 10)

    def strike(_letter: Letter) -> None:
        raise ZeroDivisionError

    poison = Ask("poison")
    mailbox.offer([poison])
    for excused in (False, True):
        life = Life()
        with pytest.raises(ZeroDivisionError):
            await serve(Recorder(mailbox, on_handle=strike), mailbox, life)
        assert life.excused is excused
    assert poison.is_answered
    assert mailbox.depth == 0


async def test_a_crash_in_setup_touches_no_letter() -> None:
    mailbox = Mailbox("m", 10)
    mailbox.offer([Ask("a")])

    class Failing(Recorder):
        async def setup(self) -> None:
            raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        await serve(Failing(mailbox), mailbox, Life())
    assert mailbox.depth == 1


async def test_a_cancelled_actor_gives_back_what_it_had_in_hand() -> None:
    mailbox = Mailbox("m", 10)
    mailbox.offer([Ask("a"), Ask("b")])
    with trio.move_on_after(0.01):
        await serve(Recorder(mailbox, block=True), mailbox, Life())
    _tells, letters = await mailbox.receive()
    assert [letter.message for letter in letters] == ["a", "b"]  # type: ignore[attr-defined]
    assert [letter.deliveries for letter in letters] == [0, 0]


async def test_an_alarm_rings_at_the_earliest_moment_that_was_wanted(autojump_clock: trio.testing.MockClock) -> None:
    mailbox = Mailbox("m", 10)
    alarm = Alarm(mailbox)
    async with trio.open_nursery() as nursery:
        alarm.set(50.0)
        nursery.start_soon(alarm.run)
        alarm.set(20.0)
        alarm.set(30.0)
        await mailbox.receive()
        assert trio.current_time() == pytest.approx(20.0)
        with trio.move_on_after(1000.0) as silent:
            await mailbox.receive()
        assert silent.cancelled_caught  # it rings once
        alarm.set(5.0)
        await mailbox.receive()
        assert trio.current_time() == pytest.approx(1025.0)
        nursery.cancel_scope.cancel()
