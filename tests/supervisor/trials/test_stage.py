"""A stage waits for the end of what it kills, and that is the end of its last thread."""

from __future__ import annotations

import platform
import subprocess
import sys
import time

import psutil
import pytest

from supervisor.trials.stage import is_alive

WITHIN_S = 60.0

EXIT = {"x86_64": 60, "aarch64": 93}
"""The number of the system call that ends one thread, by machine."""

LEAVES_A_THREAD = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
ctypes.CDLL(None).syscall(int(sys.argv[1]), 0)
"""


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() not in EXIT, reason="needs Linux's exit of a thread")
def test_a_process_lives_until_its_last_thread_has_ended() -> None:
    argv = [sys.executable, "-c", LEAVES_A_THREAD, str(EXIT[platform.machine()])]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        deadline_s = time.monotonic() + WITHIN_S
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
        assert is_alive(process.pid)
        process.kill()
        while is_alive(process.pid) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert not is_alive(process.pid)
