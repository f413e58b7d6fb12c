"""What agents print, on disk: at offsets, so that what comes twice is there once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.model.errors import StorageFailed
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.open_files import OpenFiles
from actors.storage.run_logs import RunLogs

TEXT = bytes(range(200))


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[RunLogs]:
    layout = Layout(tmp_path)
    layout.run_log("r", "stdout").parent.mkdir()
    files = OpenFiles(Disk())
    yield RunLogs(layout, files)
    files.close()


def test_nothing_was_printed_yet(logs: RunLogs) -> None:
    assert logs.sizes("r") == (0, 0)
    assert logs.read("r", "stdout", 0, 10) == b""
    logs.sync("r")


def test_the_streams_are_two_files_of_mode_0600_with_every_byte(logs: RunLogs, tmp_path: Path) -> None:
    logs.write("r", "stdout", 0, b"\x00\xff\n")
    logs.write("r", "stderr", 0, b"oh")
    logs.sync("r")
    assert logs.sizes("r") == (3, 2)
    path = tmp_path / "logs" / "run_r.stdout.log"
    assert path.read_bytes() == b"\x00\xff\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_reading_goes_on_where_one_left_off_and_ends_empty(logs: RunLogs) -> None:
    logs.write("r", "stdout", 0, TEXT)
    assert logs.read("r", "stdout", 10, 5) == TEXT[10:15]
    assert logs.read("r", "stdout", len(TEXT), 5) == b""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 190), st.integers(1, 60)), max_size=20), st.uuids())
def test_pieces_that_come_again_change_nothing(logs: RunLogs, again: list[tuple[int, int]], run_id: object) -> None:
    logs.write(str(run_id), "stdout", 0, TEXT)
    for offset, length in again:
        logs.write(str(run_id), "stdout", offset, TEXT[offset : offset + length])
    assert logs.read(str(run_id), "stdout", 0, 1000) == TEXT


def test_a_piece_waits_for_the_one_before_it_that_was_not_written(logs: RunLogs) -> None:
    logs.write("r", "stdout", 0, b"abc")
    with pytest.raises(StorageFailed, match="ends before byte 6"):
        logs.write("r", "stdout", 6, b"ghi", follows=True)
    logs.write("r", "stdout", 3, b"def", follows=True)
    logs.write("r", "stdout", 6, b"ghi", follows=True)
    assert logs.read("r", "stdout", 0, 100) == b"abcdefghi"


@pytest.mark.parametrize("harm", ["cut", "removed"])
def test_a_piece_does_not_wait_for_what_somebody_has_cut_away(logs: RunLogs, tmp_path: Path, harm: str) -> None:
    logs.write("r", "stdout", 0, b"abcdef")
    path = tmp_path / "logs" / "run_r.stdout.log"
    if harm == "cut":
        os.truncate(path, 1)
    else:
        path.unlink()
    logs.write("r", "stdout", 6, b"ghi", follows=True)
    logs.sync("r")
    assert path.read_bytes() == (b"a" if harm == "cut" else b"\0") + b"\0" * 5 + b"ghi"
    with pytest.raises(StorageFailed):
        logs.write("r", "stdout", 10, b"k", follows=True)
