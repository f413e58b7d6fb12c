"""The runtime's memory: idle, and what a task, a session and an idle connection add to it."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from supervisor.bench.figures import Answer, Figure
from supervisor.bench.setting import Setting
from supervisor.bench.subject import Line, Subject, measured

DESCRIPTORS_SPARE: Final = 300
"""Beside the connections: files, pipes, what the interpreter has open."""

AT_ONCE: Final = 200
"""Requests sent before their replies are read; both fit into the sockets' buffers."""


def memory(setting: Setting) -> Answer:
    """Measure the runtime's memory, idle and with many tasks; then with sessions, with connections."""
    return _tasks(setting) + _sessions(setting) + _connections(setting)


def _tasks(setting: Setting) -> Answer:
    tasks = setting.sizes.many
    with measured(setting.folder) as subject:
        idle_bytes = subject.runtime_rss_bytes()
        setting.say(f"memory: {tasks:,} commands")
        subject.create(tasks)
        with subject.line() as line:
            (row,) = line.call("task.list", limit=1)["tasks"]
            row_bytes = len(msgspec.json.encode(row))
            line.call("state.save")  # what a snapshot needs, and keeps, counts
            lag = line.call("runtime.health")["journal"]["lag"]
        used_bytes = subject.runtime_rss_bytes()
        setting.check(subject)
    with setting.filled(tasks) as subject:
        started_bytes = subject.runtime_rss_bytes()
    note = f"{used_bytes / 1e6:.0f} MB in all; rows of {row_bytes} bytes; {lag:,} files still to write"
    return Answer(
        (
            Figure("idle-memory", idle_bytes / 1e6, "MB"),
            Figure("task-memory", (used_bytes - idle_bytes) / tasks / 1000, "kB", tasks=tasks, note=note),
            Figure(
                "task-memory-started",
                (started_bytes - idle_bytes) / tasks / 1000,
                "kB",
                "memory per task after a start",
            ),
        )
    )


def _sessions(setting: Setting) -> Answer:
    number = setting.sizes.sessions
    with measured(setting.folder, {"PERDURE_SESSIONS__MAX": "0"}) as subject, subject.line() as line:
        setting.say(f"memory: {number:,} sessions")
        _make_session(line, 1)
        before_bytes = subject.runtime_rss_bytes()
        _make_session(line, number)
        used_bytes = subject.runtime_rss_bytes()
    each_kb = (used_bytes - before_bytes) / number / 1000
    return Answer(
        (Figure("memory-per-session", each_kb, "kB", "memory per session", note=f"{number:,} of one message each"),)
    )


def _make_session(line: Line, number: int) -> None:
    message = {"role": "user", "content": "x" * 300}
    numbers = iter(range(number))
    while some := list(islice(numbers, AT_ONCE)):
        for one in some:
            line.send(
                "session.create",
                title=f"session {one}",
                provider="none",
                model="none",
                working_directory="/",
                messages=[message],
            )
        for _ in some:
            line.answer()


def _connections(setting: Setting) -> Answer:
    number = setting.sizes.connections
    name, what = "memory-per-connection", "memory per idle connection"
    with _descriptors(number + DESCRIPTORS_SPARE) as allowed:
        number = min(number, allowed - DESCRIPTORS_SPARE)
        if number < setting.sizes.connections:
            return Answer((Figure(name, None, "kB", what, note=f"the system allows {allowed} open files only"),))
        environment = {"PERDURE_GATEWAY__CONNECTIONS_MAX": str(number + DESCRIPTORS_SPARE)}
        with measured(setting.folder, environment) as subject:
            setting.say(f"memory: {number:,} connections")
            before_bytes = subject.runtime_rss_bytes()
            with contextlib.ExitStack() as stack:
                _connect(subject, stack, number)
                used_bytes = subject.runtime_rss_bytes()
    return Answer((Figure(name, (used_bytes - before_bytes) / number / 1000, "kB", what, note=f"{number:,} of them"),))


def _connect(subject: Subject, stack: contextlib.ExitStack, number: int) -> None:
    """Open so many connections; each has asked once, so that it is known to be served."""
    for _ in range(number):
        stack.enter_context(subject.line()).call("runtime.ping")


@contextlib.contextmanager
def _descriptors(number: int) -> Iterator[int]:
    """Allow this process, and those that it starts, so many open files where the system lets it; give how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = max(soft, number if hard == resource.RLIM_INFINITY else min(number, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    try:
        yield allowed
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
