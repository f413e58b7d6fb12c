"""
What a supervisor is told: the specifications of its children.

A specification is a frozen value without behaviour. `problems_of` finds everything that is wrong with a whole tree of
them at once; the supervisor refuses such a tree with `BadSpec` before anything runs.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

from attrs import field, frozen

from supervisor.tree.policy import ACTORS_INTENSITY, Backoff, Intensity
from supervisor.tree.rules import ChildKind, Restart, Strategy

if TYPE_CHECKING:
    from supervisor.tree.context import ChildContext


@frozen(kw_only=True)
class ChildSpec:
    """One child: an async function and the rules for its life. Times are in seconds, `math.inf` means for ever."""

    name: str
    run: Callable[[ChildContext], Awaitable[None]]
    restart: Restart = Restart.PERMANENT
    stop_grace_s: float = 5.0
    """Between being asked to leave and being cancelled; 0 is OTP's brutal kill: cancelled at once, never asked."""
    start_within_s: float = 30.0
    """Not ready after this long is a failed start."""
    hung_after_s: float | None = None
    """No `beat()` for this long after being ready is a death; None: not watched."""
    kind: ChildKind = ChildKind.WORKER


@frozen(kw_only=True)
class SupervisorSpec:
    """A supervisor and its children, in start order; it may itself be a child."""

    name: str
    children: tuple[ChildSpec | SupervisorSpec, ...]
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Intensity = ACTORS_INTENSITY
    backoff: Backoff = Backoff()
    slow_retry_s: float | None = None
    """Instead of giving up when the intensity is used up, go on trying once in this many seconds."""
    stuck_after_s: float = 10.0
    """A child that was cancelled and is still there after this long is reported as stuck."""

    restart: Restart = Restart.PERMANENT
    stop_grace_s: float = math.inf
    """As OTP advises for supervisors: its children have their own deadlines."""
    start_within_s: float = math.inf
    hung_after_s: float | None = None
    kind: ChildKind = field(default=ChildKind.SUPERVISOR, init=False)


Child = ChildSpec | SupervisorSpec


class BadSpec(ValueError):
    """The specification cannot be run; `problems` names everything that is wrong with it, each with its path."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def refuse_bad(spec: SupervisorSpec) -> None:
    """Raise `BadSpec` when anything in the tree is wrong."""
    problems = tuple(problems_of(spec))
    if problems:
        raise BadSpec(problems)


def problems_of(spec: SupervisorSpec, parent: str = "") -> Iterator[str]:
    """Everything that is wrong with a supervisor's specification and with those below it, one sentence each."""
    path = f"{parent}{spec.name}"
    yield from _problems_of_any(spec, path)
    yield from _bad_choice(path, "strategy", spec.strategy, Strategy)
    if not spec.children:
        yield f"{path}: has no children"
    restarts_max: object = spec.intensity.restarts_max
    if not isinstance(restarts_max, int) or isinstance(restarts_max, bool) or restarts_max < 0:
        yield f"{path}: intensity.restarts_max is {restarts_max!r}, not a whole number from 0"
    yield from _bad_numbers(path, "intensity.within_s", spec.intensity.within_s, least_exclusive=0)
    yield from _bad_numbers(path, "backoff.base_s", spec.backoff.base_s)
    yield from _bad_numbers(path, "backoff.factor", spec.backoff.factor, least=1)
    yield from _bad_numbers(path, "backoff.max_s", spec.backoff.max_s)
    yield from _bad_numbers(path, "backoff.healthy_after_s", spec.backoff.healthy_after_s)
    yield from _bad_numbers(path, "stuck_after_s", spec.stuck_after_s, least_exclusive=0)
    if spec.slow_retry_s is not None:
        yield from _bad_numbers(path, "slow_retry_s", spec.slow_retry_s, least_exclusive=0)
    seen: set[str] = set()
    for child in spec.children:
        if child.name in seen:
            yield f"{path}: two children are called {child.name!r}"
        seen.add(child.name)
        if isinstance(child, SupervisorSpec):
            yield from problems_of(child, f"{path}/")
        else:
            yield from _problems_of_any(child, f"{path}/{child.name}")
            run: object = child.run
            if not callable(run):
                yield f"{path}/{child.name}: run is {run!r}, not an async function"


def _problems_of_any(spec: Child, path: str) -> Iterator[str]:
    if not spec.name or "/" in spec.name:
        yield f"{path}: the name {spec.name!r} is empty or has a slash"
    yield from _bad_choice(path, "restart", spec.restart, Restart)
    yield from _bad_choice(path, "kind", spec.kind, ChildKind)
    yield from _bad_numbers(path, "stop_grace_s", spec.stop_grace_s)
    yield from _bad_numbers(path, "start_within_s", spec.start_within_s, least_exclusive=0)
    if spec.hung_after_s is not None:
        yield from _bad_numbers(path, "hung_after_s", spec.hung_after_s, least_exclusive=0)


def _bad_choice(path: str, name: str, value: object, choices: type[StrEnum]) -> Iterator[str]:
    if not isinstance(value, choices):
        yield f"{path}: {name} is {value!r}, not one of {', '.join(choices)}"


def _bad_numbers(
    path: str, name: str, value: object, *, least: float = 0, least_exclusive: float | None = None
) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        yield f"{path}: {name} is {value!r}, not a number"
    elif least_exclusive is not None and value <= least_exclusive:
        yield f"{path}: {name} is {value!r}, not above {least_exclusive}"
    elif value < least:
        yield f"{path}: {name} is {value!r}, below {least}"
