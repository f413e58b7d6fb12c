"""What can be asked, by name; and the whole of an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import attrs

from supervisor.bench import growth, memory, restarts, shell, sizes, throughput
from supervisor.bench.figures import Answer, Figure, Point
from supervisor.bench.goals import Judged, judged
from supervisor.bench.machine import machine
from supervisor.bench.programs import best_programs
from supervisor.bench.setting import QUICK, Setting


@attrs.frozen
class Question:
    """One question."""

    ask: Callable[[Setting], Answer]
    about_s: int
    """How long the whole of it takes on two cores: so that one who waits knows."""


QUESTIONS: Final = {
    "throughput": Question(throughput.throughput, 120),
    "latency": Question(throughput.latency, 90),
    "growth": Question(growth.growth, 180),
    "snapshot": Question(sizes.snapshot, 30),
    "recovery": Question(restarts.recovery, 30),
    "restart": Question(restarts.restart, 75),
    "memory": Question(memory.memory, 60),
    "session": Question(sizes.session, 20),
    "startup": Question(shell.startup, 40),
}
"""In the order in which they are asked."""


@attrs.frozen
class Report:
    """What one run gave."""

    goals: tuple[Judged, ...]
    others: tuple[Figure, ...]
    """Figures that no goal tells about."""
    points: tuple[Point, ...]
    machine: dict[str, Any]
    quick: bool
    verified: int | None
    """How many acknowledged tasks were looked for; None: that was not asked for."""
    missing: tuple[str, ...]
    failed: dict[str, str] = attrs.field(factory=dict)
    """Why a question came to no end, by its name."""

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "machine": self.machine,
            "quick": self.quick,
            "goals": [
                {
                    "name": row.goal.name,
                    "what": row.goal.what,
                    "goal": row.goal.bound,
                    "verdict": row.verdict.value,
                    "figure": None if row.figure is None else attrs.asdict(row.figure),
                }
                for row in self.goals
            ],
            "figures": [attrs.asdict(figure) for figure in self.others],
            "points": [attrs.asdict(point) for point in self.points],
            "verified": self.verified,
            "missing": list(self.missing),
            "failed": self.failed,
        }


def asked(setting: Setting, names: Iterable[str]) -> Report:
    """Ask the questions, one after the other; one that comes to no end does not take the others' figures along."""
    wanted = [name for name in QUESTIONS if name in set(names)]
    quick = setting.sizes == QUICK
    measured_on = machine(setting.folder)  # its load before, not what this makes of it
    begun_s = time.monotonic()
    with best_programs(setting.folder) as used:
        answer, failed = _answers(setting, wanted, quick=quick)
    measured_on |= {"load_generator": used.language, "took_s": round(time.monotonic() - begun_s)}
    goals = tuple(judged(answer.figures, wanted, quick=quick))
    told = {row.goal.name for row in goals}
    return Report(
        goals=goals,
        others=tuple(figure for figure in answer.figures if figure.name not in told),
        points=answer.points,
        machine=measured_on,
        quick=quick,
        verified=setting.verified if setting.verify else None,
        missing=tuple(sorted(setting.missing)),
        failed=failed,
    )


def _answers(setting: Setting, wanted: Sequence[str], *, quick: bool) -> tuple[Answer, dict[str, str]]:
    answer = Answer()
    failed: dict[str, str] = {}
    say = setting.say
    for place, name in enumerate(wanted):
        setting.say = _saying(say, wanted[place:], len(wanted), quick=quick)
        try:
            answer += QUESTIONS[name].ask(setting)
        except (RuntimeError, OSError) as error:
            failed[name] = str(error)
    return answer, failed


def _saying(say: Callable[[str], None], left: Sequence[str], number: int, *, quick: bool) -> Callable[[str], None]:
    """Let what is said begin with where in the whole it is, and end with what is left."""
    name, *rest = left
    until_s = time.monotonic() + sum(QUESTIONS[one].about_s for one in left)
    then = f"; then {', '.join(rest)}" if rest else ""

    def said(text: str) -> None:
        left_min = (until_s - time.monotonic()) / 60
        about = "" if quick else f", about {max(1, round(left_min))} min"
        say(f"{number - len(rest)}/{number} {name}: {text}{then}{about}")

    return said
