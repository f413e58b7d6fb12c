"""supervisor/log_file.py: rotation, modes, what is refused, and what happens when the disk fails."""

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from supervisor.log_file import LINE_BYTES_MAX, LogFile, LogRefused, Rotation, open_log, relayed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "perdure.log"


@pytest.fixture
def log(path: Path) -> Iterator[LogFile]:
    file = open_log(path, Rotation(rotate_bytes=100, rotated_kept=2))
    yield file
    file.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_directory_and_file_are_for_their_owner_only_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        open_log(path, Rotation(rotate_bytes=100, rotated_kept=2)).close()
    finally:
        os.umask(before)
    assert (mode(path.parent), mode(path)) == (0o700, 0o600)


def test_a_log_that_was_readable_for_others_is_made_private(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    open_log(path, Rotation(rotate_bytes=100, rotated_kept=2)).close()
    assert mode(path) == 0o600


def test_opening_again_appends(path: Path) -> None:
    for text in (b"one", b"two"):
        file = open_log(path, Rotation(rotate_bytes=100, rotated_kept=2))
        file.write(text)
        file.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_full_logs_move_up_and_the_oldest_leaves(log: LogFile, path: Path) -> None:
    for number in range(5):
        log.write(b"%d" % number + b"x" * 60)
    found = {entry.name: entry.read_bytes()[:1] for entry in path.parent.iterdir()}
    assert found == {"perdure.log": b"4", "perdure.log.1": b"3", "perdure.log.2": b"2"}
    assert {mode(entry) for entry in path.parent.iterdir()} == {0o600}


def test_a_rotation_that_is_changed_while_running_holds_at_once(log: LogFile, path: Path) -> None:
    for number in range(5):
        log.write(b"%d" % number + b"x" * 60)
    log.rotation = msgspec.structs.replace(log.rotation, rotated_kept=0)
    log.write(b"5" + b"x" * 60)
    assert [entry.name for entry in path.parent.iterdir()] == ["perdure.log"]


def test_files_of_others_beside_the_log_are_left_alone(log: LogFile, path: Path) -> None:
    beside = path.with_name("perdure.log.9.gz")
    beside.touch()
    for _ in range(5):
        log.write(b"x" * 60)
    assert beside.exists()


def test_a_line_too_long_is_kept_in_part_as_valid_json(path: Path) -> None:
    file = open_log(path, Rotation(rotate_bytes=10**9, rotated_kept=1))
    file.write(b"x" * (LINE_BYTES_MAX + 1))
    file.close()
    record = json.loads(path.read_bytes())
    assert record["bytes"] == LINE_BYTES_MAX + 1
    assert record["text"] == "x" * LINE_BYTES_MAX


def test_a_link_in_the_logs_place_is_refused_and_its_target_untouched(path: Path) -> None:
    target = path.parent.parent / "target"
    target.write_text("precious")
    path.parent.mkdir()
    path.symlink_to(target)
    with pytest.raises(LogRefused, match="link"):
        open_log(path, Rotation(rotate_bytes=100, rotated_kept=2))
    assert target.read_text() == "precious"


def test_a_file_with_a_second_name_is_refused_and_untouched(path: Path) -> None:
    target = path.parent.parent / "target"
    target.write_text("precious")
    target.chmod(0o644)
    path.parent.mkdir()
    path.hardlink_to(target)
    with pytest.raises(LogRefused, match="second name"):
        open_log(path, Rotation(rotate_bytes=100, rotated_kept=2))
    assert (target.read_text(), mode(target)) == ("precious", 0o644)


def test_a_link_in_the_directorys_place_is_refused(path: Path) -> None:
    elsewhere = path.parent.parent / "elsewhere"
    elsewhere.mkdir()
    path.parent.symlink_to(elsewhere)
    with pytest.raises(LogRefused):
        open_log(path, Rotation(rotate_bytes=100, rotated_kept=2))
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused(path: Path, make: Callable[[Path], None]) -> None:
    path.parent.mkdir()
    make(path)
    with pytest.raises(LogRefused):
        open_log(path, Rotation(rotate_bytes=100, rotated_kept=2))


def test_lines_from_many_threads_stay_whole(path: Path) -> None:
    file = open_log(path, Rotation(rotate_bytes=5_000, rotated_kept=1000))

    def write(mark: bytes) -> None:
        for _ in range(200):
            file.write(mark * 80)

    threads = [threading.Thread(target=write, args=(mark,)) for mark in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    file.close()
    written = [line for entry in path.parent.iterdir() for line in entry.read_bytes().split(b"\n")[:-1]]
    assert sorted(written) == sorted(mark * 80 for mark in (b"a", b"b", b"c", b"d") for _ in range(200))


def test_a_line_that_the_disk_refuses_is_counted_and_told_when_it_takes_lines_again(path: Path) -> None:
    file = open_log(path, Rotation(rotate_bytes=10**9, rotated_kept=1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
    try:
        for _ in range(3):
            file.write(b"x" * 39)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert file.lines_lost == 2
    file.write(b"after")
    file.close()
    assert path.read_bytes().split(b"\n")[-3:] == [
        b'{"level":"warning","event":"log lines lost","lines":2}',
        b"after",
        b"",
    ]


def test_writing_to_a_closed_log_harms_nobody(log: LogFile, path: Path) -> None:
    log.close()
    log.write(b"late")
    log.close()
    assert log.lines_lost == 1
    assert path.read_bytes() == b""


def test_the_log_is_not_inherited_by_a_child(log: LogFile, path: Path) -> None:
    program = (
        "import os, sys\n"
        "for descriptor in range(256):\n"
        "    try: found = os.fstat(descriptor)\n"
        "    except OSError: continue\n"
        "    assert found.st_ino not in map(int, sys.argv[1:]), descriptor\n"
    )
    inodes = [str(entry.stat().st_ino) for entry in (path, path.parent)]
    subprocess.run([sys.executable, "-c", program, *inodes], check=True, close_fds=False, timeout=60)


def test_a_childs_structured_line_passes_as_it_is() -> None:
    assert relayed(b'{"event":"x"}', "runtime") == b'{"event":"x"}'


@pytest.mark.parametrize("line", [b"Traceback: API_KEY=sk-1", b'["list"]', b"\xff API_KEY=sk-1", b""])
def test_anything_else_a_child_says_is_wrapped_masked_and_attributed(line: bytes) -> None:
    record = json.loads(relayed(line, "runtime"))
    assert (record["logger"], record["event"], record["bytes"]) == ("runtime", "stderr", len(line))
    assert "sk-1" not in record["text"]
