"""When a silence means that a runtime is hung, and when it does not."""

import trio
import trio.testing

from supervisor.root.watchdog import FIRST_BEAT_WITHIN_S, Pulse, until_hung


def heard(at_s: float) -> Pulse:
    pulse = Pulse(hung_after_s=10, last_s=0)
    pulse.beat(at_s)
    return pulse


def test_a_silence_longer_than_allowed_is_a_hang() -> None:
    pulse = heard(100)
    assert pulse.is_good(109.9)
    assert not pulse.judge(109.9, planned_s=109.9)
    assert pulse.judge(110, planned_s=110)


def test_imports_may_take_longer_than_a_beat() -> None:
    pulse = Pulse(hung_after_s=10, last_s=0)
    assert not pulse.judge(FIRST_BEAT_WITHIN_S - 1, planned_s=FIRST_BEAT_WITHIN_S - 1)
    assert pulse.judge(FIRST_BEAT_WITHIN_S, planned_s=FIRST_BEAT_WITHIN_S)


def test_whoever_overslept_gives_the_whole_time_again() -> None:
    pulse = heard(100)
    assert not pulse.judge(500, planned_s=110)
    assert pulse.due_at_s == 510
    assert pulse.judge(510, planned_s=510)


async def test_beats_keep_it_waiting_and_silence_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    started_s = trio.current_time()
    pulse = Pulse(hung_after_s=10, last_s=started_s)
    async with trio.open_nursery() as nursery:

        async def beat() -> None:
            for _ in range(100):
                await trio.sleep(9)
                pulse.beat(trio.current_time())

        nursery.start_soon(beat)
        await until_hung(pulse)
    assert trio.current_time() - started_s == 910


async def test_the_first_beat_shortens_what_is_allowed_from_then_on(autojump_clock: trio.testing.MockClock) -> None:
    started_s = trio.current_time()
    pulse = Pulse(hung_after_s=1, last_s=started_s)
    async with trio.open_nursery() as nursery:

        async def beat_once() -> None:
            await trio.sleep(0.5)
            pulse.beat(trio.current_time())

        nursery.start_soon(beat_once)
        await until_hung(pulse)
    assert trio.current_time() - started_s == 1.5
