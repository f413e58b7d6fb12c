"""Waiting for another actor: beating meanwhile, leaving when asked to, and errors as they are."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from actors.kernel.actor import BEAT_EVERY_S, Leaving
from actors.kernel.patience import patiently
from actors.model.errors import NotFound
from tests.kit.core import Life


async def test_who_waits_long_beats_meanwhile_and_gets_what_it_waited_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    life, come = Life(), trio.Event()

    async def wait() -> str:
        await come.wait()
        return "here"

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def arrive() -> None:
            await trio.sleep(BEAT_EVERY_S * 3.5)
            come.set()

        assert await patiently(life, wait) == "here"
    assert life.beats == 3


async def test_who_is_asked_to_stop_leaves_at_once(autojump_clock: trio.testing.MockClock) -> None:
    life = Life()
    life.stopping.set()
    with pytest.raises(Leaving):
        await patiently(life, trio.sleep_forever)
    assert life.beats == 0


async def test_an_error_of_what_is_waited_for_comes_out_as_it_is() -> None:
    error = NotFound("there is none")

    async def wait() -> None:
        raise error

    with pytest.raises(NotFound) as caught:
        await patiently(Life(), wait)
    assert caught.value is error
