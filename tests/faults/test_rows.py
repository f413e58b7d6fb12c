"""The table of what Perdure must survive cannot go stale: every case has its row, every test in it is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.faults.rows import ROWS, Row, files
from tests.kit.named_tests import TESTS, functions_in, is_there

CASES = 43
LONG = "pytest.mark.long"


def test_every_case_has_its_row() -> None:
    assert [row.number for row in ROWS] == list(range(1, CASES + 1))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_every_test_that_a_row_names_exists(row: Row) -> None:
    named = (*row.quick, *row.long)
    assert named
    assert [name for name in named if not is_there(name)] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_what_runs_with_every_commit_and_what_does_not_are_told_apart(row: Row) -> None:
    assert [name for name in row.quick if LONG in _decorators(name)] == []
    wants_more = [name for name in row.long if LONG not in _decorators(name)]
    assert [name for name in wants_more if not any("parametrize" in mark for mark in _decorators(name))] == []


def test_the_table_is_printed_for_people_and_its_files_for_make() -> None:
    printed = [
        subprocess.run(
            [sys.executable, "-m", "tests.faults.rows", *arguments], cwd=TESTS.parent, check=True, capture_output=True
        ).stdout.decode()
        for arguments in ([], ["--files"])
    ]
    assert all(f"\n{row.number:2}  {row.case}\n" in "\n" + printed[0] for row in ROWS)
    assert printed[1].split() == files()


def _decorators(named: str) -> tuple[str, ...]:
    path, _, function = named.partition("::")
    return functions_in(path)[function] if function else _of_all(path)


def _of_all(path: str) -> tuple[str, ...]:
    """What every test of a file is marked with."""
    every = [set(marks) for name, marks in functions_in(path).items() if name.startswith("test_")]
    return tuple(set.intersection(*every))
