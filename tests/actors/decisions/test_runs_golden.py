"""The facts of runs have golden files: they are made today as they were then, and what was made then is replayed.

`python -m tests.kit.golden_runs tests/actors/decisions/golden` makes them anew after a change of format that was meant.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.model.facts import FACTS
from actors.model.state import Tables, rows_after
from actors.storage.journal_decoding import decode_body
from tests.kit.golden_runs import JOURNAL, ROWS, files_of, lives

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", [JOURNAL, ROWS])
def test_the_lives_of_runs_are_written_as_they_were(name: str) -> None:
    assert files_of(lives())[name].decode().splitlines() == (GOLDEN / name).read_text().splitlines()


def test_every_fact_of_runs_is_among_them() -> None:
    ops = {fact.op for line in lives().lines for fact in line.facts if fact.op.startswith("run.")}
    assert ops == {op for op in FACTS if op.startswith("run.")}


def test_what_was_written_then_leads_to_the_same_rows() -> None:
    tables = Tables()
    for seq, line in enumerate((GOLDEN / JOURNAL).read_bytes().split(b"\n")[:-1], start=1):
        read = decode_body(line[1:-1], seq)
        tables.absorb(read, rows_after(tables, read.facts))
    rows = [row.encoded for name in ("runs", "tasks") for row in tables.by_name[name].rows.values()]
    assert rows == (GOLDEN / ROWS).read_bytes().split(b"\n")[:-1]
