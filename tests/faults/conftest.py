"""What the interposer's tests share: the library, built once, and the process from which runtimes are forked."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.interposer import Action, Call, Fault, Seen, forget_library, library
from tests.kit.interposer_forks import Keeper
from tests.kit.interposer_order import is_segment


@pytest.fixture(scope="session")
def interposed() -> Iterator[None]:
    """Build the interposer; without a compiler these tests are skipped, and say so."""
    built = library()
    if not isinstance(built, Path):
        pytest.skip(built)
    yield
    forget_library()


@pytest.fixture(scope="session")
def keeper(interposed: None) -> Iterator[Keeper]:
    """Give the process from which this worker's runtimes are forked."""
    with Keeper() as keeper:
        yield keeper


@pytest.fixture(scope="session")
def counted(keeper: Keeper) -> list[Seen]:
    """Run the workload without a fault, check it, and return every call that it made."""
    with keeper.trial() as trial:
        trial.run()
        trial.check()
        return trial.interposer.log()


@pytest.fixture(scope="session")
def torn(keeper: Keeper, counted: list[Seen], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose runtime was killed within a write of the journal, after a snapshot."""
    writes = [seen for seen in counted if seen.call is Call.PWRITE and "/journal/" in seen.path]
    within = max(number for number, seen in enumerate(writes[:-2], 1) if is_segment(seen.path))
    calls = frozenset({Call.PWRITE})
    fault = Fault(Action.HALF_THEN_KILL, within, taken_bytes=150, calls=calls, where="/journal/")
    with keeper.trial(fault) as trial:
        trial.run()
        left = trial.deaths[-2].copy
        assert left is not None
        kept = tmp_path_factory.mktemp("torn") / "state"
        shutil.copytree(left, kept)
    return kept
