"""Commands a second and their latency: beside the peers, and over the number of clients."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from supervisor.bench import peers
from supervisor.bench.figures import Answer, Figure, Point, compared, taken
from supervisor.bench.generator import Shape, is_limit, limit
from supervisor.bench.load import Outcome
from supervisor.bench.peers_servers import Absent, postgres, redis
from supervisor.bench.programs import programs
from supervisor.bench.setting import Setting
from supervisor.bench.subject import measured

SINGLE: Final = Shape(1, 1)
CLIENTS: Final = Shape(64, 1)
PIPELINED: Final = Shape(16, 32)

RATES: Final = "acknowledged task.create/s over clients"

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
    rounds = setting.sizes.rounds
    reached: dict[str, list[Outcome]] = {contest.goal: [] for contest in CONTESTS}
    limits: dict[str, list[Outcome]] = {contest.goal: [] for contest in CONTESTS}
    with contextlib.ExitStack() as stack:
        theirs, absent = _peers(setting, stack)
        rates: dict[str, list[float]] = {name: [] for name in theirs}
        for number in range(rounds):
            where = f"round {number + 1} of {rounds}"
            for contest in CONTESTS:
                setting.say(f"{where}: Perdure, {contest.shape}")
                reached[contest.goal].append(_loaded(setting, contest.shape, setting.sizes.run_s))
                if contest.peer in theirs:
                    _measure(setting, theirs, rates, contest.peer, where)
                setting.say(f"{where}: the load generator's limit, {contest.shape}")
                limits[contest.goal].append(limit(contest.shape, setting.sizes.run_s / 2))
            for name in OTHERS:
                if name in theirs:
                    _measure(setting, theirs, rates, name, where)
    figures = [_contest(contest, reached, limits, rates, absent) for contest in CONTESTS]
    figures += [taken(name, rounds, "/s", name) for name, rounds in rates.items()]
    figures += [Figure(name, None, "/s", name, note=why) for name, why in absent.items()]
    figures += [_limit(contest, limits[contest.goal]) for contest in CONTESTS]
    return Answer(tuple(figures), _peer_points(rates))


def _peer_points(rates: dict[str, list[float]]) -> tuple[Point, ...]:
    """PostgreSQL in the picture of the rates over the number of clients."""
    numbers = {"PostgreSQL, one client": SINGLE.connections, "PostgreSQL, 64 clients": CLIENTS.connections}
    return tuple(
        Point(RATES, "PostgreSQL's inserts/s", clients, statistics.median(rates[name]))
        for name, clients in numbers.items()
        if name in rates
    )


def _measure(
    setting: Setting, theirs: dict[str, Measure], rates: dict[str, list[float]], name: str, where: str
) -> None:
    setting.say(f"{where}: {name}")
    setting.calm()
    rates[name].append(theirs[name](setting.sizes.run_s))


def _loaded(setting: Setting, shape: Shape, seconds: float) -> Outcome:
    """Load a new Perdure: every run begins alike, and none shares the disk with what an earlier one left to do."""
    with measured(setting.folder) as subject:
        setting.calm()
        outcome = subject.load(shape, seconds)
        setting.check(subject)
        return outcome


def _peers(setting: Setting, stack: contextlib.ExitStack) -> tuple[dict[str, Measure], dict[str, str]]:
    """Start the peers; return how each is measured, and why those are absent that are."""
    folder = setting.folder
    setting.say("the peers start")
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


def _contest(
    contest: _Contest,
    reached: dict[str, list[Outcome]],
    limits: dict[str, list[Outcome]],
    rates: dict[str, list[float]],
    absent: dict[str, str],
) -> Figure:
    outcomes = reached[contest.goal]
    # The best of the rounds: a limit seen in a slow moment would refuse what the next moment gives.
    most = max(outcome.rate for outcome in limits[contest.goal])
    if is_limit(max(outcome.rate for outcome in outcomes), most):
        return Figure(contest.goal, None, "/s", peer=contest.peer, note=_refusal(most))
    figure = taken(contest.goal, [outcome.rate for outcome in outcomes], "/s", note=_latencies(outcomes))
    if contest.peer in absent:
        return attrs.evolve(figure, peer=contest.peer, note=f"{absent[contest.peer]}; {figure.note}")
    return compared(figure, rates[contest.peer], contest.peer)


def _latencies(outcomes: Sequence[Outcome]) -> str:
    p50, p99 = (statistics.median(getattr(outcome, name) for outcome in outcomes) for name in ("p50_ms", "p99_ms"))
    worst = max(outcome.max_ms for outcome in outcomes)
    return f"latency: median {p50:.2f} ms, p99 {p99:.2f}, worst {worst:.0f}"


def _limit(contest: _Contest, outcomes: Sequence[Outcome]) -> Figure:
    cpu_us = statistics.median(outcome.cpu_us for outcome in outcomes)
    return taken(
        f"limit {contest.shape}",
        [outcome.rate for outcome in outcomes],
        "/s",
        f"load generator's limit, {contest.shape}",
        note=f"against an echo server; in {programs().language}, {cpu_us:.2f} µs of processor time for each request",
    )


def _refusal(most: float) -> str:
    return f"not reported: the load generator may be the limit ({most:.0f}/s against an echo server)"


def latency(setting: Setting) -> Answer:
    """Measure percentiles and rates over the number of clients, one request in flight each; and pipelined."""
    shapes = [*(Shape(clients, 1) for clients in setting.sizes.clients), PIPELINED]
    limits = {}
    for shape in shapes:
        setting.say(f"the load generator's limit, {shape}")
        limits[shape] = limit(shape, setting.sizes.run_s / 2).rate
    reached: dict[Shape, list[Outcome]] = {shape: [] for shape in shapes}
    rounds = setting.sizes.curve_rounds
    for number in range(rounds):
        for shape in shapes:
            setting.say(f"round {number + 1} of {rounds}: {shape}")
            reached[shape].append(_loaded(setting, shape, setting.sizes.run_s))
    answer = Answer()
    for shape, outcomes in reached.items():
        answer += _told(shape, outcomes, limits[shape])
    return answer


def _told(shape: Shape, outcomes: Sequence[Outcome], most: float) -> Answer:
    what = f"median latency, {shape}"
    if is_limit(max(outcome.rate for outcome in outcomes), most):
        return Answer((Figure(f"latency {shape}", None, "ms", what, note=_refusal(most)),))
    rate, p50_ms, p90_ms, p99_ms, max_ms = (
        statistics.median(getattr(outcome, name) for outcome in outcomes)
        for name in ("rate", "p50_ms", "p90_ms", "p99_ms", "max_ms")
    )
    tail = f"p90 {p90_ms:.2f}, p99 {p99_ms:.2f}, max {max_ms:.1f}; {rate:,.0f}/s"
    answer = Answer(
        (
            taken(f"latency {shape}", [outcome.p50_ms for outcome in outcomes], "ms", what, note=tail),
            taken(f"rate {shape}", [outcome.rate for outcome in outcomes], "/s", f"task.create, {shape}"),
        )
    )
    if shape.depth == 1:
        answer += Answer(points=_points(shape.connections, rate, p50_ms, p99_ms))
    return answer


def _points(clients: int, rate: float, p50_ms: float, p99_ms: float) -> tuple[Point, ...]:
    return (
        Point(RATES, "Perdure", clients, rate),
        Point("latency over clients, ms", "median", clients, p50_ms),
        Point("latency over clients, ms", "p99", clients, p99_ms),
    )
