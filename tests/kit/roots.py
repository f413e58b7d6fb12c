"""Real roots in processes of their own, for tests: start one, talk to it, wait for it, and see that it is gone."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from supervisor.root.lock import LockInfo, read_lock

CHECKOUT = Path(__file__).parent.parent.parent
DRIVER = Path(__file__).with_name("root_driver.py")

WITHIN_S = 60.0
"""A fail-safe: everything here takes milliseconds on an idle machine, and the machine is not idle."""

QUICK = {"supervisor.heartbeat_s": 0.1, "supervisor.hung_after_s": 30.0}
"""Beats often; a loaded machine is not taken for a hung runtime."""


class RunningRoot:
    """A root's process. Its standard error goes to a file, so that nothing it prints can block it."""

    def __init__(self, state_path: Path, process: "subprocess.Popen[bytes]", ready_fd: int, errors: Path) -> None:
        self.state_path = state_path
        self.process = process
        self._ready_fd = ready_fd
        self._errors = errors

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def errors(self) -> str:
        """What it printed on standard error."""
        return self._errors.read_text()

    def log(self) -> list[dict[str, Any]]:
        """The lines of its log file."""
        return [json.loads(line) for line in (self.state_path / "logs" / "perdure.log").read_text().splitlines()]

    def wait_ready(self) -> dict[str, Any]:
        """Wait for the line of --ready-fd; fails when the root ends without one."""
        line = _read_to_end(self._ready_fd)
        assert line, f"ended before it was ready: {self.wait()}: {self.errors}"
        ready: dict[str, Any] = json.loads(line)
        return ready

    def wait(self) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(WITHIN_S)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self) -> int:
        """SIGTERM, then the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def connect(self) -> "Connection":
        """A connection to its socket, wherever that is."""
        pointer = self.state_path / "perdure.sock.path"
        path = pointer.read_text().strip() if pointer.exists() else str(self.state_path / "perdure.sock")
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(WITHIN_S)
        client.connect(path)
        return Connection(client)

    def ask(self, method: str, **params: Any) -> Any:
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.ask(method, **params)

    def lock(self) -> LockInfo:
        return read_lock(self.state_path)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children()


class Connection:
    """A blocking client, JSON lines."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._lines = client.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._lines.close()
        self._client.close()

    def send(self, method: str, **params: Any) -> None:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self._client.sendall(json.dumps(request).encode() + b"\n")

    def receive(self) -> Any:
        """The next reply's result; None when the other end closed."""
        line = self._lines.readline()
        return json.loads(line)["result"] if line else None

    def ask(self, method: str, **params: Any) -> Any:
        self.send(method, **params)
        return self.receive()


@contextlib.contextmanager
def running_root(
    state_path: Path,
    settings: Mapping[str, Any] | None = None,
    *,
    fake: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    before_exec: Callable[[], object] | None = None,
    **options: Any,
) -> Iterator[RunningRoot]:
    """Start a root; kill what is left of it at the end, and see that its runtimes are gone with it."""
    reader, writer = os.pipe()
    errors = state_path.parent / f"errors-{reader}-{time.monotonic_ns()}.txt"
    given = {"state_path": str(state_path), "settings": {**QUICK, **(settings or {})}, "ready_fd": writer, **options}
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT), "FAKE_RUNTIME": json.dumps(fake or {}), **(environment or {})}
    with errors.open("wb") as errors_file:
        process = subprocess.Popen(
            [sys.executable, str(DRIVER), json.dumps(given)],
            env=env,
            pass_fds=(writer, *pass_fds),
            stdin=stdin,
            stdout=stdout,
            stderr=errors_file,
            preexec_fn=before_exec,  # noqa: PLW1509  the tests that use it have no other thread
        )
    os.close(writer)
    root = RunningRoot(state_path, process, reader, errors)
    try:
        yield root
    finally:
        os.close(reader)
        _end(process)


def eventually(happened: Callable[[], Any], what: str) -> Any:
    """Wait for what gives no event: a file's content, another process's child; the first true value."""
    deadline_s = time.monotonic() + WITHIN_S
    while not (value := happened()):
        assert time.monotonic() < deadline_s, f"did not happen within {WITHIN_S:g} s: {what}"
        time.sleep(0.01)
    return value


def wait_gone(pid: int, within_s: float = WITHIN_S) -> bool:
    """Wait until a process that is no child of ours is dead."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], within_s)[0])
    finally:
        os.close(descriptor)


def _read_to_end(descriptor: int) -> bytes:
    data = b""
    deadline_s = time.monotonic() + WITHIN_S
    while select.select([descriptor], [], [], max(0.0, deadline_s - time.monotonic()))[0]:
        chunk = os.read(descriptor, 4096)
        if not chunk:
            return data
        data += chunk
    raise AssertionError(f"no end of file within {WITHIN_S:g} s after {data!r}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    runtimes: list[psutil.Process] = []
    if process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            runtimes = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait(WITHIN_S)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    left = [runtime for runtime in runtimes if not wait_gone(runtime.pid)]
    for runtime in left:
        runtime.kill()
    assert not left, f"outlived their root: {left}"
