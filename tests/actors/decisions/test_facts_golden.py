"""Every fact has golden bytes: it is made today as it was then, and what was made then is replayed.

`python -m tests.kit.golden_facts tests/actors/decisions/golden` makes those of this file anew after a change of format
that was meant; the facts of runs have `golden_runs`, those of the disk's own records `golden`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.model.facts import FACTS
from actors.model.state import Tables, rows_after
from actors.storage.journal_decoding import decode_body
from tests.kit.golden_facts import JOURNAL, ROWS, TABLES, files_of, lives

GOLDEN = Path(__file__).parent / "golden"
IN_A_DIRECTORY = Path(__file__).parents[1] / "storage" / "golden" / "v2" / "journal"


@pytest.mark.parametrize("name", [JOURNAL, ROWS])
def test_lives_are_written_as_they_were(name: str) -> None:
    assert files_of(lives())[name].decode().splitlines() == (GOLDEN / name).read_text().splitlines()


def test_what_was_written_then_leads_to_the_same_rows() -> None:
    tables = Tables()
    for seq, line in enumerate((GOLDEN / JOURNAL).read_bytes().split(b"\n")[:-1], start=1):
        read = decode_body(line[1:-1], seq)
        tables.absorb(read, rows_after(tables, read.facts))
    rows = [row.encoded for name in TABLES for row in tables.by_name[name].rows.values()]
    assert rows == (GOLDEN / ROWS).read_bytes().split(b"\n")[:-1]


@pytest.mark.parametrize("op", FACTS)
def test_every_fact_that_a_journal_may_hold_is_in_a_golden_one(op: str) -> None:
    journals = [*GOLDEN.glob("*.journal.jsonl"), *IN_A_DIRECTORY.glob("*.jsonl")]
    assert any(f'"op":"{op}"'.encode() in journal.read_bytes() for journal in journals)
