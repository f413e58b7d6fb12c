"""Harm at a chosen await: an instrument that sees where an actor's tasks go to sleep, and strikes there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from supervisor.tree.chaos import Harm
from supervisor.tree.errors import TreeError
from tests.kit.runtimes import PATHS, Running


class Striker(trio.abc.Instrument):
    """Once aimed, strikes the actor as it goes to sleep for the n-th time at a place, where it was struck n - 1 times.

    So blow after blow meets it at its first, second, third … sleep at each place, up to the `times`-th.
    """

    def __init__(self, running: Running, actor: str, harm: Harm, times: int) -> None:
        self.struck: Counter[str] = Counter()
        """How often it was struck, by where it slept: file, line, function."""
        self._is_aimed = False
        self._slept: Counter[str] = Counter()
        """How often it slept since this was aimed, by where."""
        self._running = running
        self._path = PATHS[actor]
        self._harm = harm
        self._times = times

    @property
    def is_aimed(self) -> bool:
        """Whether the next blow is still to come."""
        return self._is_aimed

    def aim(self) -> None:
        """Strike once from now on."""
        self._is_aimed = True
        self._slept.clear()

    def rest(self) -> None:
        """Strike no more."""
        self._is_aimed = False

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """See trio: the task has run up to its next await, or to its end."""
        if not self._is_aimed or not self._is_of_the_actor(task):
            return
        place = _place(task)
        if place is None:
            return
        self._slept[place] += 1
        if self._slept[place] <= self.struck[place] or self.struck[place] >= self._times:
            return
        try:
            self._running.harm(self._path, self._harm)
        except TreeError:
            return  # it is between two incarnations, where there is nobody to be struck
        self.struck[place] += 1
        self._is_aimed = False

    def _is_of_the_actor(self, task: trio.lowlevel.Task) -> bool:
        """Whether it is the actor's own task, or one in a nursery of the actor's."""
        above: trio.lowlevel.Task | None = task
        while above is not None and above.name not in _NAMES:
            above = None if above.parent_nursery is None else above.parent_nursery.parent_task
        return above is not None and above.name == self._path


_NAMES = frozenset(PATHS.values())


@contextmanager
def striking(running: Running, actor: str, harm: Harm, times: int) -> Iterator[Striker]:
    """Watch an actor's tasks for the time of the block."""
    striker = Striker(running, actor, harm, times)
    trio.lowlevel.add_instrument(striker)
    try:
        yield striker
    finally:
        trio.lowlevel.remove_instrument(striker)


def _place(task: trio.lowlevel.Task) -> str | None:
    """The innermost function of this project in which a task sleeps; None when the task is over."""
    found = None
    for frame, line in task.iter_await_frames():
        name = frame.f_code.co_filename
        if "/actors/" in name or "/supervisor/" in name:
            found = f"{name.rpartition('/')[2]}:{line} {frame.f_code.co_name}"
    return found
