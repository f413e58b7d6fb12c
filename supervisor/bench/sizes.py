"""What grows with the number of tasks or messages, or must not: cost, a snapshot's stall, memory, a session."""

from __future__ import annotations

import statistics

from supervisor.bench import peers
from supervisor.bench.figures import Answer, Figure, Point
from supervisor.bench.setting import Setting
from supervisor.bench.subject import Line, Subject, measured

CHUNK = 500
"""Messages in one append, while a session is filled."""

TASK = "300 bytes of description"


def growth(setting: Setting) -> Answer:
    """Measure a command's cost at growing numbers of tasks, each beside a bare append on the same disk."""
    points = []
    costs = []
    figures = []
    made = 0
    with measured(setting.folder) as subject, peers.raw(setting.folder) as append:
        for tasks in setting.sizes.growth:
            setting.say(f"growth, {tasks} tasks")
            subject.fill(tasks - made)
            made = tasks
            cost_ms, bare_ms = _beside(subject, append, setting, f"g{tasks}")
            costs.append(cost_ms / bare_ms)
            points.append(Point("cost of a command over tasks, ms", "one client", tasks, cost_ms))
            points.append(Point("cost of a command over tasks, ms", "raw append + fdatasync", tasks, bare_ms))
            what = f"one command at {tasks} tasks, to raw append + fdatasync"
            figures.append(Figure(f"cost at {tasks}", cost_ms, "ms", what, ratio=cost_ms / bare_ms, peer="raw"))
        setting.check(subject)
    last = figures[-1].value
    spread = max(costs) / min(costs)
    # Each cost counts as a multiple of the bare append in the same moments: the disk's moods are not growth.
    return Answer(
        (Figure("growth", last, "ms", ratio=spread, peer="the cheapest", tasks=made), *figures), tuple(points)
    )


def _beside(subject: Subject, append: peers.Work, setting: Setting, name: str) -> tuple[float, float]:
    """Return the medians of one command and of a bare append, taken in turns."""
    ours, theirs = [], []
    with subject.line() as line:
        for number in range(setting.sizes.probes):
            ours += peers.durations_ms(lambda task_id=f"{name}-{number}": line.create(task_id), 1)  # type: ignore[misc]
            theirs += peers.durations_ms(append, 1)
    return statistics.median(ours), statistics.median(theirs)


def snapshot(setting: Setting) -> Answer:
    """Measure the longest wait during a snapshot, above the longest in as many commands without one."""
    tasks = setting.sizes.many
    extras, lasted_ms = [], []
    with measured(setting.folder) as subject:
        setting.say(f"snapshot, {tasks} tasks")
        subject.fill(tasks)
        with subject.line() as line, subject.line() as saver:
            for number in range(max(3, setting.sizes.rounds)):
                line.create(f"news-{number}")  # nothing new, no snapshot
                saver.send("state.save")
                during = _until_answered(line, saver, f"s{number}")
                lasted_ms.append(float(saver.answer()["duration_s"]) * 1000)
                quiet = peers.durations_ms(_Creating(line, f"q{number}"), len(during))
                extras.append(max(during) - max(quiet))
        setting.check(subject)
    note = f"median of {len(extras)} snapshots, each of {statistics.median(lasted_ms):.0f} ms"
    return Answer((Figure("stall", max(0.0, statistics.median(extras)), "ms", tasks=tasks, note=note),))


class _Creating:
    """Makes one task after the other, each time it is called."""

    def __init__(self, line: Line, name: str) -> None:
        self._line = line
        self._name = name
        self._number = 0

    def __call__(self) -> None:
        self._number += 1
        self._line.create(f"{self._name}-{self._number}")


def _until_answered(line: Line, saver: Line, name: str) -> list[float]:
    """Return the latencies of single commands until the snapshot is answered."""
    create = _Creating(line, name)
    taken = peers.durations_ms(create, 1)
    while not saver.has_answer():
        taken += peers.durations_ms(create, 1)
    return taken


def memory(setting: Setting) -> Answer:
    """Measure the runtime's memory, idle and with many tasks."""
    tasks = setting.sizes.many
    with measured(setting.folder) as subject:
        setting.say(f"memory, {tasks} tasks")
        idle_bytes = subject.runtime_rss_bytes()
        subject.fill(tasks)
        with subject.line() as line:
            line.call("state.save")  # what a snapshot needs, and keeps, counts
        used_bytes = subject.runtime_rss_bytes()
        setting.check(subject)
    each_kb = (used_bytes - idle_bytes) / tasks / 1000
    note = f"{used_bytes / 1e6:.0f} MB in all; {TASK}"
    return Answer(
        (
            Figure("idle-memory", idle_bytes / 1e6, "MB"),
            Figure("task-memory", each_kb, "kB", tasks=tasks, note=note),
        )
    )


def session(setting: Setting) -> Answer:
    """Measure appending a message to a new session and to a long one, in turns; and the memory that filling it took."""
    messages = setting.sizes.many
    with measured(setting.folder) as subject, subject.line() as line:
        setting.say(f"session, {messages} messages")
        long, short = _session(line, "long"), _session(line, "short")
        empty_bytes = subject.runtime_rss_bytes()
        for first in range(0, messages, CHUNK):
            line.call("session.append", id=long, messages=[_message() for _ in range(min(CHUNK, messages - first))])
        grown_bytes = subject.runtime_rss_bytes() - empty_bytes
        first_ms, last_ms = [], []
        for _ in range(setting.sizes.probes):
            last_ms += peers.durations_ms(lambda: line.call("session.append", id=long, messages=[_message()]), 1)
            first_ms += peers.durations_ms(lambda: line.call("session.append", id=short, messages=[_message()]), 1)
    last, first_one = statistics.median(last_ms), statistics.median(first_ms)
    note = f"a new session: {first_one:.2f} ms"
    grew = "what the runtime grew by meanwhile"
    memory_note = "bounded: the newest lines of the journal, kept for followers"
    return Answer(
        (
            Figure("session", last, "ms", ratio=last / first_one, peer="a new session", tasks=messages, note=note),
            Figure("session-memory", grown_bytes / 1e6, "MB", what=grew, note=memory_note),
        )
    )


def _session(line: Line, title: str) -> str:
    made = line.call("session.create", title=title, provider="none", model="none", working_directory="/")
    return str(made["id"])


def _message() -> dict[str, str]:
    return {"role": "user", "content": "x" * 300}
