"""How much is measured, and where: the whole, or a quick look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from supervisor.bench.subject import Subject


@attrs.frozen
class Sizes:
    """How long and how much."""

    run_s: float = 3.0
    """Of each timed run."""
    rounds: int = 3
    probes: int = 200
    """Single commands, where one is timed by itself."""
    clients: tuple[int, ...] = (1, 4, 16, 64, 256)
    growth: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    few: int = 10_000
    many: int = 100_000
    """Of tasks, and of messages."""
    commands_max: int = 1_000
    """Of the command line."""


WHOLE: Final = Sizes()
QUICK: Final = Sizes(
    run_s=0.3, rounds=1, probes=20, clients=(1, 8), growth=(200, 1_000), few=500, many=1_000, commands_max=1
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

    def check(self, subject: Subject) -> None:
        """Look whether everything acknowledged is there, if that is asked for: after kill -9 of all of it."""
        if self.verify:
            self.say("kill -9, and every acknowledged task looked for")
            self.missing |= subject.missing()
            self.verified += len(subject.acknowledged())
