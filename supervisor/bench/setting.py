"""How much is measured, and where: the whole, or a quick look."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import attrs

from supervisor.bench.filling import MODEL, multiply
from supervisor.bench.subject import Subject, measured


@attrs.frozen
class Sizes:
    """How long and how much."""

    run_s: float = 2.0
    """Of each timed run; whole seconds, for pgbench knows no others."""
    rounds: int = 5
    curve_rounds: int = 3
    """Of the questions that draw a curve: each of their rounds has many runs."""
    probes: int = 100
    """Single commands in a round, where one is timed by itself."""
    burst: int = 2_000
    """Commands whose processor time is taken."""
    clients: tuple[int, ...] = (1, 4, 16, 64, 256)
    growth: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    few: int = 10_000
    many: int = 100_000
    """Of tasks, and of messages."""
    sessions: int = 5_000
    connections: int = 5_000
    commands_max: int = 1_000
    """Of the command line."""


WHOLE: Final = Sizes()
QUICK: Final = Sizes(
    run_s=0.3,
    rounds=1,
    curve_rounds=1,
    probes=20,
    burst=100,
    clients=(1, 8),
    growth=(200, 1_000),
    few=500,
    many=1_000,
    sessions=50,
    connections=50,
    commands_max=1,
)
"""A quick look: that it works. It judges no goal."""


@attrs.define
class Setting:
    """What every question is asked with."""

    folder: Path
    """Everything is measured below it, on its disk."""
    sizes: Sizes
    commands: tuple[str, ...] = ()
    """Of the command line: those whose start is measured."""
    verify: bool = False
    say: Callable[[str], None] = attrs.field(default=lambda _text: None)
    """Is told what is being done."""
    verified: int = 0
    missing: set[str] = attrs.field(factory=set)
    _stock: dict[int, Path] = attrs.field(factory=dict, init=False)

    def check(self, subject: Subject) -> None:
        """Look whether everything acknowledged is there, if that is asked for: after kill -9 of all of it."""
        if self.verify:
            self.say("kill -9, and every acknowledged task looked for")
            self.missing |= subject.missing()
            self.verified += len(subject.acknowledged())

    def calm(self) -> None:
        """Let the disk finish what was left to it: nobody is to be measured with the work of the one before."""
        os.sync()

    @contextlib.contextmanager
    def filled(self, tasks: int, environment: dict[str, str] | None = None) -> Iterator[Subject]:
        """Start a Perdure on so many tasks: on a directory that is made once, and has since a few of each question."""
        if tasks not in self._stock:
            self._stock[tasks] = self._made(tasks)
        self.say(f"start on {tasks:,} tasks")
        with measured(self.folder, environment, state_path=self._stock[tasks]) as subject:
            yield subject

    def _made(self, tasks: int) -> Path:
        self.say(f"making a directory with {tasks:,} tasks")
        with measured(self.folder) as subject:
            with subject.line() as line:
                line.create(MODEL)
            subject.wait_for_files(MODEL)
            subject.stage.stop()
            state_path = subject.stage.state_path
        multiply(state_path, tasks, lambda done: self.say(f"making a directory: {done:,} of {tasks:,} tasks"))
        return state_path
