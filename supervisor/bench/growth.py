"""What a command costs at growing numbers of tasks, or must not cost: in time, and in processor time.

A Perdure for each number runs all the while, and the single commands go to one after the other, so that the machine's
moods are the same for all of them. Beside them stands what a start on so many tasks takes, and the memory.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from functools import partial

import attrs
import psutil

from supervisor.bench import peers
from supervisor.bench.cpu import cpu_time
from supervisor.bench.figures import Answer, Figure, Point, compared, taken
from supervisor.bench.setting import Setting
from supervisor.bench.subject import Line, Subject

QUIET: dict[str, str] = {"PERDURE_STATE__AUTOSAVE_INTERVAL_S": "3600"}
"""Snapshots are another question's: one of a million tasks lasts as long as all of this."""

BYTES_PER_TASK = 2_500
"""Of memory, with room to spare."""

COST = "cost of a command over tasks, ms"
CPU = "processor time of a command over tasks, µs"


@attrs.define
class _Place:
    """One number of tasks, and what was measured there, by round."""

    tasks: int
    subject: Subject
    line: Line
    started_ms: float
    costs_ms: list[float] = attrs.field(factory=list)
    cpus_us: list[float] = attrs.field(factory=list)


def growth(setting: Setting) -> Answer:
    """Measure a command's cost at each number of tasks, in turns, a bare append on the same disk among them."""
    wanted = setting.sizes.growth
    numbers = [tasks for tasks in wanted if tasks * BYTES_PER_TASK < psutil.virtual_memory().available]
    with contextlib.ExitStack() as stack:
        append = stack.enter_context(peers.raw(setting.folder))
        places = [_begun(setting, stack, tasks) for tasks in numbers]
        bare_ms: list[float] = []
        for number in range(setting.sizes.curve_rounds):
            where = f"round {number + 1} of {setting.sizes.curve_rounds}"
            setting.say(f"{where}: single commands")
            setting.calm()
            bare_ms.append(_in_turns(places, append, setting.sizes.probes, number))
            for place in places:
                setting.say(f"{where}: processor time, {place.tasks:,} tasks")
                place.cpus_us.append(_burst_us(place.subject, setting.sizes.burst))
        figures = [figure for place in places for figure in _figures(place, bare_ms)]
        for place in places:
            setting.check(place.subject)
    left_out = "" if numbers == list(wanted) else "there is too little memory for more tasks"
    return Answer(tuple(_goals(places, left_out) + figures), _points(places, bare_ms))


def _begun(setting: Setting, stack: contextlib.ExitStack, tasks: int) -> _Place:
    subject = stack.enter_context(setting.filled(tasks, QUIET))
    subject.stage.stop()
    setting.say(f"start on {tasks:,} tasks again, from the system's cache")
    begun_s = time.perf_counter()
    subject.stage.start()
    line = stack.enter_context(subject.line())
    line.create(f"{subject.name}-first")
    started_ms = (time.perf_counter() - begun_s) * 1000
    # What is left to do after a start is no part of what a command costs.
    _burst_us(subject, setting.sizes.burst)
    return _Place(tasks, subject, line, started_ms)


def _in_turns(places: list[_Place], append: peers.Work, probes: int, number: int) -> float:
    """Time single commands at each place, one after the other; note the medians. Return that of the bare append."""
    times_ms: list[list[float]] = [[] for _ in places]
    bare_ms = []
    turns = list(zip(places, times_ms, strict=True))
    for probe in range(probes):
        bare_ms += peers.durations_ms(append, 1)
        turns.append(turns.pop(0))  # whoever comes first waits for what the bare append left to the disk
        for place, times in turns:
            create = partial(place.line.create, f"{place.subject.name}-{number}-{probe}")
            times.extend(peers.durations_ms(create, 1))
    for place, times in zip(places, times_ms, strict=True):
        place.costs_ms.append(statistics.median(times))
    return statistics.median(bare_ms)


def _burst_us(subject: Subject, commands: int) -> float:
    """Return the runtime's processor time for each of many commands, their files included, in microseconds."""
    runtime = subject.stage.runtime_pid()
    before = cpu_time(runtime)
    subject.create(commands)
    subject.settle()
    return cpu_time(runtime).since(before).total_s / commands * 1e6


def _goals(places: list[_Place], note: str) -> list[Figure]:
    """The dearest number of tasks to the cheapest, in each round."""
    costs = list(zip(*(place.costs_ms for place in places), strict=True))
    cpus = list(zip(*(place.cpus_us for place in places), strict=True))
    made = []
    for name, unit, rounds in (("growth", "ms", costs), ("growth-cpu", "µs", cpus)):
        medians = [statistics.median(values) for values in zip(*rounds, strict=True)]
        ratios = tuple(max(values) / min(values) for values in rounds)
        # Of the medians, not the median of the ratios: the dearest of a round is dear by chance, too.
        spread = max(medians) / min(medians)
        figure = taken(name, [values[-1] for values in rounds], unit, note=note)
        made.append(
            attrs.evolve(figure, ratio=spread, peer="the cheapest", ratios=ratios, tasks=places[-1].tasks),
        )
    return made


def _figures(place: _Place, bare_ms: list[float]) -> list[Figure]:
    tasks = place.tasks
    rss_mb = place.subject.runtime_rss_bytes() / 1e6
    cost = taken(f"cost at {tasks}", place.costs_ms, "ms", f"one command at {tasks:,} tasks")
    return [
        compared(cost, bare_ms, "raw append + fdatasync"),
        taken(f"cpu at {tasks}", place.cpus_us, "µs", f"processor time at {tasks:,} tasks"),
        Figure(f"start at {tasks}", place.started_ms, "ms", f"cold start at {tasks:,} tasks"),
        Figure(f"memory at {tasks}", rss_mb, "MB", f"memory at {tasks:,} tasks"),
    ]


def _points(places: list[_Place], bare_ms: list[float]) -> tuple[Point, ...]:
    points = []
    for place in places:
        points += [
            Point(COST, "one client", place.tasks, statistics.median(place.costs_ms)),
            Point(COST, "raw append + fdatasync", place.tasks, statistics.median(bare_ms)),
            Point(CPU, "runtime, all threads", place.tasks, statistics.median(place.cpus_us)),
        ]
    return tuple(points)
