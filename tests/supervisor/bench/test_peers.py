"""supervisor/bench/peers.py, peers_servers.py: the peers are real ones, and leave nothing behind."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from supervisor.bench import peers
from supervisor.bench.generator import Shape
from supervisor.bench.peers_servers import Absent, Postgres, Redis, postgres, redis


def test_raw_appends_a_line_each_time(tmp_path: Path) -> None:
    with peers.raw(tmp_path) as append:
        append()
        append()
    assert (tmp_path / "raw").read_bytes() == peers.LINE * 2


def test_sqlite_commits_each_row_as_durably_as_it_can(tmp_path: Path) -> None:
    with peers.sqlite(tmp_path) as insert:
        assert peers.rate_of(insert, 0.0) > 0
        with contextlib.closing(sqlite3.connect(tmp_path / "peer.sqlite")) as other:
            assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert other.execute("SELECT count(*), length(body) FROM task").fetchone() == (1, 300)


def test_a_server_that_is_not_installed_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("supervisor.bench.peers_servers.DISTRIBUTIONS", str(tmp_path / "*"))
    with pytest.raises(Absent, match="PostgreSQL is not installed"), postgres(tmp_path):
        pass
    with pytest.raises(Absent, match=r"Redis is not installed \(redis-server missing\)"), redis(tmp_path):
        pass


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other accounts reach, which tmp_path is not: PostgreSQL refuses to run as root."""
    with tempfile.TemporaryDirectory(prefix="perdure-test-") as folder:
        yield Path(folder)


@pytest.mark.parametrize("server", [postgres, redis])
def test_a_server_runs_only_while_it_is_measured(
    server: Callable[[Path], contextlib.AbstractContextManager[Postgres | Redis]], open_folder: Path
) -> None:
    with contextlib.ExitStack() as stack:
        try:
            peer = stack.enter_context(server(open_folder))
        except Absent as why:
            pytest.skip(str(why))
        assert peer.rate(Shape(2, 1), 0.2) > 0
        assert _working_in(open_folder)
    assert not _working_in(open_folder)


def _working_in(folder: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd().startswith(str(folder)):
                found.append(process.pid)
    return found
