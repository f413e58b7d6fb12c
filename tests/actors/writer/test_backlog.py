"""Files behind the journal: written soon, coalesced, tried again, and never a reason for anybody else to wait."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from actors.messages.records import LogAppend, LogRead
from actors.messages.sessions import SessionAppend, SessionCreate, SessionMessages
from actors.messages.tasks import TaskCreate, TaskDelete, TaskList, TaskUpdate
from actors.storage.behind import Behind
from actors.storage.contract import WrittenBehind
from supervisor.tree.chaos import Harm
from tests.kit.runtimes import Running, config_of, running_runtime

SESSION = "11111111-2222-4333-8444-555555555555"
TASKS = "tasks/"


def task_file(running: Running, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((running.root / "tasks" / f"{task_id}.json").read_bytes())
    return found


def is_written(running: Running) -> bool:
    return running.assembly.ledger.files_backlog == 0


async def create_session(running: Running) -> None:
    await running.ask(SessionCreate(id=SESSION, title="t", provider="p", model="m", working_directory="/w"))


async def append(running: Running, *texts: str) -> None:
    await running.ask(SessionAppend(id=SESSION, messages=tuple({"role": "user", "content": text} for text in texts)))


async def messages(running: Running) -> list[str]:
    page = await running.ask(SessionMessages(id=SESSION))
    return [message["content"] for message in page["messages"]]


async def test_a_changed_task_is_written_into_its_file_soon(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        await running.until(lambda: is_written(running))
        assert task_file(running, "one")["rev"] == 1


async def test_of_a_task_that_changes_often_only_the_last_state_is_written(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("create", where=TASKS)
        await running.ask(TaskCreate(description="x", id="one"))
        await running.until(lambda: gate.reached)
        for number in range(20):
            await running.ask(TaskUpdate(id="one", description=str(number)))
        gate.open()
        await running.until(lambda: is_written(running))
        assert task_file(running, "one")["description"] == "19"
        assert len(running.disk.done("rename", TASKS)) == 2


async def test_what_waits_for_its_file_shows_in_health_and_no_commit_waits_for_it(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("create", where=TASKS)
        for number in range(30):
            await running.ask(TaskCreate(description="x", id=f"t{number}"))
        await running.until(lambda: gate.reached)
        assert running.assembly.ledger.files_backlog >= 29
        gate.open()
        await running.until(lambda: is_written(running))
        assert len(list((running.root / "tasks").iterdir())) == 30


async def test_a_file_waits_for_the_delay_and_not_longer(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, config=config_of(state={"task_files_delay_s": 0.2})) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        assert running.assembly.ledger.files_backlog == 1
        await running.until(lambda: is_written(running))
        assert (running.root / "tasks" / "one.json").exists()


@pytest.mark.parametrize("call", ["create", "write", "fsync", "rename"])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
async def test_a_file_that_the_disk_refuses_is_written_later_and_commits_go_on(
    tmp_path: Path, call: str, error: int
) -> None:
    async with running_runtime(tmp_path) as running:
        refusal = running.disk.refuse(call, where=TASKS, error=error, times=3)
        await running.ask(TaskCreate(description="x", id="one"))
        await running.until(lambda: refusal.times <= 1)
        await running.ask(TaskUpdate(id="one", description="y"))
        assert running.assembly.ledger.mode.value == "ok"
        await running.until(lambda: is_written(running))
        assert task_file(running, "one")["description"] == "y"
        assert running.view("writer").incarnation == 1


async def test_the_file_of_a_deleted_task_goes(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        await running.until(lambda: is_written(running))
        await running.ask(TaskDelete(id="one"))
        await running.until(lambda: is_written(running))
        assert not (running.root / "tasks" / "one.json").exists()


async def test_a_task_file_that_somebody_edited_is_kept_and_told(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        await running.until(lambda: is_written(running))
        (running.root / "tasks" / "one.json").write_text('{"id": "one", "mine": true}')
        await running.ask(TaskUpdate(id="one", description="y"))
        await running.until(lambda: is_written(running))
        assert task_file(running, "one")["description"] == "y"
        kept = [path for path in (running.root / "quarantine").rglob("*") if "one" in path.name]
        assert any('"mine": true' in path.read_text() for path in kept)
        events = running.assembly.ledger.tables.by_name["events"].rows
        await running.until(lambda: any(b"task:edited" in row.encoded for row in events.values()))


async def test_who_reads_messages_sees_what_was_acknowledged_before(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, config=config_of(state={"task_files_delay_s": 60})) as running:
        await create_session(running)
        for number in range(5):
            await append(running, f"a{number}", f"b{number}")
            assert len(await messages(running)) == 2 * number + 2


def harmed(running_root: Path, harm: str) -> None:
    file = running_root / "sessions" / f"{SESSION}.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    third = next(number for number, line in enumerate(lines) if b'"content":"c"' in line)
    if harm == "overwritten":
        lines[third] = b"?" * (len(lines[third]) - 1) + b"\n"
    elif harm == "cut":
        lines = lines[:third]
    else:
        lines = []
    file.write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    ("harm", "left", "missing"), [("overwritten", "abd", [[3, 3]]), ("cut", "ab", [[3, 4]]), ("emptied", "", [[1, 4]])]
)
async def test_a_session_file_that_was_damaged_while_nothing_ran_is_told_when_it_is_first_read(
    tmp_path: Path, harm: str, left: str, missing: list[list[int]]
) -> None:
    async with running_runtime(tmp_path) as running:
        await create_session(running)
        await append(running, *"abcd")
    harmed(running.root, harm)
    async with running_runtime(tmp_path) as running:
        events = running.assembly.ledger.tables.by_name["events"].rows
        for _time in range(2):
            page = await running.ask(SessionMessages(id=SESSION))
            assert [message["content"] for message in page["messages"]] == list(left)
            assert page["missing"] == missing
        assert (await running.ask(SessionMessages(id=SESSION, limit=1, after=missing[0][1])))["messages"] == (
            [{"role": "user", "content": "d"}] if harm == "overwritten" else []
        )
        await running.until(lambda: any(b"session:damaged" in row.encoded for row in events.values()))
        assert sum(b"session:damaged" in row.encoded for row in events.values()) == 1


async def test_a_session_file_that_was_damaged_while_nothing_ran_is_told_when_something_is_added(
    tmp_path: Path,
) -> None:
    async with running_runtime(tmp_path) as running:
        await create_session(running)
        await append(running, *"abcd")
    harmed(running.root, "cut")
    async with running_runtime(tmp_path) as running:
        await append(running, "e")
        events = running.assembly.ledger.tables.by_name["events"].rows
        await running.until(lambda: any(b"session:damaged" in row.encoded for row in events.values()))
        assert (await running.ask(SessionMessages(id=SESSION)))["missing"] == [[3, 4]]
        assert await messages(running) == ["a", "b", "e"]


async def test_who_reads_a_log_sees_what_was_acknowledged_before(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, config=config_of(state={"task_files_delay_s": 60})) as running:
        await create_session(running)
        for word in ("one ", "two ", "three"):
            await running.ask(LogAppend(session_id=SESSION, text=word))
        assert (await running.ask(LogRead(session_id=SESSION)))["text"] == "one two three"


async def test_messages_that_the_disk_does_not_take_are_told_to_be_unreadable_and_not_to_be_missing(
    tmp_path: Path,
) -> None:
    async with running_runtime(tmp_path) as running:
        await create_session(running)
        await append(running, "first")
        assert await messages(running) == ["first"]
        running.disk.refuse("pwrite", "write", "create", where="sessions/")
        await append(running, "second")
        assert await running.send(SessionMessages(id=SESSION)).kind() == "storage_failed"
        running.disk.mend()
        assert await messages(running) == ["first", "second"]


async def test_a_disk_that_refuses_files_is_logged_once_however_often_it_is_asked(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create_session(running)
        await append(running, "first")
        assert await messages(running) == ["first"]
        with structlog.testing.capture_logs() as lines:
            running.disk.refuse("pwrite", "write", "create", where="sessions/")
            await append(running, "second")
            for _question in range(5):
                assert await running.send(SessionMessages(id=SESSION)).kind() == "storage_failed"
            running.disk.mend()
            assert await messages(running) == ["first", "second"]
            await running.until(lambda: is_written(running))
        told = [line["event"] for line in lines if line["log_level"] == "warning"]
        assert told.count("files behind the journal could not be written") == 1
        assert told.count("files behind the journal are written again") == 1


async def test_commands_wait_while_too_many_messages_are_held_in_memory_for_their_files_and_questions_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.writer.backlog.HELD_BYTES_MAX", 10_000)
    async with running_runtime(tmp_path) as running:
        await create_session(running)
        gate = running.disk.gate("pwrite", "write", "create", where="sessions/")
        await append(running, "x" * 11_000)
        await running.until(lambda: gate.reached)
        late = running.send(TaskCreate(description="x", id="late"))
        await running.until(lambda: not running.assembly.desk.mailbox.depth)
        assert (await running.ask(TaskList()))["tasks"] == []
        gate.open()
        assert (await late.result())["id"] == "late"
        assert await messages(running) == ["x" * 11_000]


async def test_no_command_waits_for_files_that_the_disk_does_not_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.writer.backlog.HELD_BYTES_MAX", 10_000)
    async with running_runtime(tmp_path) as running:
        await create_session(running)
        await running.until(lambda: is_written(running))
        running.disk.refuse("pwrite", "write", "create", where="sessions/")
        for number in range(5):
            await append(running, f"{number}" * 11_000)
        running.disk.mend()
        assert [text[0] for text in await messages(running)] == list("01234")


async def test_messages_are_read_although_other_files_cannot_be_written(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create_session(running)
        await append(running, "first")
        await running.until(lambda: is_written(running))
        running.disk.refuse("create", where=TASKS)
        await running.ask(TaskCreate(description="x", id="one"))
        await running.until(lambda: any(deed.refused for deed in running.disk.deeds))
        assert await messages(running) == ["first"]


async def test_an_old_portion_that_failed_does_not_come_to_lie_over_a_newer_one(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create_session(running)
        await running.until(lambda: is_written(running))
        gate = running.disk.gate("create", where=TASKS)
        running.disk.refuse("create", where=TASKS, times=1)
        await running.ask(TaskCreate(description="old", id="one"))
        await running.until(lambda: gate.reached)
        await running.ask(TaskUpdate(id="one", description="new"))
        page = running.send(SessionMessages(id=SESSION))
        await running.until(lambda: running.assembly.desk.background_thread._jobs.qsize() == 2)
        gate.open()
        await page.result()
        await running.until(lambda: is_written(running))
        assert task_file(running, "one")["description"] == "new"


async def test_a_crash_of_the_writer_leaves_no_file_unwritten(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create_session(running)
        gate = running.disk.gate("create", where=TASKS)
        for number in range(10):
            await running.ask(TaskCreate(description="x", id=f"t{number}"))
        await append(running, "message")
        await running.until(lambda: gate.reached)
        running.harm("writer", Harm.CRASH)
        gate.open()
        await running.until_up("tasks", 2)
        await running.until(lambda: is_written(running))
        assert len(list((running.root / "tasks").iterdir())) == 10
        assert await messages(running) == ["message"]


def _defect(_portion: Behind) -> WrittenBehind:
    raise ZeroDivisionError


async def test_a_defect_in_writing_files_stops_neither_commits_nor_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_runtime(tmp_path) as running:
        store = running.assembly.desk.store
        assert store is not None
        monkeypatch.setattr(store, "write_behind", _defect)
        await running.ask(TaskCreate(description="x", id="one"))
        await running.until(lambda: not is_written(running))
        await running.ask(TaskCreate(description="y", id="two"))
        monkeypatch.undo()
        await running.until(lambda: is_written(running))
        assert sorted(path.name for path in (running.root / "tasks").iterdir()) == ["one.json", "two.json"]


async def test_a_stop_does_not_try_a_failing_file_over_and_over(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        running.disk.refuse("create", where=TASKS)
        await running.ask(TaskCreate(description="x", id="one"))
        await running.until(lambda: any(deed.refused for deed in running.disk.deeds))
        assert await running.stop() == 0
        assert sum(deed.refused for deed in running.disk.deeds) < 100
    async with running_runtime(tmp_path) as running:
        await running.until(lambda: is_written(running))
        assert task_file(running, "one")["rev"] == 1
