"""How long it takes until a command is acknowledged again: after a kill, after an actor's crash, from a cold start."""

from __future__ import annotations

import os
import signal
import time
from typing import Final

import attrs

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


def restart(setting: Setting) -> Answer:
    """Kill the runtime, with a standby, at few and many tasks; crash actors at few."""
    few, many = setting.sizes.few, setting.sizes.many
    times = max(TIMES, setting.sizes.rounds)
    with setting.filled(few, ENVIRONMENT) as subject:
        setting.say(f"crashes of actors, {few:,} tasks")
        figures = [
            _told("actor", [_crashed_ms(subject, "sessions", n) for n in range(times)], few),
            _told("writer", [_crashed_ms(subject, "writer", n) for n in range(times)], few),
        ]
        setting.say(f"kills of the runtime, {few:,} tasks")
        figures.append(_told("restart-10k", [_killed_ms(subject, n) for n in range(times)], few))
        setting.check(subject)
    with setting.filled(many, ENVIRONMENT) as subject:
        setting.say(f"kills of the runtime, {many:,} tasks")
        figures.append(_told("restart-100k", [_killed_ms(subject, n) for n in range(times)], many))
        setting.check(subject)
    return Answer(tuple(figures))


def recovery(setting: Setting) -> Answer:
    """Start on many tasks: after a stop in order, and after kill -9 of everything, where a journal is replayed."""
    tasks = setting.sizes.many
    killed_ms, cold_ms = [], []
    with setting.filled(tasks) as subject:
        for number in range(max(TIMES, setting.sizes.curve_rounds)):
            setting.say(f"cold start {number + 1}, {tasks:,} tasks")
            subject.create(JOURNALLED)
            subject.stage.kill_root()
            killed_ms.append(_started_ms(subject, f"r{number}"))
            subject.stage.stop()
            cold_ms.append(_started_ms(subject, f"c{number}"))
        setting.check(subject)
    what = f"cold start after kill -9 of everything, {JOURNALLED:,} commands after the last snapshot"
    return Answer((_told("cold", cold_ms, tasks), taken("cold-killed", killed_ms, "ms", what)))


def _told(name: str, rounds_ms: list[float], tasks: int) -> Figure:
    note = f"longest {max(rounds_ms):.0f} ms of {len(rounds_ms)}"
    return attrs.evolve(taken(name, rounds_ms, "ms", note=note), tasks=tasks)


def _crashed_ms(subject: Subject, actor: str, number: int) -> float:
    """Crash an actor; return the time to the next answer that it takes part in."""
    with subject.line() as line, subject.line() as killer:
        _ask(line, actor, f"{subject.name}-before-{actor}-{number}")
        time.sleep(CALM_S)
        begun_s = time.perf_counter()
        killer.call("actor.kill", name=actor, how="crash")
        _ask(line, actor, f"{subject.name}-after-{actor}-{number}")
        return (time.perf_counter() - begun_s) * 1000


def _ask(line: Line, actor: str, name: str) -> None:
    if actor == "sessions":
        line.call("session.create", title=name, provider="none", model="none", working_directory="/")
    else:
        line.create(name)


def _killed_ms(subject: Subject, number: int) -> float:
    """Kill the runtime with -9; return the time to the next acknowledged command."""
    time.sleep(CALM_S)
    subject.wait_for_standby()
    runtime = subject.stage.runtime_pid()
    begun_s = time.perf_counter()
    os.kill(runtime, signal.SIGKILL)
    return _acknowledged_ms(subject, f"k{number}", begun_s)


def _started_ms(subject: Subject, name: str) -> float:
    begun_s = time.perf_counter()
    subject.stage.start()
    return _acknowledged_ms(subject, name, begun_s)


def _acknowledged_ms(subject: Subject, name: str, begun_s: float) -> float:
    """Return the time from `begun_s` to a command's acknowledgement, over as many connections as get lost."""
    while True:
        try:
            with subject.line() as line:
                line.create(f"{subject.name}-probe-{name}")
        except (OSError, HungUp):
            continue  # it was taken by the runtime that was killed
        return (time.perf_counter() - begun_s) * 1000
