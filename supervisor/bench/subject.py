"""The Perdure under measurement: a real one in a temporary directory, reached through its socket."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil

from supervisor.bench.generator import Shape, load, order_of
from supervisor.bench.load import Order, Outcome
from supervisor.client.address import socket_path
from supervisor.trials.stage import Stage

FILLING: Final = Shape(16, 32)
PAGE_ROWS: Final = 1000
ONE_BY_ONE_MAX: Final = 20_000
"""More tasks than that are found sooner by listing all there are."""

STANDBY: Final = {"PERDURE_SUPERVISOR__STANDBY": "true"}
STANDBY_WITHIN_S: Final = 60.0
POLL_S: Final = 0.01
QUIET_S: Final = 0.3
"""Longer than a process that imports is ever without using time."""
SETTLED_WITHIN_S: Final = 900.0
"""Ten thousand task files take their time on a slow disk."""
SETTLE_POLL_S: Final = 0.1
DESCRIPTION: Final = "x" * 300


_NUMBERS = itertools.count(1)
"""Of the subjects: one after the other may work on the same directory, and no id is free twice."""


class HungUp(Exception):
    """The connection was lost before the reply."""


class Line:
    """A plain socket with JSON lines, one request in flight: no library between the clock and the program."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self._read = self._socket.makefile("rb")
        self._number = 0

    def send(self, method: str, **params: Any) -> None:
        """Send one request."""
        self._number += 1
        request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        self._socket.sendall(json.dumps(request).encode() + b"\n")

    def answer(self) -> Any:
        """Take one reply; raises RuntimeError when it is an error."""
        line = self._read.readline()
        if not line:
            raise HungUp("Perdure hung up")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(str(reply["error"]))
        return reply["result"]

    def call(self, method: str, **params: Any) -> Any:
        """Send one request and take its reply."""
        self.send(method, **params)
        return self.answer()

    def has_answer(self) -> bool:
        """Whether a reply waits to be taken."""
        self._socket.settimeout(0)
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        finally:
            self._socket.settimeout(None)

    def create(self, task_id: str) -> None:
        """Make one task."""
        self.call("task.create", id=task_id, description=DESCRIPTION)

    def knows(self, task_id: str) -> bool:
        """Whether there is such a task."""
        try:
            self.call("task.get", id=task_id)
        except RuntimeError:
            return False
        return True

    def close(self) -> None:
        """Hang up."""
        self._read.close()
        self._socket.close()


