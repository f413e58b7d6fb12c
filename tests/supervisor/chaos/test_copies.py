"""supervisor/chaos/copies.py and damage.py: copies are damaged, recovered, and held against what they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

from supervisor.chaos import copies, damage
from supervisor.chaos.copies import Recovered, judge
from supervisor.chaos.evidence import Journal, read_journal
from supervisor.chaos.schedule import DAMAGES, FILES
from tests.kit.stores import DiskBench, Driver, session_appended, session_created

PAIRS = [f"{kind} {file}" for kind in DAMAGES[1:] for file in FILES]


def state(root: Path) -> Path:
    """A directory as a kill leaves it: two snapshots, a journal, tasks and a session."""
    driver = Driver(DiskBench(root).open())
    driver.create("a", "b", "c")
    driver.commit(session_created())
    driver.settle_files()
    driver.save()
    driver.describe("a", "once")
    driver.commit(session_appended(2, 1, ["hello"]))
    driver.settle_files()
    driver.save()
    driver.describe("a", "twice")
    driver.create("d")
    driver.store.close()
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return state(tmp_path / "state")


@pytest.mark.parametrize("whom", ["none journal", *Random(1).sample(PAIRS, 6)])
def test_a_damaged_copy_is_recovered_without_a_violation(root: Path, whom: str) -> None:
    verdicts = copies.examine(root, [], whom, 7)
    assert [verdict.violations for verdict in verdicts] == [(), ()]
    assert sum(verdict.checks for verdict in verdicts) > 4


@pytest.mark.long
@pytest.mark.parametrize("whom", PAIRS)
@pytest.mark.parametrize("chance", range(2))
def test_every_damage_of_every_file_is_recovered_without_a_violation(root: Path, whom: str, chance: int) -> None:
    verdicts = copies.examine(root, [], whom, chance)
    assert [verdict.violations for verdict in verdicts] == [(), ()]


def test_a_key_that_was_acknowledged_and_is_not_there_is_a_violation(root: Path) -> None:
    durable, _ = copies.examine(root, ["acknowledged"], "none journal", 7)
    assert "acknowledged" in durable.violations[0]


@attrs.define
class Judged:
    """A recovery that a test can spoil before it is judged."""

    root: Path
    journal: Journal
    first: Recovered
    again: Recovered
    harmed: damage.Damage

    def found(self) -> list[str]:
        """What the judge says."""
        return list(judge(self.first, self.again, self.journal, self.harmed))

    def spoil(self, change: Callable[[dict[Any, Any]], Any]) -> None:
        """Change the rows of both recoveries."""
        rows = {address: dict(row) for address, row in self.first.rows.items()}
        change(rows)
        self.first = attrs.evolve(self.first, rows=rows)
        self.again = attrs.evolve(self.again, rows=rows)


@pytest.fixture
def judged(root: Path) -> Judged:
    journal = read_journal(root)
    recovered = copies.recover(root)
    return Judged(root, journal, recovered, copies.recover(root), damage.Damage(root, "", "none"))


def test_a_recovery_that_gave_everything_back_is_right(judged: Judged) -> None:
    assert judged.found() == []
    assert len(judged.first.rows) == 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows.pop(("tasks", "d")), "d is lost"),
        (lambda rows: rows["tasks", "d"].update(description="x"), "another description"),
        (lambda rows: rows["tasks", "a"].update(rev=9), "never had"),
        (lambda rows: rows.update({("tasks", "x"): {"id": "x", "rev": 1}}), "never made"),
    ],
)
def test_a_state_that_never_was_is_a_violation(
    judged: Judged, change: Callable[[dict[Any, Any]], Any], says: str
) -> None:
    judged.spoil(change)
    assert says in judged.found()[0]


def test_a_row_that_went_back_must_be_reported(judged: Judged) -> None:
    judged.harmed = attrs.evolve(judged.harmed, may_lose=True)
    was = judged.journal.row_at(("tasks", "a"), 2)
    judged.spoil(lambda rows: rows.update({("tasks", "a"): was}))
    assert "no report says so" in judged.found()[0]
    judged.first = attrs.evolve(judged.first, report={**judged.first.report, "lost": [{"file": "a"}]})
    assert judged.found() == []


def test_a_second_recovery_that_gives_something_else_is_a_violation(judged: Judged) -> None:
    judged.again = attrs.evolve(judged.again, rows={})
    assert judged.found() == ["recovering it twice gives something else"]


def test_a_recovery_that_fails_is_a_violation(judged: Judged) -> None:
    judged.first = attrs.evolve(judged.first, code=70, report={"failed": "no"})
    assert judged.found() == ["doctor --repair ended with 70: no"]


def test_damage_that_is_thrown_away_is_a_violation(judged: Judged) -> None:
    judged.harmed = attrs.evolve(judged.harmed, file="state.json", witness=b"these bytes are nowhere")
    assert judged.found() == ["the damaged bytes are neither in their place nor in quarantine"]


def test_damage_that_nobody_tells_of_is_a_violation(judged: Judged) -> None:
    judged.harmed = attrs.evolve(judged.harmed, must_be_told=True)
    assert judged.found() == ["the damage is not reported"]


@pytest.mark.parametrize("whom", PAIRS)
def test_the_same_chance_does_the_same_damage(tmp_path: Path, whom: str) -> None:
    kind, _, file = whom.partition(" ")
    done = [damage.inflict(state(tmp_path / name), kind, file, Random(3)) for name in ("one", "other")]
    assert done[0].file == done[1].file != ""
    assert done[0].offset == done[1].offset


def test_rows_are_those_of_the_snapshot_moved_on_by_the_journal(root: Path) -> None:
    copies.recover(root)
    rows = copies.rows_of(root)
    assert rows["tasks", "a"]["description"] == "twice"
    assert "crc" not in rows["tasks", "a"]
