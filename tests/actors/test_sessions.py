"""The sessions actor on a real directory: what clients see, what the archive holds, who leaves by himself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import example, given, settings

from actors.decisions.decision import Rules
from actors.messages import records
from actors.messages import sessions as ask
from actors.model.errors import AlreadyExists, InvalidParams, NotFound, StorageFailed
from actors.model.session import Session
from tests.kit.core import Core, HandClock, running_core
from tests.kit.powerloss import scratch
from tests.kit.spoiled import contents

DAY_S = 86_400.0
SESSION = "0190163d-8694-739b-aea5-966c26f8ad91"
HELLO = {"role": "user", "content": "hello"}


def session_id(number: int) -> str:
    return f"0190163d-8694-739b-aea5-{number:012x}"


def create(number: int = 1, **members: Any) -> ask.SessionCreate:
    given = {"title": "t", "provider": "p", "model": "m", "working_directory": "/w", "id": session_id(number)}
    return ask.SessionCreate(**(given | members))


async def messages(core: Core, number: int = 1) -> list[Any]:
    found: list[Any] = (await core.ask("sessions", ask.SessionMessages(id=session_id(number))))["messages"]
    return found


def left(core: Core) -> list[int]:
    return sorted(int(name[-12:], 16) for name in core.ledger.tables.sessions.rows)


async def suspended(core: Core) -> list[dict[str, Any]]:
    found = await core.ask("events", records.EventList(kinds=("event.*",)))
    return [event["data"]["detail"] for event in found["events"] if event["data"]["type"] == "retention:suspended"]


async def test_messages_are_there_as_soon_as_they_are_acknowledged(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("sessions", create(messages=(HELLO,)))
        for number in range(5):
            await core.ask("sessions", ask.SessionAppend(id=session_id(1), messages=({"n": number},)))
            assert len(await messages(core)) == number + 2
        page = await core.ask("sessions", ask.SessionMessages(id=session_id(1), after=1, limit=2))
        assert page == {"messages": [{"n": 0}, {"n": 1}], "next": 3}


async def test_saving_other_messages_writes_a_new_file_and_keeps_the_old_one(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("sessions", create(messages=(HELLO, HELLO)))
        await core.ask("sessions", ask.SessionSave(id=session_id(1), messages=({"n": 1},)))
        assert await messages(core) == [{"n": 1}]
        kept = list((tmp_path / "archive" / "sessions" / session_id(1)).iterdir())
        assert len(kept) == 1
        assert kept[0].read_bytes().count(b"hello") == 2


async def test_a_deleted_session_comes_back_with_its_messages(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        before = await core.ask("sessions", create(messages=(HELLO,)))
        await core.ask("sessions", ask.SessionDelete(id=session_id(1)))
        with pytest.raises(NotFound):
            await core.ask("sessions", ask.SessionGet(id=session_id(1)))
        after = await core.ask("sessions", ask.SessionRestore(id=session_id(1)))
        assert after == before | {"rev": 3}
        assert await messages(core) == [HELLO]


ARCHIVED = msgspec.json.encode(
    Session(
        id=session_id(1),
        title="t",
        provider="p",
        model="m",
        working_directory="/w",
        created_at="2026-01-01T00:00:00.000Z",
        last_accessed_at="2026-01-01T00:00:00.000Z",
        rev=1,
    )
)


@settings(max_examples=max(1, settings().max_examples // 5))
@given(row=contents([ARCHIVED]))
@example(row=ARCHIVED.replace(b'"t"', b'"\xff"'))
@example(row=ARCHIVED.replace(session_id(1).encode(), session_id(2).encode()))
def test_whatever_the_archive_holds_of_a_session_nobody_crashes_over_it(row: bytes) -> None:
    async def bring_back(root: Path) -> None:
        async with running_core(root) as core:
            await core.ask("sessions", create(messages=(HELLO,)))
            await core.ask("sessions", ask.SessionDelete(id=session_id(1)))
            await core.until(lambda: bool(list((root / "archive").rglob("row.archived"))))
            (path,) = (root / "archive").rglob("row.archived")
            path.write_bytes(row)
            try:
                back = await core.ask("sessions", ask.SessionRestore(id=session_id(1)))
            except StorageFailed:
                assert path.read_bytes() == row
            else:
                assert back["id"] == session_id(1)
            assert not core.crashes

    with scratch() as folder:
        trio.run(bring_back, folder)


async def test_what_the_archive_does_not_hold_cannot_come_back(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        with pytest.raises(NotFound):
            await core.ask("sessions", ask.SessionRestore(id=session_id(1)))
        with pytest.raises(InvalidParams):
            await core.ask("sessions", ask.SessionRestore(id="../x"))
        await core.ask("sessions", create())
        with pytest.raises(AlreadyExists):
            await core.ask("sessions", ask.SessionRestore(id=session_id(1)))


async def test_commands_around_a_restore_take_effect_in_the_order_sent(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        commands = [
            create(messages=(HELLO,)),
            ask.SessionDelete(id=session_id(1)),
            ask.SessionRestore(id=session_id(1)),
            ask.SessionAppend(id=session_id(1), messages=({"n": 1},)),
            ask.SessionDelete(id=session_id(1)),
            ask.SessionRestore(id=session_id(1)),
            ask.SessionRename(id=session_id(1), title="twice"),
        ]
        asked = [core.request(command) for command in commands]
        assert core.refs["sessions"].offer([request for request, _answered in asked]) == len(asked)
        answers = [await answered() for _request, answered in asked]
        assert [answer.get("rev") for answer in answers] == [1, None, 3, 4, None, 6, 7]
        assert await messages(core) == [HELLO, {"n": 1}]


async def test_a_restore_under_way_survives_the_stop_of_its_actor(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("sessions", create(messages=(HELLO,)))
        commands = [ask.SessionDelete(id=session_id(1)), ask.SessionRestore(id=session_id(1))]
        asked = [core.request(command) for command in commands]
        core.refs["sessions"].offer([request for request, _answered in asked])
        await core.restart("sessions")
        answers = [await answered() for _request, answered in asked]
        assert answers[0]["deleted"]
        assert answers[1]["id"] == session_id(1)
        assert await messages(core) == [HELLO]


async def test_the_least_recently_accessed_leaves_and_can_be_brought_back(tmp_path: Path) -> None:
    async with running_core(tmp_path, rules=Rules(sessions_max=2)) as core:
        for number in (1, 2, 3):
            await core.ask("sessions", create(number, messages=(HELLO,)))
            core.clock.pass_s(1)
        assert left(core) == [2, 3]
        await core.ask("sessions", ask.SessionRestore(id=session_id(1)))
        assert left(core) == [1, 3]
        assert await messages(core, 1) == [HELLO]


async def test_unused_sessions_leave_after_their_days_and_live_runs_hold_theirs(tmp_path: Path) -> None:
    async with running_core(tmp_path, rules=Rules(sessions_keep_days=30)) as core:
        for number in (1, 2, 3):
            await core.ask("sessions", create(number))
        await core.ask("runs", records.RunPut(run=records.WholeRun(id="r", session_id=session_id(2), status="running")))
        core.clock.pass_s(20 * DAY_S)
        await core.ask("sessions", ask.SessionLoad(id=session_id(3)))
        core.clock.pass_s(11 * DAY_S)
        core.wake("sessions")
        await core.until(lambda: left(core) == [2, 3])


async def test_retention_works_at_the_start_too(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("sessions", create(1))

    def months_later(core: Core) -> None:
        core.clock.pass_s(60 * DAY_S)

    async with running_core(tmp_path, before=months_later) as core:
        await core.until(lambda: left(core) == [])


@pytest.mark.parametrize("jump_s", [-3650 * DAY_S, 3650 * DAY_S])
async def test_a_clock_that_jumps_archives_nobody_and_says_so(tmp_path: Path, jump_s: float) -> None:
    async with running_core(tmp_path, rules=Rules(sessions_max=2)) as core:
        for number in (1, 2):
            await core.ask("sessions", create(number))
        core.clock.wall_s += jump_s
        core.wake("sessions", "tasks")
        await core.until(lambda: len(core.ledger.tables.events) == 2)
        core.clock.pass_s(5 * DAY_S)
        core.wake("sessions")
        await core.ask("sessions", create(3))
        assert left(core) == [1, 2, 3]
        assert {detail["of"] for detail in await suspended(core)} == {"sessions", "tasks"}


@pytest.mark.parametrize("off_s", [-3650 * DAY_S, 3650 * DAY_S])
async def test_a_clock_that_is_wrong_at_the_start_archives_nobody(tmp_path: Path, off_s: float) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("sessions", create(1))

    def wrong(core: Core) -> None:
        core.clock = HandClock(wall_s=core.clock.wall_s + off_s)
        for place in core.places.values():
            place.clock = core.clock
        core.desk.clock = core.clock

    async with running_core(tmp_path, before=wrong) as core:
        await core.until(lambda: len(core.ledger.tables.events) == 3)  # of sessions, tasks and runs
        assert left(core) == [1]
        core.clock.wall_s -= off_s
        core.clock.pass_s(60 * DAY_S)
        core.wake("sessions")


async def test_many_sessions_leave_in_slices(tmp_path: Path) -> None:
    async with running_core(tmp_path, rules=Rules(sessions_max=0)) as core:
        asked = [core.request(create(number)) for number in range(250)]
        core.refs["sessions"].offer([request for request, _answered in asked])
        for _request, answered in asked:
            await answered()
        core.clock.pass_s(31 * DAY_S)
        for number in (150, 50, 0):
            core.clock.pass_s(1)
            core.wake("sessions")
            await core.until(lambda number=number: len(left(core)) == number)  # type: ignore[misc]
        found = await core.ask("events", records.EventList(kinds=("session.archived",), limit=1000))
        per_line: dict[int, int] = {}
        for event in found["events"]:
            per_line[event["seq"]] = per_line.get(event["seq"], 0) + 1
        assert sorted(per_line.values()) == [50, 100, 100]


async def test_acknowledged_messages_are_found_at_once(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        for number in (1, 2):
            await core.ask("sessions", create(number, messages=(HELLO,)))
        for word in ("alpha", "beta", "gamma"):
            await core.ask("sessions", ask.SessionAppend(id=session_id(2), messages=({"content": word},)))
            found = await core.ask("sessions", ask.SessionFind(text=word))
            assert [row["id"] for row in found["sessions"]] == [session_id(2)]
            assert found["messages"] == "searched"
        await core.ask("sessions", ask.SessionRename(id=session_id(1), title="about beta"))
        found = await core.ask("sessions", ask.SessionFind(text="beta"))
        assert [row["id"] for row in found["sessions"]] == [session_id(1), session_id(2)]


async def test_a_search_goes_on_after_its_writer_crashed(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("sessions", create(1, messages=(HELLO,)))
        await core.ask("sessions", ask.SessionFind(text="hello"))
        await core.restart("writer")
        found = await core.ask("sessions", ask.SessionFind(text="hello"))
        assert [row["id"] for row in found["sessions"]] == [session_id(1)]
