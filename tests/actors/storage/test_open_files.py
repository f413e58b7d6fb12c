"""Growing files: bounded descriptors and memory, and no byte called durable that a failed disk may have lost."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from actors.storage.files import LinkRefused
from actors.storage.open_files import OpenFiles
from tests.kit.behind import names
from tests.kit.disks import Effect, Fault, FaultyDisk, FaultyRecordingDisk
from tests.kit.powerloss import judge


def test_a_file_is_made_at_the_first_write_and_durable_after_one_sync_of_it_and_its_directory(tmp_path: Path) -> None:
    disk = FaultyDisk()
    files = OpenFiles(disk)
    path = tmp_path / "a"
    assert files.status(path) is None
    assert files.write(path, 0, b"one").size_bytes == 3
    assert files.write(path, 3, b"two").size_bytes == 6
    files.sync()
    files.sync()
    assert (disk.calls["fdatasync"], disk.calls["sync_dir"], disk.calls["open"]) == (1, 1, 2)
    assert files.read(path, 2, 100) == b"etwo"
    files.close()
    assert path.read_bytes() == b"onetwo"


def test_a_failed_sync_is_not_tried_again_the_bytes_are_written_anew_on_a_new_descriptor(tmp_path: Path) -> None:
    disk = FaultyRecordingDisk(tmp_path, [Fault("fdatasync")])
    files = OpenFiles(disk)
    path = tmp_path / "a"
    files.write(path, 0, b"one")
    with pytest.raises(OSError, match=r"/a'$") as failure:
        files.sync([path])
    assert failure.value.errno == errno.EIO
    files.sync([path])
    disk.mark(synced=1)
    assert (disk.calls["pwrite"], disk.calls["open"]) == (2, 3)
    files.close()

    def check(root: Path, marks: Mapping[str, int]) -> None:
        assert "synced" not in marks or (root / "a").read_bytes() == b"one"

    assert judge(disk.trace, check).violation is None


def test_the_model_finds_it_when_only_the_sync_is_tried_again(tmp_path: Path) -> None:
    """The control of the test above: what it would say of a disk layer that retries."""
    disk = FaultyRecordingDisk(tmp_path, [Fault("fdatasync")])
    descriptor = disk.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT)
    disk.sync_dir(tmp_path)
    disk.pwrite_all(descriptor, b"one", 0)
    with pytest.raises(OSError, match="Input/output error"):
        disk.fdatasync(descriptor)
    disk.fdatasync(descriptor)
    disk.close(descriptor)
    disk.mark(synced=1)

    def check(root: Path, marks: Mapping[str, int]) -> None:
        assert "synced" not in marks or (root / "a").read_bytes() == b"one"

    assert judge(disk.trace, check).violation is not None


def test_what_a_failed_write_left_is_cut_off_before_the_next_one(tmp_path: Path) -> None:
    disk = FaultyDisk()
    files = OpenFiles(disk)
    path = tmp_path / "a"
    files.write(path, 0, b"one")
    disk.faults = [Fault("pwrite", 2, Effect.HALF_THEN_FAIL, errno.ENOSPC)]
    with pytest.raises(OSError, match="No space left"):
        files.write(path, 3, b"a long text")
    status = files.status(path)
    assert status is not None
    assert status.size_bytes == 3
    assert files.read(path, 0, 100) == b"one"
    files.write(path, 3, b"2")
    files.close()
    assert path.read_bytes() == b"one2"


def test_one_files_failure_does_not_keep_the_others_from_being_synced(tmp_path: Path) -> None:
    disk = FaultyDisk([Fault("fdatasync", 2)])
    files = OpenFiles(disk)
    for name in "abc":
        files.write(tmp_path / name, 0, b"x")
    with pytest.raises(OSError, match=r"/b'$"):
        files.sync()
    assert disk.calls["fdatasync"] == 3
    files.sync()
    assert disk.calls["fdatasync"] == 4
    files.close()


def test_a_directory_that_could_not_be_synced_is_synced_next_time(tmp_path: Path) -> None:
    disk = FaultyDisk([Fault("sync_dir")])
    files = OpenFiles(disk)
    files.write(tmp_path / "a", 0, b"x")
    with pytest.raises(OSError, match="Input/output error"):
        files.sync([tmp_path / "a"])
    files.sync([tmp_path / "a"])
    assert disk.calls["sync_dir"] == 2
    files.close()


def test_a_file_whose_sync_fails_when_it_is_closed_for_another_is_written_again_by_its_own_sync(tmp_path: Path) -> None:
    disk = FaultyDisk([Fault("fdatasync")])
    files = OpenFiles(disk, open_max=1)
    files.write(tmp_path / "a", 0, b"first")
    files.write(tmp_path / "b", 0, b"second")
    assert disk.calls["pwrite"] == 2
    files.sync([tmp_path / "a"])
    assert disk.calls["pwrite"] == 3
    files.close()
    assert (tmp_path / "a").read_bytes() == b"first"


def test_when_the_window_is_full_everything_is_synced_before_more_is_written(tmp_path: Path) -> None:
    disk = FaultyDisk()
    files = OpenFiles(disk, window_bytes_max=100)
    for number in range(20):
        files.write(tmp_path / "a", number * 30, b"x" * 30)
        assert files._window_bytes <= 100
    assert disk.calls["fdatasync"] == 6
    files.close()


def test_reading_needs_no_right_to_write(tmp_path: Path) -> None:
    class ReadOnly(FaultyDisk):
        def open(self, path: Path, flags: int, *, links_max: int = 1) -> int:
            if flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return super().open(path, flags, links_max=links_max)

    (tmp_path / "a").write_bytes(b"text")
    files = OpenFiles(ReadOnly())
    assert files.read(tmp_path / "a", 0, 10) == b"text"
    with pytest.raises(OSError, match="Read-only"):
        files.write(tmp_path / "a", 4, b"x")
    assert files.read(tmp_path / "a", 1, 10) == b"ext"
    files.close()


def test_replacing_leaves_the_old_file_when_any_step_fails_and_no_temporary_name(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    for call in ("open", "write", "fsync", "rename"):
        files = OpenFiles(FaultyDisk([Fault(call)]))
        with pytest.raises(OSError, match="Input/output error"):
            files.replace(path, [b"new"])
        files.close()
        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["a"]


def test_a_file_with_another_name_is_read_but_not_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    files = OpenFiles(FaultyDisk())
    assert files.read(tmp_path / "a", 0, 10) == b"text"
    with pytest.raises(LinkRefused):
        files.write(tmp_path / "a", 0, b"x")
    files.close()


def test_what_is_closed_though_it_cannot_be_synced_says_so_and_leaves_nothing_open(tmp_path: Path) -> None:
    files = OpenFiles(FaultyDisk([Fault("fdatasync", times=10)]))
    files.write(tmp_path / "a", 0, b"x")
    with pytest.raises(OSError, match="Input/output error"):
        files.close()
    assert files._entries == {}
    assert files._window_bytes == 0
