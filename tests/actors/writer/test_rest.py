"""How long the background thread rests: never where nobody sends commands, most of the time where somebody does."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.messages.tasks import TaskCreate
from actors.writer.rest import REST_MAX_S, REST_PER_WORK, WAITING_MAX, rest_s
from tests.kit.runtimes import running_runtime


@pytest.mark.parametrize(
    ("lines", "waiting", "rests"),
    [
        (0, 10, False),
        (1, 10, True),
        (5000, WAITING_MAX, True),
        (5000, WAITING_MAX + 1, False),
    ],
)
def test_it_rests_while_commands_come_and_not_too_many_files_wait(lines: int, waiting: int, *, rests: bool) -> None:
    assert rest_s(0.05, lines=lines, waiting=waiting) == (0.05 * REST_PER_WORK if rests else 0.0)


async def test_files_that_rested_are_all_written_once_the_commands_have_ended(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("create", where="tasks/")
        await running.ask(TaskCreate(description="x", id="first"))
        await running.until(lambda: gate.reached)
        for number in range(300):  # more lines than the portion of one file: after it the thread rests
            await running.ask(TaskCreate(description="x", id=f"t{number}"))
        gate.open()
        await running.until(lambda: running.assembly.ledger.files_backlog == 0)
        assert len(list((running.root / "tasks").iterdir())) == 301


def test_however_long_a_portion_took_the_rest_has_an_end() -> None:
    assert rest_s(600.0, lines=2, waiting=0) == REST_MAX_S
