"""What must not grow with the number of tasks or messages: a snapshot's stall, the cost of appending to a session."""

from __future__ import annotations

import statistics
from functools import partial

import attrs

from supervisor.bench import peers
from supervisor.bench.figures import Answer, Figure, compared, taken
from supervisor.bench.setting import Setting
from supervisor.bench.subject import Line, measured

CHUNK = 500
"""Messages in one append, while a session is filled."""

UNSAVED = {"PERDURE_STATE__AUTOSAVE_INTERVAL_S": "3600"}
"""No snapshot but those that are asked for."""


def snapshot(setting: Setting) -> Answer:
    """Measure the longest wait during a snapshot, above the longest in as many commands without one.

    Without one is before it and after it, half of them each: the mean of the two longest.
    """
    tasks = setting.sizes.many
    extras_ms, lasted_ms = [], []
    with setting.filled(tasks, UNSAVED) as subject, subject.line() as line, subject.line() as saver:
        create = _Creating(line, subject.name)
        setting.calm()
        before = peers.durations_ms(create, setting.sizes.probes)
        for number in range(setting.sizes.rounds):
            setting.say(f"snapshot {number + 1} of {setting.sizes.rounds}, {tasks:,} tasks")
            saver.send("state.save")
            during = _until_answered(create, saver)
            lasted_ms.append(float(saver.answer()["duration_s"]) * 1000)
            after = peers.durations_ms(create, len(during))
            extras_ms.append(max(during) - (max(before[-len(during) :]) + max(after)) / 2)
            before = after
        setting.check(subject)
    note = f"median of {len(extras_ms)} snapshots, each of {statistics.median(lasted_ms):.0f} ms"
    figure = taken("stall", extras_ms, "ms", note=note)
    return Answer((attrs.evolve(figure, value=max(0.0, figure.value or 0.0), tasks=tasks),))


class _Creating:
    """Makes one task after the other, each time it is called."""

    def __init__(self, line: Line, name: str) -> None:
        self._line = line
        self._name = name
        self._number = 0

    def __call__(self) -> None:
        self._number += 1
        self._line.create(f"{self._name}-{self._number}")


def _until_answered(create: peers.Work, saver: Line) -> list[float]:
    """Return the latencies of single commands until the snapshot is answered."""
    lasted_ms = peers.durations_ms(create, 1)
    while not saver.has_answer():
        lasted_ms += peers.durations_ms(create, 1)
    return lasted_ms


def session(setting: Setting) -> Answer:
    """Measure appending a message to a new session and to a long one, in turns; and the memory that filling it took."""
    messages = setting.sizes.many
    last_ms, first_ms = [], []
    with measured(setting.folder) as subject, subject.line() as line:
        setting.say(f"a session of {messages:,} messages")
        long = _session(line, "long")
        empty_bytes = subject.runtime_rss_bytes()
        for first in range(0, messages, CHUNK):
            line.call("session.append", id=long, messages=[_message()] * min(CHUNK, messages - first))
        grown_bytes = subject.runtime_rss_bytes() - empty_bytes
        for number in range(setting.sizes.rounds):
            setting.say(f"appending, round {number + 1} of {setting.sizes.rounds}")
            setting.calm()
            short = _session(line, f"short {number}")
            last: list[float] = []
            first_one: list[float] = []
            for _ in range(setting.sizes.probes):
                for session_id, times in ((long, last), (short, first_one)):
                    append = partial(line.call, "session.append", id=session_id, messages=[_message()])
                    times.extend(peers.durations_ms(append, 1))
            last_ms.append(statistics.median(last))
            first_ms.append(statistics.median(first_one))
    figure = taken("session", last_ms, "ms", note=f"to a new session: {statistics.median(first_ms):.2f} ms")
    grew = "what the runtime grew by while the session was filled"
    note = "bounded: the newest lines of the journal, kept for followers"
    grown = Figure("session-memory", grown_bytes / 1e6, "MB", what=grew, note=note)
    return Answer((attrs.evolve(compared(figure, first_ms, "a new session"), tasks=messages), grown))


def _session(line: Line, title: str) -> str:
    made = line.call("session.create", title=title, provider="none", model="none", working_directory="/")
    return str(made["id"])


def _message() -> dict[str, str]:
    return {"role": "user", "content": "x" * 300}
