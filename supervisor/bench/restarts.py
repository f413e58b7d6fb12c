"""How long it takes until a command is acknowledged again: after a kill, after an actor's crash, from a cold start."""

from __future__ import annotations

import os
import signal
import statistics
import time
from typing import Final

import attrs

from supervisor.bench.cpu import CpuTime, cpu_time
from supervisor.bench.figures import Answer, Figure, taken
from supervisor.bench.setting import Setting
from supervisor.bench.subject import STANDBY, HungUp, Line, Subject

TIMES: Final = 3
"""At least."""

JOURNALLED: Final = 1_000
"""Commands that a start after kill -9 finds in the journal only."""

HEALTHY_AFTER_S: Final = 0.5
CALM_S: Final = 2 * HEALTHY_AFTER_S
"""Between two blows: a child that has been healthy is restarted at once; what is measured is no backoff."""

ENVIRONMENT: Final = {**STANDBY, "PERDURE_SUPERVISOR__HEALTHY_AFTER_S": str(HEALTHY_AFTER_S)}


@attrs.frozen
class _Back:
    """How long it took until a command was acknowledged again."""

    ms: float
    cpu_ms: float | None = None
    """Of that, what the runtime that is there now spent on the processor: a busy machine adds nothing to it."""


def restart(setting: Setting) -> Answer:
    """Kill the runtime, with a standby, at few and many tasks; crash actors at few."""
    few, many = setting.sizes.few, setting.sizes.many
    times = max(TIMES, setting.sizes.rounds)
    with setting.filled(few, ENVIRONMENT) as subject:
        setting.say(f"crashes of actors, {few:,} tasks")
        subject.wait_for_standby()  # its start, like ours, is no part of what a crash costs
        figures = [
            _told("actor", [_crashed(subject, "sessions", n) for n in range(times)], few),
            _told("writer", [_crashed(subject, "writer", n) for n in range(times)], few),
        ]
        setting.say(f"kills of the runtime, {few:,} tasks")
        figures.append(_told("restart-10k", [_killed(setting, subject, n) for n in range(times)], few))
        setting.check(subject)
    with setting.filled(many, ENVIRONMENT) as subject:
        setting.say(f"kills of the runtime, {many:,} tasks")
        figures.append(_told("restart-100k", [_killed(setting, subject, n) for n in range(times)], many))
        setting.check(subject)
    return Answer(tuple(figures))


def recovery(setting: Setting) -> Answer:
    """Start on many tasks: after a stop in order, and after kill -9 of everything, where a journal is replayed."""
    tasks = setting.sizes.many
    killed, cold = [], []
    with setting.filled(tasks) as subject:
        for number in range(max(TIMES, setting.sizes.curve_rounds)):
            setting.say(f"cold start {number + 1}, {tasks:,} tasks")
            subject.create(JOURNALLED)
            subject.stage.kill_root()
            setting.calm()
            killed.append(_started(subject, f"r{number}"))
            subject.stage.stop()
            setting.calm()
            cold.append(_started(subject, f"c{number}"))
        setting.check(subject)
    after_kill = _told("cold-killed", killed, tasks)
    note = f"of all processes, {JOURNALLED:,} commands after the last snapshot; {after_kill.note}"
    return Answer((_told("cold", cold, tasks), attrs.evolve(after_kill, what="cold start after kill -9", note=note)))


def _told(name: str, rounds: list[_Back], tasks: int) -> Figure:
    note = f"longest {max(back.ms for back in rounds):.0f} ms of {len(rounds)}"
    cpus_ms = [back.cpu_ms for back in rounds if back.cpu_ms is not None]
    if cpus_ms:
        note += f"; {statistics.median(cpus_ms):.0f} ms of processor time in the runtime"
    return attrs.evolve(taken(name, [back.ms for back in rounds], "ms", note=note), tasks=tasks)


def _crashed(subject: Subject, actor: str, number: int) -> _Back:
    """Crash an actor; return the time to the next answer that it takes part in."""
    with subject.line() as line, subject.line() as killer:
        _ask(line, actor, f"{subject.name}-before-{actor}-{number}")
        time.sleep(CALM_S)
        begun_s = time.perf_counter()
        killer.call("actor.kill", name=actor, how="crash")
        _ask(line, actor, f"{subject.name}-after-{actor}-{number}")
        return _Back((time.perf_counter() - begun_s) * 1000)


def _ask(line: Line, actor: str, name: str) -> None:
    if actor == "sessions":
        line.call("session.create", title=name, provider="none", model="none", working_directory="/")
    else:
        line.create(name)


def _killed(setting: Setting, subject: Subject, number: int) -> _Back:
    """Kill the runtime with -9; return the time to the next acknowledged command."""
    setting.calm()
    time.sleep(CALM_S)
    standby = subject.wait_for_standby()
    before = cpu_time(standby)
    runtime = subject.stage.runtime_pid()
    begun_s = time.perf_counter()
    os.kill(runtime, signal.SIGKILL)
    return _back(subject, f"k{number}", begun_s, {standby: before})


def _started(subject: Subject, name: str) -> _Back:
    begun_s = time.perf_counter()
    subject.stage.start()
    return _back(subject, name, begun_s, {})


def _back(subject: Subject, name: str, begun_s: float, before: dict[int, CpuTime]) -> _Back:
    """Wait for a command's acknowledgement, over as many connections as get lost."""
    while True:
        try:
            with subject.line() as line:
                line.create(f"{subject.name}-probe-{name}")
        except (OSError, HungUp):
            continue  # it was taken by the runtime that was killed
        ms = (time.perf_counter() - begun_s) * 1000
        runtime = subject.stage.runtime_pid()
        used = cpu_time(runtime).since(before.get(runtime, CpuTime({})))
        return _Back(ms, used.total_s * 1000)
