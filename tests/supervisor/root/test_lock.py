"""The lock file: one holder, no stale lock, always readable, and never fooled by what was planted in its place."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from supervisor.root.errors import AlreadyRunning, NotAStateDirectory
from supervisor.root.lock import LOCK_NAME, RECORD_BYTES, LockRecord, StateLock, read_lock
from tests.kit.roots import eventually


def test_a_directory_without_a_lock_file_is_not_held(tmp_path: Path) -> None:
    assert read_lock(tmp_path).held is False
    assert read_lock(tmp_path / "missing").held is False


def test_who_holds_the_lock_can_be_read_while_it_is_held(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path, "doctor")
    info = read_lock(tmp_path)
    assert (info.held, info.pid, info.phase) == (True, os.getpid(), "doctor")
    lock.release()
    assert read_lock(tmp_path)[:3] == (False, os.getpid(), "doctor")


def test_a_second_holder_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path, "running")
    with pytest.raises(AlreadyRunning) as refused:
        StateLock.acquire(tmp_path, "running")
    assert refused.value.details["pid"] == os.getpid()
    lock.release()
    StateLock.acquire(tmp_path, "running").release()


def test_readers_never_keep_anybody_from_the_lock(tmp_path: Path) -> None:
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            read_lock(tmp_path)

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(100):
            StateLock.acquire(tmp_path, "running").release()
    finally:
        over.set()
        for reader in readers:
            reader.join()


def test_a_reader_never_meets_half_a_record(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path, "starting")
    over = threading.Event()

    def change() -> None:
        number = 0
        while not over.is_set():
            number += 1
            lock.publish(LockRecord(os.getpid(), "running", "now", restarts=number, last_error="e" * (number % 500)))

    writer = threading.Thread(target=change)
    writer.start()
    try:
        for _ in range(2000):
            info = read_lock(tmp_path)
            assert info.pid == os.getpid()
            assert info.restarts is not None
    finally:
        over.set()
        writer.join()
        lock.release()


def test_an_error_of_any_length_leaves_one_line_of_json(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path, "starting")
    lock.publish(LockRecord(os.getpid(), "running", "now", last_error="\0é" * 100_000))
    text = (tmp_path / LOCK_NAME).read_bytes()
    assert len(text) == RECORD_BYTES
    assert text.count(b"\n") == 1
    assert json.loads(text)["last_error"].startswith("\0é")
    lock.release()


def test_a_child_does_not_inherit_the_lock(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path, "running")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        lock.release()
        # The kernel drops what exec closes a moment after exec is over.
        eventually(lambda: not read_lock(tmp_path).held, "the lock is free while the child lives")
        assert child.poll() is None
    finally:
        child.communicate(b"\n")


def test_a_lock_file_that_was_removed_meanwhile_is_not_believed(tmp_path: Path) -> None:
    first = StateLock.acquire(tmp_path, "running")
    (tmp_path / LOCK_NAME).unlink()
    second = StateLock.acquire(tmp_path, "running")
    assert read_lock(tmp_path).held
    first.release()
    second.release()


@pytest.mark.parametrize("kind", ["symlink", "hard link", "directory", "pipe"])
def test_what_was_planted_in_the_locks_place_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    planted = tmp_path / LOCK_NAME
    match kind:
        case "symlink":
            planted.symlink_to(victim)
        case "hard link":
            planted.hardlink_to(victim)
        case "directory":
            planted.mkdir()
        case _:
            os.mkfifo(planted)
    with pytest.raises(NotAStateDirectory, match="left untouched"):
        StateLock.acquire(tmp_path, "running")
    assert victim.read_text() == "precious"
    assert planted.exists()


def test_a_lock_file_of_nonsense_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_bytes(b'{"pid": "me"}' + b"x" * 10_000)
    assert read_lock(tmp_path) == (False, *[None] * 7)
    lock = StateLock.acquire(tmp_path, "running")
    assert read_lock(tmp_path).pid == os.getpid()
    lock.release()


def test_reading_the_lock_imports_nothing_heavy() -> None:
    program = "import sys; import supervisor.root.lock; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"trio", "structlog", "attr", "attrs", "msgspec", "subprocess"} & set(loaded)
