"""What is told of a recovery."""

from typing import Any

import pytest

from actors.messages.proposal import Live
from actors.writer.news import damage, entry, news_of

CLEAN: dict[str, Any] = {"case": "B", "base": "state.json", "corrupted": False, "initialised": False}
DAMAGED = {
    **CLEAN,
    "case": "BG",
    "corrupted": True,
    "seqs_lost": [[5, 5], [9, 10]],
    "ids_lost": [],
    "rejected_count": 2,
}


def test_a_clean_recovery_is_only_told_live() -> None:
    assert list(news_of(CLEAN)) == [Live("state:loaded", CLEAN)]


def test_an_empty_directory_is_told_as_initialised() -> None:
    kinds = [told.kind for told in news_of({**CLEAN, "initialised": True, "directories_made": ["journal"]})]
    assert kinds == ["state:loaded", "state:initialised"]


def test_the_log_of_a_new_directory_does_not_warn_of_what_every_new_one_lacks() -> None:
    report = {**CLEAN, "warnings": ["state.json: missing"], "directories_made": ["journal"]}
    assert entry(report)["warnings"] == ["state.json: missing"]
    assert entry({**report, "initialised": True}) == {"case": "B", "base": "state.json", "initialised": True}


def test_damage_is_recorded_with_what_is_lost() -> None:
    _, corrupted = news_of(DAMAGED)
    assert (corrupted.kind, corrupted.recorded) == ("state:corrupted", True)
    assert corrupted.data["seqs_lost"] == [[5, 5], [9, 10]]
    assert corrupted.data["level"] == "error"


def test_a_long_list_is_cut_in_the_record_and_its_length_told() -> None:
    ids = [{"table": "tasks", "id": f"{n}"} for n in range(1000)]
    _, corrupted = news_of({**DAMAGED, "ids_lost": ids})
    assert corrupted.data["ids_lost"] == ids[:100]
    assert corrupted.data["ids_lost_count"] == 1000


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ({"seqs_lost": [[5, 5]]}, "1 journal line is lost"),
        ({"seqs_lost": [[5, 6], [8, 8]]}, "3 journal lines are lost"),
        ({"seqs_lost": [[5, 5]], "ids_lost": [{}]}, "1 journal line and 1 row are lost"),
        ({"rows_unproven": [{}]}, "some of it is unproven"),
    ],
)
def test_one_sentence_says_what_is_lost(lost: dict[str, Any], sentence: str) -> None:
    assert sentence in damage(lost)
