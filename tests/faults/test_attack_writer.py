"""Around the writer: files that follow the journal, and snapshots that somebody waits for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.kernel.io_thread import IoThread
from actors.kernel.ref import Ask
from actors.messages import records
from actors.messages import tasks as ask
from actors.messages.questions import SaveNow
from actors.model.errors import ActorCrashed
from tests.kit.core import PATIENCE_S, running_core
from tests.kit.held_disk import told


async def test_facts_without_files_do_not_keep_the_journal_for_ever(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        for n in range(5):
            await core.ask("events", records.EventRecord(type="t", message=str(n)))
        core.clock.pass_s(10)
        core.wake("writer")
        await core.until(lambda: core.desk.store._files.durable_seq >= 5)  # type: ignore[union-attr]


async def test_a_fact_without_a_file_that_comes_while_files_are_written_is_passed_by_the_watermark(
    tmp_path: Path,
) -> None:
    written = threading.Event()
    async with running_core(tmp_path) as core:
        store: Any = core.desk.store
        write = store.write_behind

        def held_write(behind: Any) -> Any:
            assert written.wait(PATIENCE_S)
            return write(behind)

        store.write_behind = held_write
        await core.ask("tasks", ask.TaskCreate(description="has a file"))
        core.clock.pass_s(1)
        core.wake("writer")
        await core.ask("events", records.EventRecord(type="t", message="has none"))
        written.set()
        await core.until(lambda: core.ledger.files_backlog == 0)
        core.clock.pass_s(10)
        core.wake("writer")
        await core.until(lambda: store._files.durable_seq >= 2)


async def test_who_waits_for_the_snapshot_after_this_one_is_answered_at_the_end(tmp_path: Path) -> None:
    opened = threading.Event()
    questions = [Ask(SaveNow()), Ask(SaveNow())]
    async with running_core(tmp_path) as core:
        store: Any = core.desk.store
        save = store.save

        def held_save(cut: Any) -> Any:
            assert opened.wait(PATIENCE_S)
            return save(cut)

        store.save = held_save
        for number, question in enumerate(questions):
            await core.ask("tasks", ask.TaskCreate(description="d"))
            core.refs["writer"].offer([question])
            await core.until(lambda waiting=number + 1: len(core.desk.savers) == waiting)  # type: ignore[misc]
        for life in core.lives.values():
            life.stopping.set()
        opened.set()
    assert [(await question.wait())["seq"] for question in questions] == [1, 2]


async def test_one_poisonous_line_among_many_is_found_and_all_others_are_written(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        open_store = core.desk.open_store

        def poisoned(store: Any) -> Any:
            commit = store.commit

            def refuse_poison(bodies: Sequence[bytes]) -> Any:
                if any(b"poison" in body for body in bodies):
                    raise RuntimeError("a defect that nobody foresaw")
                return commit(bodies)

            store.commit = refuse_poison
            return store

        core.desk.open_store = lambda: poisoned(open_store())
        poisoned(core.desk.store)
        asked = [core.request(ask.TaskCreate(description="poison" if n == 7 else "d", id=f"t{n}")) for n in range(64)]
        assert core.refs["tasks"].offer([request for request, _answered in asked]) == 64
        answers = [await told(answered) for _request, answered in asked]
        assert isinstance(answers.pop(7), ActorCrashed)
        assert all(answer["rev"] == 1 for answer in answers)
        assert len(core.ledger.tables.tasks) == 63
        assert 2 <= len(core.crashes) <= 4
        core.crashes.clear()
        assert (await core.ask("tasks", ask.TaskCreate(description="d", id="after")))["id"] == "after"


async def test_the_writers_lock_is_not_let_go_while_a_thread_may_still_write(tmp_path: Path) -> None:
    opened = threading.Event()
    async with running_core(tmp_path) as core:
        pass
    core.desk.background_thread = IoThread("background")
    core.desk.background_thread.submit(lambda: opened.wait(PATIENCE_S))
    core.desk.close()
    assert not core.desk.ended(0.01)
    opened.set()
    assert core.desk.ended(PATIENCE_S)
