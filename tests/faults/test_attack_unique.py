"""What must be unique among sessions stays so, whoever decides it: two actors may be at it at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.decisions.batch import Step, Steps
from actors.messages import records, sessions
from actors.messages import tasks as ask
from actors.model.errors import AlreadyExists, Conflict, PerdureError
from tests.kit.core import Core, running_core
from tests.kit.held_disk import S1, S2, a_session, decided, held_disk, offered, told


def alias(session_id: str, name: str | None = "login") -> Step:
    return Step("session.alias", sessions.SessionAlias(id=session_id, alias=name))


def a_task(name: str) -> Step:
    return Step("task.create", ask.TaskCreate(description="beside it", id=name))


async def raced(core: Core, *commands: tuple[str, Any]) -> list[Any]:
    """Have all of them decided before any is written, so that they meet in one commit; return their answers."""
    with held_disk(core) as gate:
        waits: list[Callable[[], Any]] = [offered(core, "events", records.EventRecord(type="t", message="m"))]
        await core.until(gate.reached.is_set)
        for actor, command in commands:
            waits.append(offered(core, actor, command))
            await decided(core, actor)
        gate.open()
        return [await told(answered) for answered in waits][1:]


async def row(core: Core, session_id: str) -> Any:
    return await core.ask("sessions", sessions.SessionGet(id=session_id))


@pytest.mark.parametrize("actors", [("tasks", "tasks"), ("tasks", "sessions"), ("sessions", "tasks")])
async def test_of_two_who_take_one_alias_at_once_one_is_told_that_it_is_taken_and_nothing_of_it_happens(
    tmp_path: Path, actors: tuple[str, str]
) -> None:
    async with running_core(tmp_path) as core:
        await a_session(core, S1)
        await a_session(core, S2)
        takers = [
            Steps((a_task(f"of-{number}"), alias(session_id))) if actor == "tasks" else alias(session_id).params
            for number, (actor, session_id) in enumerate(zip(actors, (S1, S2), strict=True))
        ]
        answers = await raced(core, *zip(actors, takers, strict=True))
        refused = [isinstance(answer, PerdureError) for answer in answers]
        assert sorted(refused) == [False, True], answers
        error = answers[refused.index(True)]
        assert isinstance(error, AlreadyExists)
        assert "the alias 'login' is taken by session" in error.message
        winner = refused.index(False)
        assert [(await row(core, one))["alias"] for one in (S1, S2)] == [
            "login" if number == winner else None for number in range(2)
        ]
        made = {task["id"] for task in (await core.ask("tasks", ask.TaskList()))["tasks"]}
        assert made == ({f"of-{winner}"} if actors[winner] == "tasks" else set())


async def test_an_alias_goes_from_one_to_the_other_in_one_batch_while_others_are_at_it(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await a_session(core, S1)
        await a_session(core, S2)
        await core.ask("sessions", alias(S1).params)
        moved = Steps((alias(S1, None), alias(S2)))
        answers = await raced(core, ("sessions", sessions.SessionRename(id=S1, title="meanwhile")), ("tasks", moved))
        assert not [answer for answer in answers if isinstance(answer, PerdureError)]
        assert [(await row(core, one))["alias"] for one in (S1, S2)] == [None, "login"]


async def test_two_who_make_each_other_their_parent_at_once_do_not_make_a_circle(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await a_session(core, S1)
        await a_session(core, S2)
        by_batch = Steps((Step("session.parent", sessions.SessionParent(id=S1, parent_id=S2)),))
        answers = await raced(core, ("tasks", by_batch), ("sessions", sessions.SessionParent(id=S2, parent_id=S1)))
        assert sum(isinstance(answer, Conflict) for answer in answers) == 1, answers
        assert [(await row(core, one))["parent_id"] for one in (S1, S2)].count(None) == 1


async def test_two_who_see_a_session_for_the_first_time_at_once_see_one(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        seen = sessions.SessionSeen(external_id="session_1704067200001")
        answers = await raced(core, ("tasks", Steps((Step("session.seen", seen),))), ("sessions", seen))
        assert not [answer for answer in answers if isinstance(answer, PerdureError)]
        assert len((await core.ask("sessions", sessions.SessionList()))["sessions"]) == 1
