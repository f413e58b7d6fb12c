"""supervisor/cli/chaos.py: what is told of a trial, and what is kept of one in which a promise was broken."""

from __future__ import annotations

import io
import json
from pathlib import Path

import attrs
import pytest

from supervisor.chaos.schedule import draw
from supervisor.chaos.verdict import Outcome, Promise, Verdict, summed
from supervisor.cli import chaos
from supervisor.cli.faults import Exit
from supervisor.cli.invocation import Invocation
from supervisor.cli.screen import Screen

KEPT = Outcome(
    schedule=draw(5, 10),
    exchanges=12,
    acknowledged=10,
    lines=9,
    verdicts=summed([Verdict(Promise.ONCE, 4)]),
    harms={"kill root": 2},
    missed={"kill agent": 1},
)
BROKEN = attrs.evolve(KEPT, verdicts=summed([Verdict(Promise.ONCE, 4, ("the key 'k' has 2 lines",))]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "trial"
    (folder / "coding-agent-state").mkdir(parents=True)
    return folder


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def invocation(out: io.StringIO) -> Invocation:
    invocation = Invocation()
    invocation.screen = Screen(out)
    return invocation


def test_a_broken_promise_is_told_and_everything_is_kept(
    invocation: Invocation, folder: Path, out: io.StringIO
) -> None:
    assert chaos._told(invocation, BROKEN, folder, keep_it=False) == Exit.FAILED
    assert "the key 'k' has 2 lines" in out.getvalue()
    assert f"perdure chaos --replay {folder}/outcome.json" in out.getvalue()
    kept = json.loads((folder / "outcome.json").read_text())
    assert kept["violations"] == 1
    assert chaos._read(folder / "outcome.json") == KEPT.schedule


def test_when_all_promises_were_kept_nothing_is_left_behind(
    invocation: Invocation, folder: Path, out: io.StringIO
) -> None:
    assert chaos._told(invocation, KEPT, folder, keep_it=False) == Exit.FINE
    assert not folder.exists()
    assert "0 violations" in out.getvalue()
    rows = [line.split() for line in out.getvalue().splitlines()]
    assert ["kill", "agent", "0", "1"] in rows
    assert ["kill", "root", "2", "0"] in rows


def test_every_promise_has_a_row_though_nobody_checked_it(
    invocation: Invocation, folder: Path, out: io.StringIO
) -> None:
    chaos._told(invocation, KEPT, folder, keep_it=True)
    assert all(promise.value in out.getvalue() for promise in Promise)
    assert folder.exists()


def test_programs_get_one_json_object(invocation: Invocation, folder: Path, out: io.StringIO) -> None:
    invocation.as_json = True
    chaos._told(invocation, BROKEN, folder, keep_it=False)
    told = json.loads(out.getvalue())
    assert (told["seed"], told["violations"], told["kept"]) == (5, 1, str(folder))
    (once,) = (row for row in told["promises"] if row["promise"] == "once")
    assert once["violations"] == ["the key 'k' has 2 lines"]
