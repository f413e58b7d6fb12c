"""Recovery case J as a table: what becomes of the lines in a fallback directory."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.storage.fallback_case import Compared, Outcome, decide

BEYOND = Compared(lines=3, same=0, differ=False, fits=True, last_seq=13, epoch=5, main_last_seq=10, main_epoch=4)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"lines": 0, "last_seq": 0}, Outcome.RETIRE),
        ({"same": 3, "main_last_seq": 13}, Outcome.RETIRE),
        ({"same": 3, "main_last_seq": 40, "main_epoch": 9}, Outcome.RETIRE),
        ({}, Outcome.MERGE),
        ({"same": 2, "main_last_seq": 12}, Outcome.MERGE),
        ({"same": 2, "main_last_seq": 12, "main_epoch": 9}, Outcome.MERGE),
        ({"differ": True, "main_last_seq": 74}, Outcome.MERGE),
        ({"differ": True, "main_epoch": 5}, Outcome.MERGE),
        ({"differ": True, "main_epoch": 6}, Outcome.SET_ASIDE),
        ({"fits": False}, Outcome.SET_ASIDE),
        ({"fits": False, "same": 3}, Outcome.RETIRE),
        ({"main_last_seq": 13}, Outcome.SET_ASIDE),
        ({"main_last_seq": 40, "main_epoch": 9}, Outcome.SET_ASIDE),
    ],
    ids=repr,
)
def test_the_table(changes: dict[str, Any], outcome: Outcome) -> None:
    assert decide(msgspec.structs.replace(BEYOND, **changes)) is outcome
