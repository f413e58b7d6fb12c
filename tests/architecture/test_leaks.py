"""The watch that tests/conftest.py keeps over every test sees what it is there to see."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trio

from tests.kit.leaks import held_now, left_behind


def test_nothing_is_reported_when_nothing_is_left() -> None:
    before = held_now()
    assert left_behind(before) == ()


def test_an_open_socket_is_reported() -> None:
    before = held_now()
    left, right = socket.socketpair()
    with left, right:
        assert len(left_behind(before, going_s=0)) == 2


def test_a_file_open_in_the_temporary_directory_is_reported(tmp_path: Path) -> None:
    before = held_now()
    with (tmp_path / "left-open").open("w"):
        (line,) = left_behind(before, going_s=0)
    assert "left-open" in line


def test_a_running_child_is_reported_with_its_command_line() -> None:
    before = held_now()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        lines = left_behind(before, going_s=0)
    assert any(f"child process {child.pid}" in line and "input()" in line for line in lines)


def test_a_running_thread_is_reported() -> None:
    before = held_now()
    may_end = threading.Event()
    thread = threading.Thread(target=may_end.wait, name="left-running")
    thread.start()
    lines = left_behind(before, going_s=0)
    may_end.set()
    thread.join()
    assert ["left-running" in line for line in lines] == [True]


def test_a_child_that_is_about_to_end_is_waited_for() -> None:
    before = held_now()
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    waiter = threading.Thread(target=child.wait)
    waiter.start()
    assert left_behind(before, going_s=60) == ()
    waiter.join()


async def test_trio_itself_leaves_nothing_that_is_reported() -> None:
    before = held_now()
    await trio.to_thread.run_sync(os.getpid)  # noqa: TID251 - to see that its pooled thread is known
    assert not [line for line in left_behind(before, going_s=0) if "thread" in line]


def test_a_test_that_leaves_something_fails(pytester: pytest.Pytester) -> None:
    checkout = Path(__file__).parents[2]
    pytester.makeconftest((checkout / "tests/conftest.py").read_text())
    pytester.makepyfile("import socket\nkept = []\ndef test_leaves_a_socket(): kept.append(socket.socket())")
    pytester.makeini(f"[pytest]\npythonpath = {checkout}")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*left behind by this test: descriptor*socket:*"])
