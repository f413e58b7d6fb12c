"""FAULTS row 4 for the offline commands: each killed at its system calls, then the directory used, then done again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from attrs import define

from actors.model.errors import IncompatibleVersion
from tests.kit import tally
from tests.kit.interposer import Action, Fault, Interposer, Seen
from tests.kit.interposer_forks import Keeper
from tests.kit.interposer_sample import IN_PORTIONS, portion
from tests.kit.interposer_workload import SAMPLE_V1, migrated
from tests.kit.oracle import Visible
from tests.kit.oracle_disk import recover
from tests.kit.powerloss import scratch
from tests.kit.tally import SEED

KILLS = (Action.KILL_BEFORE, Action.KILL_AFTER, Action.HALF_THEN_KILL)


@define
class Bench:
    """A directory to work on, made anew as often as one likes."""

    keeper: Keeper
    folder: Path
    original: Path
    command: str
    tries: int = 0

    @property
    def path(self) -> Path:
        return self.folder / "state"

    def carry_out(self, *faults: Fault) -> tuple[int, list[Seen]]:
        """Carry the command out under these faults; return its exit code and its calls."""
        self.tries += 1
        interposer = Interposer(self.folder / f"interposer-{self.tries}", self.path)
        try:
            interposer.spoil(*faults)
            return self.keeper.carry_out(self.command, self.path, interposer), interposer.log()
        finally:
            interposer.close()

    def make_anew(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(self.original, self.path)

    def shown(self, path: Path) -> Visible | None:
        """Return what a start on a copy of the directory would show; None when it refuses."""
        shutil.rmtree(self.folder / "copy", ignore_errors=True)
        shutil.copytree(path, self.folder / "copy")
        try:
            return recover(self.folder / "copy")[0]
        except IncompatibleVersion:
            return None

    def is_version_1_again(self) -> bool:
        """Whether every file of before the migration is there, byte for byte, and no other."""
        ours = ("archive", "perdure.lock", "writer.lock")
        return files_of(SAMPLE_V1) == {
            name: content for name, content in files_of(self.path).items() if not name.startswith(ours)
        }


def files_of(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def without_revs(shown: Visible | None) -> Visible:
    """A restore that is done again may count up once more."""
    assert shown is not None
    return {
        noun: {row: {name: value for name, value in seen.items() if name != "rev"} for row, seen in rows.items()}
        for noun, rows in shown.items()
    }


@contextmanager
def bench(keeper: Keeper, original: Path, command: str) -> Iterator[Bench]:
    with scratch() as folder:
        yield Bench(keeper, folder, original, command)


def some_of(log: list[Seen], share: int | None, command: str) -> list[Fault]:
    random = Random(f"{SEED}/{command}")
    numbers = portion(range(1, len(log) + 1), share, number=14)
    return [Fault(random.choice(KILLS), at, taken_bytes=random.choice([0, 10])) for at in numbers]


@pytest.mark.parametrize("share", IN_PORTIONS)
@pytest.mark.parametrize("command", ["doctor --repair", "rebuild", "clean"])
def test_an_offline_command_that_is_killed_loses_nothing_and_can_be_done_again(
    keeper: Keeper, torn: Path, command: str, share: int | None
) -> None:
    with bench(keeper, torn, command) as one:
        before = one.shown(torn)
        one.make_anew()
        code, log = one.carry_out()
        assert code == 0
        for fault in some_of(log, share, command):
            one.make_anew()
            assert one.carry_out(fault)[0] == -9
            tally.count("kill points")
            assert one.shown(one.path) == before, f"{command}, {fault}: {log[fault.at - 1]}"
            assert one.carry_out()[0] == 0
            assert one.shown(one.path) == before, f"{command} done again after {fault}: {log[fault.at - 1]}"


@pytest.mark.parametrize("share", IN_PORTIONS)
def test_a_restore_that_is_killed_leaves_what_was_or_what_was_asked_for_and_can_be_done_again(
    keeper: Keeper, torn: Path, share: int | None
) -> None:
    with bench(keeper, torn, "restore") as one:
        before = one.shown(torn)
        one.make_anew()
        code, log = one.carry_out()
        assert code == 0
        after = one.shown(one.path)
        assert after != before
        for fault in some_of(log, share, "restore"):
            one.make_anew()
            assert one.carry_out(fault)[0] == -9
            tally.count("kill points")
            assert one.shown(one.path) in (before, after), f"{fault}: {log[fault.at - 1]}: half of it was done"
            assert one.carry_out()[0] == 0
            assert without_revs(one.shown(one.path)) == without_revs(after), f"done again after {fault}"


@pytest.mark.parametrize("share", IN_PORTIONS)
def test_a_rollback_that_is_killed_leaves_all_of_one_version_or_refuses_until_it_is_finished(
    keeper: Keeper, torn: Path, share: int | None
) -> None:
    with bench(keeper, torn, "rollback") as one:
        either = (one.shown(torn), migrated(), None)
        one.make_anew()
        code, log = one.carry_out()
        assert code == 0
        assert one.is_version_1_again()
        shown = set()
        for fault in some_of(log, share, "rollback"):
            one.make_anew()
            assert one.carry_out(fault)[0] == -9
            tally.count("kill points")
            found = one.shown(one.path)
            assert found in either, f"{fault}: {log[fault.at - 1]}: a start shows half of each version"
            shown.add(either.index(found))
            if not one.is_version_1_again() or found is None:
                assert one.carry_out()[0] == 0
            assert one.is_version_1_again(), f"done again after {fault}: {log[fault.at - 1]}"
        assert share is not None or len(shown) > 1, "both versions, or a version and a refusal, were met"
