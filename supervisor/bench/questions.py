"""What can be asked, by name; and the whole of an answer."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import psutil

from supervisor.bench import restarts, shell, sizes, throughput
from supervisor.bench.figures import Answer, Figure, Point
from supervisor.bench.goals import Judged, judged
from supervisor.bench.setting import QUICK, Setting

QUESTIONS: Final[dict[str, Callable[[Setting], Answer]]] = {
    "throughput": throughput.throughput,
    "latency": throughput.latency,
    "growth": sizes.growth,
    "snapshot": sizes.snapshot,
    "recovery": restarts.recovery,
    "restart": restarts.restart,
    "memory": sizes.memory,
    "session": sizes.session,
    "startup": shell.startup,
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
        }


def asked(setting: Setting, names: Iterable[str]) -> Report:
    """Ask the questions. Raises RuntimeError when one cannot be measured."""
    wanted = [name for name in QUESTIONS if name in set(names)]
    machine = _machine()  # its load before, not what this makes of it
    answer = Answer()
    for name in wanted:
        answer += QUESTIONS[name](setting)
    quick = setting.sizes == QUICK
    goals = tuple(judged(answer.figures, wanted, quick=quick))
    told = {row.goal.name for row in goals}
    return Report(
        goals=goals,
        others=tuple(figure for figure in answer.figures if figure.name not in told),
        points=answer.points,
        machine=machine,
        quick=quick,
        verified=setting.verified if setting.verify else None,
        missing=tuple(sorted(setting.missing)),
    )


def _machine() -> dict[str, Any]:
    return {
        "cores": psutil.cpu_count(),
        "load": round(psutil.getloadavg()[0], 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
