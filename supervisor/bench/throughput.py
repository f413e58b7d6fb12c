"""Commands a second and their latency: beside the peers, and over the number of clients."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from supervisor.bench import peers
from supervisor.bench.figures import Answer, Figure, Point, median_ratio
from supervisor.bench.generator import Shape, is_limit, limit_rate
from supervisor.bench.load import Outcome
from supervisor.bench.peers_servers import Absent, postgres, redis
from supervisor.bench.setting import Setting
from supervisor.bench.subject import measured

SINGLE: Final = Shape(1, 1)
CLIENTS: Final = Shape(64, 1)
PIPELINED: Final = Shape(16, 32)

Measure = Callable[[float], float]
"""Takes seconds, gives a rate."""


@attrs.frozen
class _Contest:
    """One goal: Perdure in a shape, and the peer that it is compared with."""

    goal: str
    shape: Shape
    peer: str


CONTESTS: Final = (
    _Contest("clients", CLIENTS, "PostgreSQL, 64 clients"),
    _Contest("pipelined", PIPELINED, "Redis, 16 × 32"),
    _Contest("single", SINGLE, "raw append + fdatasync"),
)
OTHERS: Final = ("SQLite, one client", "PostgreSQL, one client")
"""Peers without a goal: told because one would ask."""


def throughput(setting: Setting) -> Answer:
    """Measure Perdure and the peers in turns."""
    seconds = setting.sizes.run_s
    limits = dict.fromkeys((contest.shape for contest in CONTESTS), 0.0)
    with contextlib.ExitStack() as stack:
        ours: dict[str, Measure] = {
            contest.goal: lambda run_s, shape=contest.shape: _loaded(setting, shape, run_s).rate  # type: ignore[misc]
            for contest in CONTESTS
        }
        theirs, absent = _peers(setting.folder, stack)
        rates: dict[str, list[float]] = {name: [] for name in (*ours, *theirs)}
        for number in range(setting.sizes.rounds):
            for name, measure in {**ours, **theirs}.items():
                setting.say(f"round {number + 1} of {setting.sizes.rounds}: {name}")
                rates[name].append(measure(seconds))
            for shape, best in limits.items():
                # The best of the rounds: a limit seen in a slow moment would refuse what the next moment gives.
                setting.say(f"round {number + 1} of {setting.sizes.rounds}: the load generator's limit, {shape}")
                limits[shape] = max(best, limit_rate(shape, seconds))
    figures = [_contest(contest, rates, limits[contest.shape], absent) for contest in CONTESTS]
    figures += [_peer(name, taken) for name, taken in rates.items() if name not in ours]
    figures += [Figure(name, None, "/s", name, note=why) for name, why in absent.items()]
    figures += [
        Figure(f"limit {shape}", limit, "/s", f"the load generator against an echo server, {shape}")
        for shape, limit in limits.items()
    ]
    return Answer(tuple(figures))


def _loaded(setting: Setting, shape: Shape, seconds: float) -> Outcome:
    """Load a new Perdure: every run begins alike, and none shares the disk with what an earlier one left to do."""
    with measured(setting.folder) as subject:
        outcome = subject.load(shape, seconds)
        setting.check(subject)
        return outcome


def _peers(folder: Path, stack: contextlib.ExitStack) -> tuple[dict[str, Measure], dict[str, str]]:
    """Start the peers; return how each is measured, and why those are absent that are."""
    append = stack.enter_context(peers.raw(folder))
    insert = stack.enter_context(peers.sqlite(folder))
    measures: dict[str, Measure] = {
        "raw append + fdatasync": lambda run_s: peers.rate_of(append, run_s),
        "SQLite, one client": lambda run_s: peers.rate_of(insert, run_s),
    }
    absent: dict[str, str] = {}
    try:
        database = stack.enter_context(postgres(folder))
        measures["PostgreSQL, 64 clients"] = lambda run_s: database.rate(CLIENTS, run_s)
        measures["PostgreSQL, one client"] = lambda run_s: database.rate(SINGLE, run_s)
    except Absent as why:
        absent["PostgreSQL, 64 clients"] = str(why)
    try:
        cache = stack.enter_context(redis(folder))
        measures["Redis, 16 × 32"] = lambda run_s: cache.rate(PIPELINED, run_s)
    except Absent as why:
        absent["Redis, 16 × 32"] = str(why)
    return measures, absent


def _contest(contest: _Contest, rates: dict[str, list[float]], limit: float, absent: dict[str, str]) -> Figure:
    taken = rates[contest.goal]
    rate = statistics.median(taken)
    if is_limit(max(taken), limit):
        return Figure(contest.goal, None, "/s", peer=contest.peer, note=_refusal(limit))
    if contest.peer in absent:
        return Figure(contest.goal, rate, "/s", peer=contest.peer, note=absent[contest.peer])
    ratio = median_ratio(taken, rates[contest.peer])
    return Figure(contest.goal, rate, "/s", ratio=ratio, peer=contest.peer)


def _refusal(limit: float) -> str:
    return f"not reported: the load generator may be the limit ({limit:.0f}/s against an echo server)"


def _peer(name: str, taken: list[float]) -> Figure:
    return Figure(name, statistics.median(taken), "/s", name)


def latency(setting: Setting) -> Answer:
    """Measure percentiles and rates over the number of clients, one request in flight each; and pipelined."""
    shapes = [*(Shape(clients, 1) for clients in setting.sizes.clients), PIPELINED]
    answer = Answer()
    for shape in shapes:
        setting.say(f"latency, {shape}")
        limit = limit_rate(shape, setting.sizes.run_s)
        outcome = _loaded(setting, shape, setting.sizes.run_s)
        what = f"task.create, {shape}: median latency"
        if is_limit(outcome.rate, limit):
            answer += Answer((Figure(f"latency {shape}", None, "ms", what, note=_refusal(limit)),))
            continue
        tail = f"p90 {outcome.p90_ms:.2f}, p99 {outcome.p99_ms:.2f}, max {outcome.max_ms:.1f}; {outcome.rate:.0f}/s"
        answer += Answer((Figure(f"latency {shape}", outcome.p50_ms, "ms", what, note=tail),))
        if shape.depth == 1:
            answer += Answer(points=_points(shape.connections, outcome.rate, outcome.p50_ms, outcome.p99_ms))
    return answer


def _points(clients: int, rate: float, p50_ms: float, p99_ms: float) -> tuple[Point, ...]:
    return (
        Point("acknowledged/s over clients", "task.create/s", clients, rate),
        Point("latency over clients, ms", "median", clients, p50_ms),
        Point("latency over clients, ms", "p99", clients, p99_ms),
    )
