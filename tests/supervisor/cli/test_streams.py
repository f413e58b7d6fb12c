"""Standard streams that whoever started us had closed: nothing of ours gets their numbers."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.client import Client

WITHIN_S = 60.0


@pytest.mark.parametrize("closed", ["<&-", ">&- 2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_perdure_serves_whichever_of_them_are_closed(tmp_path: Path, closed: str) -> None:
    reading, writing = os.pipe()
    state_path = tmp_path / "state"
    command = [sys.executable, "-m", "supervisor", "up", "--state-path", str(state_path), "--ready-fd", str(writing)]
    root = subprocess.Popen(["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *command], pass_fds=[writing])
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as ready:
            assert select.select([ready], [], [], WITHIN_S)[0], "not ready in time"
            assert json.loads(ready.readline())["pid"] == root.pid
        with Client(state_path) as client:
            health = client.call("runtime.health")
        assert health["status"] == "ok"
        assert json.loads((state_path / "perdure.lock").read_text())["restarts"] == 0
        root.send_signal(signal.SIGTERM)
        assert root.wait(WITHIN_S) == 0
    finally:
        root.kill()
        root.wait(WITHIN_S)


def test_a_command_whose_output_is_closed_ends_as_ever() -> None:
    command = [sys.executable, "-m", "supervisor", "version"]
    done = subprocess.run(["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command], check=False, timeout=WITHIN_S)
    assert done.returncode == 0
