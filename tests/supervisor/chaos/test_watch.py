"""supervisor/chaos/watch.py and processes.py: two writers, and processes that outlive their root, are seen."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.agents.tree_of import MARKER, place_of
from supervisor.chaos import processes
from supervisor.chaos.watch import Watch

HOLDS = "import sys; held = open(sys.argv[1], sys.argv[2]); print(flush=True); sys.stdin.read()"


@contextlib.contextmanager
def holding(path: Path, mode: str, **environment: str) -> Iterator[int]:
    """A process that has a file open; its pid."""
    argv = [sys.executable, "-c", HOLDS, str(path), mode]
    environment = {**os.environ, **environment}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate()


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    path = tmp_path / "journal" / "00000000000000000001.jsonl"
    path.touch()
    return path


def watched(segment: Path) -> Watch:
    watch = Watch(segment.parents[1], os.getpid)
    watch.look()
    return watch


def test_two_processes_that_write_the_journal_are_a_violation(segment: Path) -> None:
    with holding(segment, "a") as one, holding(segment, "a") as other:
        (finding,) = watched(segment).findings
        assert str(one) in finding
        assert str(other) in finding


def test_one_that_writes_and_one_that_reads_are_none(segment: Path) -> None:
    with holding(segment, "a") as one, holding(segment, "r") as other:
        watch = watched(segment)
        assert watch.writes(one)
        assert not watch.writes(other)
        assert watch.findings == []


def test_a_process_that_outlives_its_root_is_found_by_its_marker(tmp_path: Path) -> None:
    marker = {MARKER: f"{place_of(tmp_path)}:run"}
    with holding(tmp_path / "any", "w", **marker) as left:
        assert [process.pid for process in processes.agents_of(tmp_path)] == [left]
        assert processes.left_behind(tmp_path, [os.getpid()], within_s=0) == [left, os.getpid()]
        assert processes.host_of(tmp_path) is None
    assert processes.left_behind(tmp_path, []) == []


def test_who_is_frozen_stands_still_until_the_block_ends(tmp_path: Path) -> None:
    with holding(tmp_path / "any", "w") as pid:
        with processes.frozen(pid):
            assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T"
