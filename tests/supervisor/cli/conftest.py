"""The command line in this process: an empty working directory, and a server that answers what a test says."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kit.fake_server import Answer, FakeServer

Serve = Callable[[Mapping[str, Answer]], FakeServer]


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("STATE_PATH", "PERDURE_CONFIG", "DEBUG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server where commands look for one: in ./coding-agent-state."""
    with ExitStack() as stack:
        yield lambda answers: stack.enter_context(FakeServer(tmp_path / "coding-agent-state", answers))
