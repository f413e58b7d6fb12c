"""The second lock: the next writer waits for the former one, but not for ever."""

import os
import threading
from pathlib import Path

import pytest

from supervisor.root.errors import NotAStateDirectory
from supervisor.root.writer_lock import WRITER_LOCK_NAME, WriterLock, WriterStillThere
from tests.kit.small_disks import read_only, small_disk


def test_the_next_writer_waits_until_the_former_has_let_go(tmp_path: Path) -> None:
    former = WriterLock.acquire(tmp_path)
    order: list[str] = []

    def succeed() -> None:
        following = WriterLock.acquire(tmp_path)
        order.append("taken")
        following.release()

    successor = threading.Thread(target=succeed)
    successor.start()
    order.append("let go")
    former.release()
    successor.join()
    assert order == ["let go", "taken"]


def test_a_writer_that_never_lets_go_is_told_of(tmp_path: Path) -> None:
    former = WriterLock.acquire(tmp_path)
    with pytest.raises(WriterStillThere, match="for more than"):
        WriterLock.acquire(tmp_path, wait_s=0.01)
    former.release()
    former.release()


def test_the_file_is_private_and_never_a_link(tmp_path: Path) -> None:
    (tmp_path / WRITER_LOCK_NAME).symlink_to(tmp_path / "victim")
    with pytest.raises(NotAStateDirectory):
        WriterLock.acquire(tmp_path)
    assert not (tmp_path / "victim").exists()
    (tmp_path / WRITER_LOCK_NAME).unlink()
    umask = os.umask(0)
    try:
        WriterLock.acquire(tmp_path).release()
    finally:
        os.umask(umask)
    assert (tmp_path / WRITER_LOCK_NAME).stat().st_mode & 0o777 == 0o600


def test_it_is_taken_on_a_disk_that_has_become_read_only_too(tmp_path: Path) -> None:
    with small_disk(tmp_path, 1 << 20) as place:
        WriterLock.acquire(place).release()
        with read_only(place):
            former = WriterLock.acquire(place)
            with pytest.raises(WriterStillThere):
                WriterLock.acquire(place, wait_s=0.01)
            former.release()
