"""FAULTS row 4 for the search cache: killed at its system calls, it loses and invents nothing, and goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from attrs import define

from tests.kit import tally
from tests.kit.interposer import Action, Fault, Interposer, Seen
from tests.kit.interposer_forks import Keeper
from tests.kit.interposer_sample import IN_PORTIONS, portion
from tests.kit.powerloss import scratch
from tests.kit.searching import cached, search_all
from tests.kit.stores import (
    OTHER_SESSION,
    SESSION,
    Driver,
    disk_store,
    session_appended,
    session_created,
    session_deleted,
    session_saved,
)

THIRD = "33333333-2222-4333-8444-555555555555"
KILLS = (Action.KILL_BEFORE, Action.HALF_THEN_KILL, Action.KILL_AFTER)


def said(name: str, number: int) -> list[object]:
    return [{"role": "user", "content": f"everywhere {name} {name}{n} " + "x" * 2000} for n in range(number)]


@pytest.fixture(scope="module")
def unread(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with sessions and without a cache."""
    root = tmp_path_factory.mktemp("unread") / "state"
    driver = Driver(disk_store(root))
    driver.commit(session_created(SESSION, said("first", 60)))
    driver.commit(session_created(OTHER_SESSION, said("second", 30)))
    driver.commit(session_created(THIRD, said("third", 10)))
    driver.stop()
    return root


@pytest.fixture(scope="module")
def changed(unread: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose sessions were appended to, saved with other messages, and deleted since the cache was closed."""
    root = tmp_path_factory.mktemp("changed") / "state"
    shutil.copytree(unread, root)
    search_all(root)
    driver = Driver(disk_store(root))
    driver.commit(session_appended(2, 80, said("late", 20)))
    driver.commit(session_saved(2, said("anew", 25), OTHER_SESSION))
    driver.commit(session_deleted(2, THIRD))
    driver.stop()
    return root


FOUND = {
    "unread": {
        "everywhere": {SESSION, OTHER_SESSION, THIRD},
        "first59": {SESSION},
        "second29": {OTHER_SESSION},
        "third0": {THIRD},
    },
    "changed": {
        "everywhere": {SESSION, OTHER_SESSION},
        "first0": {SESSION},
        "late19": {SESSION},
        "anew24": {OTHER_SESSION},
        "second": set(),
        "third": set(),
    },
}
"""Directory → text → the sessions that say it."""


@define
class Bench:
    """A copy of a directory, made anew for each try."""

    keeper: Keeper
    folder: Path
    original: Path
    tries: int = 0

    @property
    def path(self) -> Path:
        return self.folder / "state"

    def searched(self, *faults: Fault) -> tuple[int, list[Seen]]:
        """Search a fresh copy under these faults; return the exit code and the calls on the sessions' files."""
        self.tries += 1
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(self.original, self.path)
        interposer = Interposer(self.folder / f"interposer-{self.tries}", self.path / "sessions")
        try:
            interposer.spoil(*faults)
            return self.keeper.carry_out("search", self.path, interposer), interposer.log()
        finally:
            interposer.close()

    def cached(self) -> int:
        """How many messages whoever comes next finds in the cache."""
        copy = self.folder / "looked-at"
        shutil.copytree(self.path, copy)
        try:
            return cached(copy)
        finally:
            shutil.rmtree(copy)


@pytest.mark.parametrize("share", IN_PORTIONS)
@pytest.mark.parametrize("name", FOUND)
def test_a_search_cache_whose_making_or_mending_is_killed_is_gone_on_with(
    keeper: Keeper, name: str, share: int | None, request: pytest.FixtureRequest
) -> None:
    with scratch() as folder:
        bench = Bench(keeper, folder, request.getfixturevalue(name))
        code, log = bench.searched()
        assert code == 0
        whole = bench.cached()
        left: dict[int, int] = {}
        for fault in portion([Fault(kill, seen.number) for seen in log for kill in KILLS], share, number=16):
            where = f"{fault}: {log[fault.at - 1]}"
            assert bench.searched(fault)[0] == -9
            tally.count("kill points")
            left[fault.at] = bench.cached()
            for text, sessions in FOUND[name].items():
                found = search_all(bench.path, text)
                assert found.searched.problem is None, where
                assert set(found.searched.session_ids) == sessions, f"{text}, {where}"
                # As soon as one page is in it, what is there is gone on with.
                assert not left[fault.at] or not found.told, f"{found.told}, {where}"
        if name == "unread":
            assert [left[at] for at in sorted(left)] == sorted(left.values()), "what was done is not there"
            assert share is None or 0 < max(left.values()) == whole
