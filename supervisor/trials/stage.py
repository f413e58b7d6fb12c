"""The stage: a real Perdure in a temporary directory, and the tools to break it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from supervisor.client import Client
from supervisor.root.lock import read_lock

START_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 60.0
CHAOTIC: Final = {"PERDURE_CHAOS__ENABLED": "true", "PERDURE_SUPERVISOR__RESTARTS_MAX": "1000"}
"""Killing actors is allowed here, and as often as one likes."""

POLL_S: Final = 0.002
"""How often a file that only the kernel changes (a pid's end, a lock) is looked at."""


class Stage:
    """See the module's text. `environment` is what Perdure finds in its own, above this process's."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.environment = {**CHAOTIC, **(environment or {})}
        self.state_path = folder / "coding-agent-state"
        self.records = folder / "records"
        self.records.mkdir()
        self.folder = folder
        self._root: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes]] = []
        self._hired = 0

    def start(self, *options: str) -> dict[str, Any]:
        """Start Perdure and wait until it serves; return what it says when ready. `options` go to `perdure up`."""
        read_end, write_end = os.pipe()
        try:
            with (self.folder / "stderr.log").open("ab") as errors:
                self._root = subprocess.Popen(
                    [*self.command("up"), "--ready-fd", str(write_end), *options],
                    pass_fds=(write_end,),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    env={**os.environ, **self.environment},
                    cwd=self.folder,
                )
        finally:
            os.close(write_end)
        with os.fdopen(read_end, encoding="utf-8") as ready:
            line = ready.readline()
        if not line:
            tail = (self.folder / "stderr.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"Perdure did not start:\n{tail}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def command(self, name: str) -> list[str]:
        """Return the command line of `perdure NAME` on this state directory; options follow."""
        return [sys.executable, "-m", "supervisor", name, "--state-path", str(self.state_path)]

    @property
    def root_pid(self) -> int:
        """The pid of the root process."""
        if self._root is None:
            raise RuntimeError("nothing runs")
        return self._root.pid

    @property
    def is_up(self) -> bool:
        """Whether a root was started and not ended since."""
        return self._root is not None

    def stop(self) -> int:
        """Stop Perdure in order; return its exit code."""
        return self._end(signal.SIGTERM)

    def kill_root(self) -> None:
        """Kill the root with -9, and wait until its runtime is gone too."""
        runtime = self.runtime_pid()
        self._end(signal.SIGKILL)
        deadline_s = time.monotonic() + STOP_WITHIN_S
        while is_alive(runtime) and time.monotonic() < deadline_s:
            time.sleep(POLL_S)

    def kill_runtime(self) -> None:
        """Kill the runtime with -9."""
        os.kill(self.runtime_pid(), signal.SIGKILL)

    def runtime_pid(self) -> int:
        """Return the pid of the runtime process."""
        deadline_s = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline_s:
            pid = read_lock(self.state_path).runtime_pid
            if pid is not None and is_alive(pid):
                return pid
            time.sleep(POLL_S)
        raise RuntimeError("there is no runtime")

    def client(self) -> Client:
        """Return a new client."""
        return Client(str(self.state_path), timeout_s=START_WITHIN_S)

    def back_after_s(self, name: str) -> float:
        """Return how long it takes from now until a new command is acknowledged."""
        begun_s = time.monotonic()
        with self.client() as client:
            client.call("task.create", id=f"probe-{name}", description="is anybody there?", tool="PROBE")
        return time.monotonic() - begun_s

    def hire(self, module: str, number: int, *arguments: str) -> None:
        """Start worker processes: `python -m MODULE STATE_PATH RECORD_FILE NAME ARGUMENTS…` each."""
        for _ in range(number):
            name = f"w{self._hired}"
            self._hired += 1
            argv = [sys.executable, "-m", module, str(self.state_path)]
            with (self.folder / f"{name}.log").open("ab") as errors:
                self._workers.append(
                    subprocess.Popen(
                        [*argv, str(self.records / f"{name}.jsonl"), name, *arguments],
                        stdin=subprocess.PIPE,
                        stderr=errors,
                        cwd=self.folder,
                    )
                )

    def dismiss(self) -> None:
        """Let the workers finish what they are at; raises RuntimeError when one of them failed."""
        for worker in self._workers:
            if worker.stdin is not None:
                worker.stdin.close()
        failed = [worker.pid for worker in self._workers if worker.wait(STOP_WITHIN_S) != 0]
        self._workers.clear()
        if failed:
            logs = "\n".join(log.read_text(errors="replace")[-1000:] for log in self.folder.glob("w*.log"))
            raise RuntimeError(f"{len(failed)} workers failed:\n{logs}")

    def kill_worker(self, place: int) -> None:
        """Kill one of the workers with -9, counted round; what it has not written down was not acknowledged."""
        worker = self._workers.pop(place % len(self._workers))
        worker.kill()
        worker.wait()
        if worker.stdin is not None:
            worker.stdin.close()

    def wait_for_records(self, number: int) -> None:
        """Wait until the workers have had so many more acknowledgements."""
        goal = self.acknowledged() + number
        deadline_s = time.monotonic() + START_WITHIN_S
        while self.acknowledged() < goal:
            if time.monotonic() > deadline_s:
                raise RuntimeError("the workers make no progress")
            time.sleep(POLL_S * 10)

    def acknowledged(self) -> int:
        """Return how many commands were acknowledged to the workers up to now."""
        return sum(record.read_bytes().count(b"\n") for record in self.records.glob("*.jsonl"))

    def segments(self) -> list[Path]:
        """Return the journal's segments, oldest first."""
        return sorted((self.state_path / "journal").glob("*.jsonl"))

    def close(self) -> None:
        """Leave nothing behind."""
        for worker in self._workers:
            worker.kill()
            worker.wait()
            if worker.stdin is not None:
                worker.stdin.close()
        self._workers.clear()
        if self._root is not None and self._root.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._root.terminate()
                self._root.wait(STOP_WITHIN_S)
            self._root.kill()
            self._root.wait()

    def wait(self) -> int:
        """Wait until the root has ended, by whatever; return its exit code."""
        if self._root is None:
            raise RuntimeError("nothing runs")
        code = self._root.wait(STOP_WITHIN_S)
        self._root = None
        return code

    def _end(self, how: signal.Signals) -> int:
        os.kill(self.root_pid, how)
        return self.wait()


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Give a stage, and clear it away whatever happens."""
    stage = Stage(folder)
    try:
        yield stage
    finally:
        stage.close()


def is_alive(pid: int) -> bool:
    """Tell whether anything of a process still works: a killed one is a zombie while its other threads end a write."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.NoSuchProcess:
        return False
