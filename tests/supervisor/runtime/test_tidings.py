"""What the supervisors tell: counted at once, logged by a thread in a moment, told as events after that; in order."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from actors.messages.proposal import Live
from actors.messages.records import EventList
from actors.messages.sessions import SessionCreate
from supervisor import logs
from supervisor.runtime import tidings as module
from supervisor.runtime.tidings import Tidings
from supervisor.tree.chaos import Harm
from supervisor.tree.events import ChildExited, ChildReady, ChildRestarting, ChildStarted, Escalated, TreeEvent
from supervisor.tree.report import CrashReport
from supervisor.tree.rules import ExitKind
from supervisor.tree.trace import Trace
from tests.kit.runtimes import PATHS, running_runtime

PATIENCE_S = 60.0
PATH = "runtime/core/domain/tasks"


def lost() -> CrashReport:
    try:
        raise KeyError("lost")
    except KeyError as error:
        return CrashReport(
            id="0123456789ab",
            path=PATH,
            incarnation=1,
            reason="crashed",
            exception_type="KeyError",
            message="'lost'",
            trace=Trace(error),
            uptime_s=1.5,
            at="2026-03-01T12:00:00.000Z",
        )


def crash() -> list[TreeEvent]:
    """What is told of a crash and of the restart after it."""
    return [
        ChildExited(path=PATH, incarnation=1, kind=ExitKind.ABNORMAL, reason="crashed", expected=False, report=lost()),
        ChildRestarting(path=PATH, delay_s=0.0, reason="crashed", restarts=1, exhausted=False, with_it=()),
        ChildStarted(path=PATH, incarnation=2),
        ChildReady(path=PATH, incarnation=2, took_s=0.001, details={}),
    ]


@attrs.define
class Heard:
    """A log, and everybody else who is told."""

    lines: list[tuple[str, str, dict[str, Any]]] = attrs.field(factory=list)
    said: threading.Event = attrs.field(factory=threading.Event)
    events: list[Live] = attrs.field(factory=list)
    restarts: Counter[str] = attrs.field(factory=Counter)
    alarms: int = 0

    def error(self, event: str, **values: Any) -> None:
        self.lines.append(("error", event, values))
        self.said.set()

    def warning(self, event: str, **values: Any) -> None:
        self.lines.append(("warning", event, values))

    def restarted(self) -> None:
        self.alarms += 1


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def tidings(heard: Heard) -> Iterator[Tidings]:
    made = Tidings(heard.events.append, heard.restarts, heard.restarted, heard)
    yield made
    made.close()


@pytest.fixture
def in_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is told by itself while a test lasts."""
    monkeypatch.setattr(module, "TOLD_AFTER_S", 3600.0)


@pytest.mark.usefixtures("in_an_hour")
async def test_what_others_decide_by_is_counted_at_once_and_nothing_else_is_done(
    tidings: Tidings, heard: Heard
) -> None:
    for event in crash():
        tidings.hear(event)
    assert (heard.restarts, heard.alarms) == (Counter({PATH: 1}), 1)
    assert (heard.lines, heard.events) == ([], [])


@pytest.mark.usefixtures("in_an_hour")
async def test_a_crash_is_logged_with_its_traceback_and_then_told(tidings: Tidings, heard: Heard) -> None:
    for event in crash():
        tidings.hear(event)
    await tidings.told()
    (_, left, values), again = heard.lines
    assert (left, values["actor"], values["reason"]) == ("an actor left", PATH, "crashed")
    assert 'raise KeyError("lost")' in values["traceback"]
    assert (values["crash"]["id"], values["crash"]["exception_type"]) == ("0123456789ab", "KeyError")
    assert again == ("warning", "an actor is restarted", {"actor": PATH, "delay_s": 0.0, "with_it": ()})
    assert [(event.kind, event.recorded) for event in heard.events] == [
        ("actor:crashed", True),
        ("actor:restarted", True),
    ]
    assert heard.events[0].data == {"actor": PATH, **values["crash"]}
    assert heard.events[1].data == {"actor": PATH, "incarnation": 2}


async def test_it_is_told_by_itself(tidings: Tidings, heard: Heard) -> None:
    for event in crash():
        tidings.hear(event)
    with trio.fail_after(PATIENCE_S):
        while len(heard.events) < 2:  # noqa: ASYNC110 - a list has no event
            await trio.sleep(0.001)


async def test_the_line_is_written_although_the_loop_is_blocked(tidings: Tidings, heard: Heard) -> None:
    tidings.hear(crash()[0])
    assert heard.said.wait(PATIENCE_S)
    assert heard.lines[0][1] == "an actor left"
    assert heard.events == []


@pytest.mark.usefixtures("in_an_hour")
async def test_the_end_does_not_wait_for_the_moment_and_loses_no_line(tidings: Tidings, heard: Heard) -> None:
    tidings.hear(crash()[0])
    tidings.hear(Escalated(path="runtime", child=PATH, message="too many restarts", reports=()))
    tidings.close()
    assert [event for _, event, _ in heard.lines] == ["an actor left", "a supervisor gives up"]


@pytest.mark.usefixtures("in_an_hour")
async def test_an_exit_that_was_wanted_and_a_first_start_are_no_news(tidings: Tidings, heard: Heard) -> None:
    tidings.hear(
        ChildExited(path=PATH, incarnation=1, kind=ExitKind.NORMAL, reason="returned", expected=True, report=None)
    )
    tidings.hear(ChildReady(path=PATH, incarnation=1, took_s=0.001, details={}))
    await tidings.told()
    assert (heard.lines, heard.events) == ([], [])


@pytest.fixture
def log() -> Iterator[BytesIO]:
    stream = BytesIO()
    logs.configure_to_stream(stream, "info", "")
    yield stream
    logs.quiet()


@pytest.mark.usefixtures("in_an_hour")
async def test_an_actor_answers_again_before_its_crash_is_described(tmp_path: Path, log: BytesIO) -> None:
    async with running_runtime(tmp_path) as running:
        running.harm("sessions", Harm.CRASH)
        await running.until_up("sessions", 2)
        await running.ask(SessionCreate(title="x", provider="p", model="m", working_directory="/w"))
        assert b"an actor left" not in log.getvalue()
        assert running.assembly.office.metrics.restarts[PATHS["sessions"]] == 1
        assert (await running.ask(EventList(kinds=("event.recorded",))))["events"] == []
        await running.runtime._tidings.told()
        (line,) = (json.loads(line) for line in log.getvalue().splitlines() if b"an actor left" in line)
        assert line["actor"] == PATHS["sessions"]
        assert "ChaosCrash: crashed on purpose" in line["traceback"]
        assert "await mailbox.receive()" in line["traceback"]


@pytest.mark.usefixtures("in_an_hour")
async def test_a_crash_just_before_a_stop_is_logged_and_recorded(tmp_path: Path, log: BytesIO) -> None:
    async with running_runtime(tmp_path) as running:
        running.harm("sessions", Harm.CRASH)
        await running.until_up("sessions", 2)
        assert await running.stop() == 0
        assert b"an actor left" in log.getvalue()
    async with running_runtime(tmp_path) as running:
        events = (await running.ask(EventList(kinds=("event.recorded",))))["events"]
        assert [event["data"]["type"] for event in events] == ["actor:crashed", "actor:restarted"]
