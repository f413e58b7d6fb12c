"""Waiting for another actor without seeming to hang, and without keeping who wants to stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from actors.kernel.actor import BEAT_EVERY_S, Context, Leaving
from actors.model.errors import PerdureError

T = TypeVar("T")


async def patiently(context: Context, wait: Callable[[], Awaitable[T]]) -> T:
    """Wait for somebody else, and beat meanwhile: who waits for a slow disk does not hang.

    `wait` is called anew after every beat, so it must be something that can be waited for twice. Raises Leaving when
    this actor is asked to stop.
    """
    while True:
        with trio.move_on_after(BEAT_EVERY_S):
            return await _unless_stopping(context.stopping, wait)
        context.beat()


async def _unless_stopping(stopping: trio.Event, wait: Callable[[], Awaitable[T]]) -> T:
    """Wait for somebody who may be waiting for this actor to stop."""
    found: list[T] = []
    failed: list[PerdureError] = []  # raised below: a nursery would wrap it
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_at, stopping, nursery.cancel_scope)
        try:
            found.append(await wait())
        except PerdureError as error:
            failed.append(error)
        nursery.cancel_scope.cancel()
    if failed:
        raise failed[0]
    if found:
        return found[0]
    raise Leaving


async def _end_at(stopping: trio.Event, scope: trio.CancelScope) -> None:
    await stopping.wait()
    scope.cancel()
