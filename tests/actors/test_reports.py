"""Text logs and reports through their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.messages import records as ask
from actors.model.errors import NotFound
from tests.kit.core import running_core

SESSION = "0190163d-8694-739b-aea5-966c26f8ad91"


async def test_a_log_can_be_followed_by_its_offsets(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        seen, offset = "", 0
        for number in range(20):
            answer = await core.ask("reports", ask.LogAppend(session_id=SESSION, text=f"line {number} é\n"))
            found = await core.ask("reports", ask.LogRead(session_id=SESSION, offset=offset))
            seen, offset = seen + found["text"], found["next_offset"]
            assert offset == answer["bytes"]
        assert seen == "".join(f"line {number} é\n" for number in range(20))
        assert (tmp_path / "logs" / f"session_{SESSION}.log").read_text() == seen


async def test_a_page_of_a_log_ends_between_two_characters(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("reports", ask.LogAppend(session_id=SESSION, text="😀" * 3))
        found = await core.ask("reports", ask.LogRead(session_id=SESSION, limit=7))
        assert found == {"text": "😀", "next_offset": 4}


async def test_a_report_is_a_file_and_can_be_read_again(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        saved = await core.ask("reports", ask.ReportSave(data={"passed": 12}, id="weekly"))
        found = await core.ask("reports", ask.ReportGet(id="weekly"))
        assert found["data"] == {"passed": 12}
        assert json.loads((tmp_path / saved["path"]).read_text()) == found
        listed = await core.ask("reports", ask.ReportList())
        assert [report["id"] for report in listed["reports"]] == ["weekly"]


async def test_what_was_never_written_cannot_be_read(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        for question in (ask.ReportGet(id="x"), ask.LogRead(session_id=SESSION)):
            with pytest.raises(NotFound):
                await core.ask("reports", question)


async def test_logs_and_reports_are_there_after_a_restart(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("reports", ask.LogAppend(session_id=SESSION, text="before\n"))
        await core.ask("reports", ask.ReportSave(data=1, id="r"))
    async with running_core(tmp_path) as core:
        await core.ask("reports", ask.LogAppend(session_id=SESSION, text="after\n"))
        assert (await core.ask("reports", ask.LogRead(session_id=SESSION)))["text"] == "before\nafter\n"
        assert (await core.ask("reports", ask.ReportGet(id="r")))["data"] == 1
