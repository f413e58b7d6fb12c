"""What a trial found: a verdict per promise, what was done how often, and what is needed to do it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final

import attrs

from supervisor.chaos.schedule import Schedule

FORMAT: Final = 1
"""Of the file that is saved; raised when its shape changes."""


class Promise(Enum):
    """What is checked: the promises of Perdure as its users count on them."""

    DURABLE = "what was acknowledged is there"
    ATOMIC = "a batch is there whole or not at all"
    ONCE = "a repeated command takes effect once"
    INVISIBLE = "clients see latency, not crashes"
    TOLD = "a write that failed is told, and repeats well"
    READ = "a query shows what is durable, never less than before"
    FOLLOWED = "subscribers get every line, once, in order"
    FENCED = "leases only grow, old ones are refused"
    OUTPUT = "agents' output is kept byte for byte, and their end once"
    ORPHANS = "no process is left behind"
    ONE_WRITER = "one process writes"
    DAMAGE = "damage is reported and kept, and what is readable too"


@attrs.frozen
class Verdict:
    """What one checker found."""

    promise: Promise
    checks: int
    violations: tuple[str, ...] = ()

    @classmethod
    def of(cls, promise: Promise, checks: int, violations: Iterable[str]) -> Verdict:
        """Return the verdict with these violations."""
        return cls(promise, checks, tuple(violations))


def summed(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Return one verdict for each promise, in their order; a promise that nobody checked has no checks."""
    checks = dict.fromkeys(Promise, 0)
    violations: dict[Promise, list[str]] = {promise: [] for promise in Promise}
    for verdict in verdicts:
        checks[verdict.promise] += verdict.checks
        violations[verdict.promise] += verdict.violations
    return tuple(Verdict(promise, checks[promise], tuple(violations[promise])) for promise in Promise)


@attrs.frozen(kw_only=True)
class Outcome:
    """The outcome of a trial."""

    schedule: Schedule
    exchanges: int
    acknowledged: int
    lines: int
    """Of the journal at the end."""
    verdicts: tuple[Verdict, ...]
    harms: Mapping[str, int]
    """How often each was done."""
    missed: Mapping[str, int]
    """How often there was nobody to do it to."""
    kept: str | None = None
    """Where the state directory and the records are kept."""

    @property
    def violations(self) -> int:
        """How many there are in all."""
        return sum(len(verdict.violations) for verdict in self.verdicts)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values; `schedule` is what a replay needs."""
        return {
            "version": FORMAT,
            "seed": self.schedule.seed,
            "seconds": self.schedule.seconds,
            "commands": self.exchanges,
            "acknowledged": self.acknowledged,
            "journal_lines": self.lines,
            "violations": self.violations,
            "promises": [
                {
                    "promise": verdict.promise.name.lower(),
                    "says": verdict.promise.value,
                    "checks": verdict.checks,
                    "violations": list(verdict.violations),
                }
                for verdict in self.verdicts
            ],
            "harms": dict(self.harms),
            "missed": dict(self.missed),
            "kept": self.kept,
            "schedule": self.schedule.as_json(),
        }
