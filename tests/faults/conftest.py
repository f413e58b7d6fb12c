"""What the interposer's tests share: the library, built once, and the process from which runtimes are forked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.interposer import Seen, forget_library, library
from tests.kit.interposer_trial import Keeper


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