class Subject:
    """See the module's text. It remembers what the load generator was told, for `missing`."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.name = f"b{next(_NUMBERS)}"
        self._runs = 0
        self._told: list[tuple[str, list[int]]] = []

    @property
    def socket(self) -> str:
        """Where it listens."""
        return socket_path(self.stage.state_path)

    @contextlib.contextmanager
    def line(self) -> Iterator[Line]:
        """Give a connection."""
        line = Line(self.socket)
        try:
            yield line
        finally:
            line.close()

    def load(self, shape: Shape, seconds: float) -> Outcome:
        """Create tasks as fast as it takes them."""
        return self._loaded(order_of(self.socket, "perdure", shape, self._prefix(), seconds))

    def create(self, tasks: int) -> Outcome:
        """Create so many tasks; their files are still being written when it returns (`settle`)."""
        shape = Shape(1, min(tasks, FILLING.depth)) if tasks < FILLING.connections * FILLING.depth else FILLING
        return self._loaded(
            Order(
                socket=self.socket,
                protocol="perdure",
                connections=shape.connections,
                depth=shape.depth,
                prefix=self._prefix(),
                requests=tasks,
            )
        )

    def _prefix(self) -> str:
        self._runs += 1
        return f"{self.name}r{self._runs}"

    def _loaded(self, order: Order) -> Outcome:
        outcome = load(order)
        self._told.append((order.prefix, outcome.sent))
        return outcome

    def settle(self) -> None:
        """Wait until the files of what the load generator created last are written.

        Looked at from outside: to ask how far it is would cost the runtime processor time, which is being measured.
        """
        prefix, sent = self._told[-1]
        self.wait_for_files(*(f"{prefix}-{connection}-{count - 1}" for connection, count in enumerate(sent) if count))

    def wait_for_files(self, *task_ids: str) -> None:
        """Wait until these tasks have their files; of one connection's tasks the last is written last."""
        deadline_s = time.monotonic() + SETTLED_WITHIN_S
        for task_id in task_ids:
            while not (self.stage.state_path / "tasks" / f"{task_id}.json").exists():
                if time.monotonic() > deadline_s:
                    raise RuntimeError(f"the file of {task_id} was not written within {SETTLED_WITHIN_S:g} s")
                time.sleep(SETTLE_POLL_S)

    def acknowledged(self) -> set[str]:
        """Return the ids of the tasks whose creation was acknowledged to the load generator."""
        return {
            f"{prefix}-{connection}-{number}"
            for prefix, sent in self._told
            for connection, count in enumerate(sent)
            for number in range(count)
        }

    def missing(self) -> set[str]:
        """Kill all of it with -9, start it again, and return what was acknowledged and is not there."""
        self.stage.kill_root()
        self.stage.start()
        left = self.acknowledged()
        with self.line() as line:
            if len(left) <= ONE_BY_ONE_MAX:
                return {task_id for task_id in left if not line.knows(task_id)}
            cursor = None
            while True:
                page = line.call("task.list", limit=PAGE_ROWS, cursor=cursor)
                left.difference_update(row["id"] for row in page["tasks"])
                cursor = page["next_cursor"]
                if cursor is None:
                    return left

    def runtime_rss_bytes(self) -> int:
        """Return the runtime's resident memory."""
        return int(psutil.Process(self.stage.runtime_pid()).memory_info().rss)

    def wait_for_standby(self) -> int:
        """Wait until a standby has its imports done and only waits; return its pid. Raises RuntimeError."""
        deadline_s = time.monotonic() + STANDBY_WITHIN_S
        with self.line() as line:
            while time.monotonic() < deadline_s:
                pid: int | None = line.call("runtime.status")["pids"]["standby"]
                if pid is not None and _is_quiet(pid):
                    return pid
                time.sleep(POLL_S)
        raise RuntimeError("there is no standby")


@contextlib.contextmanager
def measured(
    folder: Path, environment: dict[str, str] | None = None, *, state_path: Path | None = None
) -> Iterator[Subject]:
    """Start a Perdure, in a new directory below `folder` or in the one given; kill it whatever happens.

    What it leaves stays where it is: removing thousands of files is work for the disk that is measured next.
    """
    environment = {**bytecode_kept(folder), **(environment or {})}
    stage = Stage(Path(tempfile.mkdtemp(prefix="subject-", dir=folder)), environment)
    stage.state_path = state_path or stage.state_path
    try:
        stage.start()
        yield Subject(stage)
        if stage.is_up:
            # Nobody wants what it still has to write, and whoever is measured next wants the disk.
            stage.kill_root()
    finally:
        stage.close()
        _clear_socket(stage.state_path)


def bytecode_kept(folder: Path) -> dict[str, str]:
    """Return what makes a subject keep its bytecode below `folder`, where this process is told to write none.

    An installed Perdure has its modules compiled. One that must compile all of them at every start takes twice as long
    to start, and would be measured with Python's compiler.
    """
    if not sys.dont_write_bytecode:
        return {}
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def _clear_socket(state_path: Path) -> None:
    """Remove the socket that lies elsewhere because its path would be too long: a killed root leaves it."""
    place = Path(socket_path(state_path))
    if place.parent != state_path:
        place.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            place.parent.rmdir()


def _is_quiet(pid: int) -> bool:
    """Whether a process uses no time for a while: nobody tells from outside that imports are done."""
    try:
        process = psutil.Process(pid)
        before = process.cpu_times()
        time.sleep(QUIET_S)
        return process.cpu_times() == before and process.status() == psutil.STATUS_SLEEPING
    except psutil.NoSuchProcess:
        return False
