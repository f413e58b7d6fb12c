"""
The schedule: what is done, when, and to whom, as a pure function of seed and length.

Every harm is drawn from a bag that is filled anew when it is empty, each as often as its weight says: so a short trial
has most kinds, and a long one all of them in proportion. Between two blows lies a drawn pause; a harm that takes long
to recover from asks for more of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Final

import attrs

ACTORS: Final = ("writer", "tasks", "sessions", "runs", "events", "reports", "autosave", "gateway")
"""Whom an actor's harm can hit."""

PAUSE_S: Final = (0.15, 0.6)
"""Between two blows, before what the harm itself asks for."""

COPY_EVERY_S: Final = 4.0
"""Copies are recovered by processes of their own, which take a second of one core."""

COPIES_MAX: Final = 40
"""However long it takes: a late copy is large."""


@attrs.frozen
class Harm:
    """One kind of blow."""

    name: str
    weight: int
    """How often it lies in the bag."""
    rest_s: float = 0.0
    """How long nothing else is done after it."""
    lasts_s: tuple[float, float] = (0.0, 0.0)
    """How long it lasts, for what is stopped or withheld."""
    whom: tuple[str, ...] = ("",)


HARMS: Final = (
    Harm("crash actor", 6, whom=ACTORS),
    Harm("cancel actor", 4, whom=ACTORS),
    Harm("hang actor", 1, rest_s=0.5, whom=ACTORS[:-1]),
    Harm("restart actor", 1, whom=ACTORS),
    Harm("kill runtime", 3, rest_s=0.4),
    Harm("stop runtime", 1, lasts_s=(0.1, 1.0)),
    Harm("kill host", 1, rest_s=0.3),
    Harm("stop host", 1, lasts_s=(0.1, 0.8)),
    Harm("kill agent", 2),
    Harm("kill root", 1, rest_s=0.6),
    Harm("stop root", 1, lasts_s=(0.1, 0.6)),
    Harm("kill client", 1),
    Harm("fill disk", 1, rest_s=0.2, lasts_s=(0.1, 0.6)),
    Harm("withhold descriptors", 1, lasts_s=(0.1, 0.6)),
    Harm("save", 2),
)
"""Everything that is done to a running Perdure. `save` harms nobody: it puts snapshots and rotations in the way."""

DAMAGES: Final = ("none", "flip", "cut", "zeros", "missing")
"""What is done to a copy."""

FILES: Final = ("journal", "snapshot", "backup", "task", "session")
"""To which of its files."""


@attrs.frozen
class Blow:
    """One thing done."""

    at_s: float
    """After the workload began."""
    harm: str
    """A name in HARMS, or `damage copy`."""
    whom: str = ""
    """An actor's name; for a copy `DAMAGE FILE`."""
    lasts_s: float = 0.0
    chance: int = 0
    """Seeds whatever the blow itself draws: which of several processes, which byte."""


@attrs.frozen
class Schedule:
    """What is needed to do the same again."""

    seed: int
    seconds: float
    blows: tuple[Blow, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Schedule:
        """Return the schedule of such values; raises KeyError, TypeError or ValueError when they are not one."""
        blows = tuple(Blow(**blow) for blow in members["blows"])
        known = {harm.name for harm in HARMS} | {"damage copy"}
        unknown = sorted({blow.harm for blow in blows} - known)
        if unknown:
            raise ValueError(f"this version knows no harm called {unknown[0]!r}")
        return cls(int(members["seed"]), float(members["seconds"]), blows)


def draw(seed: int, seconds: float) -> Schedule:
    """Return the schedule of a seed."""
    rng = Random(f"perdure chaos {seed} {seconds:g}")
    blows = [*_harms(rng, seconds), *_copies(rng, seconds)]
    return Schedule(seed, seconds, tuple(sorted(blows, key=lambda blow: blow.at_s)))


def _harms(rng: Random, seconds: float) -> list[Blow]:
    blows = []
    bag: list[Harm] = []
    at_s = rng.uniform(*PAUSE_S)
    while at_s < seconds:
        if not bag:
            bag = [harm for harm in HARMS for _ in range(harm.weight)]
            rng.shuffle(bag)
        harm = bag.pop()
        lasts_s = round(rng.uniform(*harm.lasts_s), 3)
        blows.append(Blow(round(at_s, 3), harm.name, rng.choice(harm.whom), lasts_s, rng.getrandbits(32)))
        at_s += rng.uniform(*PAUSE_S) + harm.rest_s + lasts_s
    return blows


def _copies(rng: Random, seconds: float) -> list[Blow]:
    every_s = max(COPY_EVERY_S, seconds / COPIES_MAX)
    number = max(1, int(seconds / every_s))
    pairs = [f"{damage} {file}" for damage in DAMAGES[1:] for file in FILES]
    rng.shuffle(pairs)
    blows = []
    for n in range(number):
        # The first is not damaged: what a kill leaves must be whole.
        whom = "none journal" if n % (len(pairs) + 1) == 0 else pairs[n % (len(pairs) + 1) - 1]
        at_s = round((n + rng.uniform(0.3, 1.0)) * every_s, 3)
        blows.append(Blow(at_s, "damage copy", whom, 0.0, rng.getrandbits(32)))
    return blows
