"""The one door to the disk: modes, links, short writes, and files that are there whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.storage.files import TEMPORARY_MARK, Disk, LinkRefused
from tests.kit.disks import Effect, Fault, FaultyDisk, RecordingDisk


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_what_is_created_is_private_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    disk = Disk()
    disk.write_new_file(tmp_path / "file", b"x")
    assert disk.ensure_dir(tmp_path / "directory")
    assert mode_of(tmp_path / "file") == 0o600
    assert mode_of(tmp_path / "directory") == 0o700


def test_a_directory_with_other_rights_is_repaired(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert not Disk().ensure_dir(tmp_path / "open")
    assert mode_of(tmp_path / "open") == 0o700


def test_a_descriptor_does_not_reach_child_processes(tmp_path: Path) -> None:
    disk = Disk()
    with disk.opened(tmp_path / "file", os.O_WRONLY | os.O_CREAT) as descriptor:
        assert fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_WRONLY | os.O_CREAT])
def test_a_planted_symbolic_link_is_refused_and_its_target_untouched(flags: int, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"not ours")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(LinkRefused) as caught:
        Disk().open(tmp_path / "link", flags)
    assert caught.value.filename == str(tmp_path / "link")
    assert (tmp_path / "target").read_bytes() == b"not ours"


def test_a_planted_hard_link_is_refused_but_not_the_name_that_a_backup_explains(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"x")
    (tmp_path / "link").hardlink_to(tmp_path / "target")
    with pytest.raises(LinkRefused, match="2 names"):
        Disk().open(tmp_path / "link", os.O_WRONLY)
    assert Disk().read_file(tmp_path / "link", links_max=2) == b"x"


def test_a_pipe_in_the_place_of_a_file_is_refused_without_waiting_for_its_other_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LinkRefused, match="not a regular file"):
        Disk().read_file(tmp_path / "pipe")


@pytest.mark.parametrize("planted", ["file", "link"])
def test_a_directory_is_not_made_where_something_else_stands(planted: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OSError, match=r"link|directory"):
        Disk().ensure_dir(tmp_path / planted)


def test_writing_goes_on_after_short_writes(tmp_path: Path) -> None:
    disk = FaultyDisk([Fault(call, 1, Effect.SHORT, times=5) for call in ("write", "pwrite")])
    data = bytes(range(256)) * 4
    with disk.opened(tmp_path / "file", os.O_WRONLY | os.O_CREAT) as descriptor:
        disk.write_all(descriptor, data)
        disk.pwrite_all(descriptor, data, 5000)
    assert disk.calls["write"] > 5
    assert (tmp_path / "file").read_bytes() == data + bytes(5000 - len(data)) + data


class TakesNothing(Disk):
    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        return 0


def test_a_disk_that_takes_nothing_and_says_nothing_is_an_error_not_a_loop(tmp_path: Path) -> None:
    disk = TakesNothing()
    with (
        disk.opened(tmp_path / "file", os.O_WRONLY | os.O_CREAT) as descriptor,
        pytest.raises(OSError, match="no bytes"),
    ):
        disk.write_all(descriptor, b"x")


def test_a_new_file_is_written_in_the_order_that_makes_it_durable(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)
    disk.write_new_file(tmp_path / "file", b"x")
    kinds = [type(operation).__name__ for operation in disk.trace.operations]
    assert kinds == ["Enter", "Write", "Sync", "Enter", "Leave", "SyncDirectory"]


@pytest.mark.parametrize("call", ["open", "write", "fsync", "rename"])
def test_a_new_file_that_fails_leaves_the_old_one_and_no_temporary(call: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(OSError, match="No space") as caught:
        FaultyDisk([Fault(call, error=errno.ENOSPC)]).write_new_file(tmp_path / "file", b"new")
    assert caught.value.filename
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


def test_a_temporary_name_that_somebody_planted_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"not ours")
    (tmp_path / f"file{TEMPORARY_MARK}{os.getpid()}-1").symlink_to(tmp_path / "outside")
    Disk().write_new_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "outside").read_bytes() == b"not ours"


def test_reading_stops_at_the_bound_that_was_given(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert Disk().read_file(tmp_path / "file", 4) == b"0123"
    assert Disk().read_file(tmp_path / "file") == b"0123456789"


def test_a_range_beyond_the_end_is_copied_as_far_as_there_is_something(tmp_path: Path) -> None:
    disk = Disk()
    (tmp_path / "file").write_bytes(b"0123456789")
    with disk.opened(tmp_path / "copy", os.O_WRONLY | os.O_CREAT) as descriptor:
        disk.copy_range(tmp_path / "file", descriptor, 6, 100)
    assert (tmp_path / "copy").read_bytes() == b"6789"


def test_names_are_listed_in_order_and_a_dangling_link_exists(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    (tmp_path / "a").symlink_to("nowhere")
    assert Disk().listdir(tmp_path) == ["a", "b"]
    assert Disk().exists(tmp_path / "a")
    assert Disk().disk_free_bytes(tmp_path) > 0


def test_a_large_directory_can_be_asked_for_some_names_or_for_any(tmp_path: Path) -> None:
    for name in ("b.json.tmp-2-1", "a.json", "a.json.tmp-1-1"):
        (tmp_path / name).touch()
    disk = Disk()
    assert disk.names_with(tmp_path, ".tmp-") == ["a.json.tmp-1-1", "b.json.tmp-2-1"]
    assert disk.has_name(tmp_path, ".json")
    assert not disk.has_name(tmp_path, ".jsonl")
