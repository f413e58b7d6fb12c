"""What a client does: a table of moves, each drawn by its weight."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from supervisor.chaos.author import Author
from supervisor.chaos.hand import Hand
from supervisor.chaos.moves_records import Records
from supervisor.chaos.moves_tasks import OwnTasks, Pool

OTHERS = 4
"""Clients whose tasks are read; the first ones have these numbers."""


class Moves:
    """The moves of one client."""

    def __init__(self, hand: Hand, name: str, rng: Random) -> None:
        self._author = author = Author(hand, name, rng)
        self._hand = hand
        own, pool, records = OwnTasks(author), Pool(author), Records(author)
        self._table: dict[Callable[[], None], int] = {
            own.create: 10,
            own.step: 24,
            pool.add: 8,
            pool.claim: 4,
            pool.use_stale_lease: 2,
            records.batch: 6,
            records.batch_that_fails: 2,
            records.make_session: 2,
            records.say: 10,
            records.change_session: 3,
            records.write_log: 6,
            records.record_event: 4,
            records.save_report: 3,
            records.put_run: 2,
            records.run_agent: 3,
            self._repeat: 5,
            self._repeat_differently: 2,
            self._read_task: 12,
            self._read_batches: 4,
            self._ping: 4,
        }

    def one(self) -> None:
        """Make the next move."""
        (move,) = self._author.rng.choices(list(self._table), weights=list(self._table.values()))
        move()

    def _repeat(self) -> None:
        """Send a command that was acknowledged once more, as after a lost connection."""
        if self._hand.done:
            asked = self._author.rng.choice(self._hand.done)
            self._hand.do(asked.method, asked.params, key=asked.key, marks={"repeats": asked.number})

    def _repeat_differently(self) -> None:
        """Use an old key for something else."""
        if self._hand.done:
            asked = self._author.rng.choice(self._hand.done)
            other = {"type": "chaos:other", "message": self._author.text()}
            self._hand.do("event.record", other, key=asked.key, allowed=("conflict",), marks={"abuses": asked.number})

    def _read_task(self) -> None:
        """Read a task that any client may have made, or not."""
        number = self._author.rng.randrange(1, self._author.number + 2)
        self._hand.do("task.get", {"id": f"w{self._author.rng.randrange(OTHERS)}-{number}"}, allowed=("not_found",))

    def _read_batches(self) -> None:
        """Read tasks that batches made, from where the last reading ended."""
        self._hand.read_on("task.list", {"tool": "BATCH", "limit": 30})

    def _ping(self) -> None:
        self._hand.do("runtime.ping", {})
