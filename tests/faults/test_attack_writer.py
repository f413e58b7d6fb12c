"""Around the writer: files that follow the journal, and snapshots that somebody waits for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from actors.kernel.ref import Ask
from actors.messages import records
from actors.messages import tasks as ask
from actors.messages.questions import SaveNow
from tests.kit.core import PATIENCE_S, running_core


async def test_facts_without_files_do_not_keep_the_journal_for_ever(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        for n in range(5):
            await core.ask("events", records.EventRecord(type="t", message=str(n)))
        core.clock.pass_s(10)
        core.wake("writer")
        await core.until(lambda: core.desk.store._files.durable_seq >= 5)  # type: ignore[union-attr]


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
