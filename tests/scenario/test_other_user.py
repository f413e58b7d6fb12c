"""Somebody else on the same machine: refused at the socket, and in the log, whatever the directory's mode is."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.perdure import Perdure, eventually, frame

NOBODY: Final = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

AS_SOMEBODY_ELSE: Final = """
import os, socket, sys
client = socket.socket(socket.AF_UNIX)
uid, name = int(sys.argv[1]), sys.argv[2]
os.setgroups([]); os.setgid(uid); os.setuid(uid)
client.settimeout(60)
try:
    client.connect(name)
except OSError as error:
    print(type(error).__name__)
    sys.exit()
received = b""
try:
    client.sendall(sys.stdin.buffer.read())
except OSError:  # refused before anything was sent: what was said lies there all the same
    pass
try:
    while data := client.recv(65536):
        received += data
except ConnectionResetError:
    pass
sys.stdout.buffer.write(received)
"""
"""Connects by a name below its working directory: the directories above are closed to anybody but their owner."""


def said_to(whole: Perdure, request: bytes, uid: int = NOBODY) -> str:
    """What another user hears who sends this request."""
    argv = [sys.executable, "-c", AS_SOMEBODY_ELSE, str(uid), "perdure.sock"]
    done = subprocess.run(argv, input=request, cwd=whole.state_path, capture_output=True, check=True, timeout=60)
    return done.stdout.decode().rstrip()


def opened_up(whole: Perdure) -> None:
    """Somebody made the directory and everything in it everybody's."""
    for path in (whole.state_path, *whole.state_path.rglob("*")):
        path.chmod(0o777)


def modes_below(path: Path) -> dict[str, int]:
    return {str(one.relative_to(path)): stat.S_IMODE(one.lstat().st_mode) for one in (path, *path.rglob("*"))}


def test_another_user_does_not_come_through_a_private_directory(running: Perdure) -> None:
    assert said_to(running, frame("runtime.ping", 1)) == "PermissionError"
    assert running.call("runtime.ping")


def test_another_user_who_reaches_the_socket_is_refused_and_the_log_says_who(running: Perdure) -> None:
    opened_up(running)
    for _ in range(3):
        (line,) = said_to(running, frame("task.create", 1, id="mine", description="x")).splitlines()
        refused: dict[str, Any] = json.loads(line)["error"]
        assert refused["data"]["kind"] == "forbidden"
        assert f"user {NOBODY}" in refused["message"]
        assert refused["data"]["hint"]
    assert running.call("runtime.status")["counts"]["tasks"]["total"] == 0
    assert not [line for line in running.journal() if "mine" in json.dumps(line)]
    (told,) = eventually(
        lambda: [line for line in running.log() if "another user" in line["event"]], "the log tells of the other user"
    )
    assert (told["uid"], told["level"]) == (NOBODY, "warning")


def test_what_was_opened_up_is_private_again_after_the_next_start(running: Perdure) -> None:
    running.call("task.create", id="t", description="x")
    opened_up(running)
    running.stop()
    running.start()
    modes = modes_below(running.state_path)
    assert modes["."] == 0o700
    assert modes["perdure.sock"] == 0o600
    assert said_to(running, frame("runtime.ping", 1)) == "PermissionError"


def test_everything_is_private_whatever_the_umask(make: Any) -> None:
    whole: Perdure = make()
    umask = os.umask(0)
    try:
        whole.start()
    finally:
        os.umask(umask)
    whole.call("task.create", id="t", description="x", tool="SHELL", metadata={"argv": ["echo", "hello"]})
    whole.call("session.create", title="t", provider="p", model="m", working_directory="/")
    whole.call("run.start", task_id="t")
    eventually(lambda: whole.call("task.get", id="t")["status"] == "completed", "the run is over")
    whole.call("report.save", id="r", data={})
    whole.call("state.save")
    whole.stop()
    modes = modes_below(whole.state_path)
    assert {mode for name, mode in modes.items() if (whole.state_path / name).is_dir()} == {0o700}
    assert {name: mode for name, mode in modes.items() if not (whole.state_path / name).is_dir()} == {
        name: 0o600 for name in modes if not (whole.state_path / name).is_dir()
    }
