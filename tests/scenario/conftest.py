"""Every scenario plays on a Perdure of its own, which is gone when the scenario is over."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kit.perdure import Perdure, perdure

Make = Callable[..., Perdure]


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short one: below a folder named after the test, the socket's path would be too long for the system."""
    return tmp_path_factory.mktemp("p")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make Perdures, not started yet; settings are configuration keys (`gateway__half_frame_s="0.5"`)."""
    with ExitStack() as stack:
        made = 0

        def make_one(**settings: str) -> Perdure:
            nonlocal made
            made += 1
            return stack.enter_context(perdure(tmp_path / f"perdure-{made}", **settings))

        yield make_one


@pytest.fixture
def running(make: Make) -> Perdure:
    """A Perdure that serves, with the default configuration and chaos allowed."""
    whole = make()
    whole.start()
    return whole
