"""A whole Perdure for tests: real processes, a real socket, real signals, real files, and plain bytes to speak to it.

`Perdure` is the trials' stage with what tests need besides: `wire()` gives a connection that knows nothing but bytes
and lines, `ended(…)` runs a command to its end, and `journal()` reads what is on the disk.
"""

import contextlib
import hashlib
import json
import os
import select
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from supervisor.client.address import socket_path
from supervisor.trials.stage import Stage

CHECKOUT = Path(__file__).parents[2]

WITHIN_S = 60.0
"""A fail-safe: everything here takes milliseconds on an idle machine, and the machine is not idle."""


class Perdure(Stage):
    """See the module's text. `settings` are configuration keys: `gateway__half_frame_s="0.5"`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir(exist_ok=True)
        given = {f"PERDURE_{name.upper()}": value for name, value in settings.items()}
        given["PYTHONPATH"] = str(CHECKOUT)
        given["XDG_CACHE_HOME"] = str(folder / "cache")
        super().__init__(folder, environment=given)
        self.folder = folder

    def wire(self) -> "Wire":
        """Return a new connection."""
        return Wire(Path(socket_path(self.state_path)))

    def call(self, method: str, /, **params: Any) -> Any:
        """One call on a client of its own; returns its result."""
        with self.client() as client:
            return client.call(method, **params)

    def ended(self, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run `perdure ARGUMENTS` on this state directory to its end; `more` goes into its environment."""
        name, *rest = arguments
        return subprocess.run(
            [*self.command(name), *rest],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            env={**os.environ, **self.environment, **more},
            cwd=self.folder,
            check=False,
        )

    def journal(self) -> list[dict[str, Any]]:
        """Every line of the journal, oldest first."""
        lines = b"".join(segment.read_bytes().rstrip(b"\0") for segment in self.segments()).split(b"\n")
        return [json.loads(line) for line in lines if line]

    def log(self) -> list[dict[str, Any]]:
        """The lines of logs/perdure.log."""
        return [json.loads(line) for line in (self.state_path / "logs" / "perdure.log").read_text().splitlines()]


@contextlib.contextmanager
def perdure(folder: Path, **settings: str) -> Iterator[Perdure]:
    """Give a Perdure that is not started yet; whatever runs of it at the end is ended."""
    whole = Perdure(folder, **settings)
    try:
        yield whole
    finally:
        whole.close()


class Wire:
    """A plain socket: bytes out, lines in. Notifications that come before a reply are kept in `notifications`."""

    def __init__(self, path: Path) -> None:
        self.notifications: deque[dict[str, Any]] = deque()
        self._received = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(WITHIN_S)
        self._number = 0
        try:
            self._socket.connect(str(path))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def send_until_full(self, request: Callable[[int], bytes]) -> tuple[int, bytes]:
        """Send request after request until nobody takes more; return how many were begun, and the rest of the last."""
        self._socket.setblocking(False)
        number = 0
        rest = b""
        try:
            while True:
                if not rest:
                    rest = request(number)
                    number += 1
                rest = rest[self._socket.send(rest) :]
        except BlockingIOError:
            return number, rest
        finally:
            self._socket.settimeout(WITHIN_S)

    def deafen(self) -> None:
        """Take nothing more that is sent here, while sending goes on."""
        self._socket.shutdown(socket.SHUT_RD)

    def end_of_input(self) -> None:
        """Say that nothing more will be sent; replies can still come."""
        self._socket.shutdown(socket.SHUT_WR)

    def line(self) -> Any:
        """Wait for the next line and decode it; None at the end of the stream."""
        while (end := self._received.find(b"\n")) < 0:
            try:
                data = self._socket.recv(1 << 18)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._received += data
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return json.loads(line)

    def post(self, method: str, /, **params: Any) -> int:
        """Send a request and return its id; `reply` waits for the answer."""
        self._number += 1
        self.send(frame(method, self._number, **params))
        return self._number

    def reply(self) -> Any:
        """Wait for the next line that is no notification; None at the end of the stream."""
        while (message := self.line()) is not None:
            if isinstance(message, dict) and "method" in message:
                self.notifications.append(message)
            else:
                return message
        return None

    def ask(self, method: str, /, **params: Any) -> dict[str, Any]:
        """Send a request and return the whole reply."""
        number = self.post(method, **params)
        reply = self.reply()
        assert isinstance(reply, dict), f"{method} was answered with {reply!r}"
        assert reply["id"] == number
        assert reply["jsonrpc"] == "2.0"
        return reply

    def call(self, method: str, /, **params: Any) -> Any:
        """Send a request and return its result."""
        reply = self.ask(method, **params)
        assert "error" not in reply, f"{method}: {reply['error']}"
        return reply["result"]

    def fault(self, method: str, /, **params: Any) -> dict[str, Any]:
        """Send a request that must fail and return its error."""
        reply = self.ask(method, **params)
        assert "error" in reply, f"{method} was answered with {reply['result']}"
        error: dict[str, Any] = reply["error"]
        return error

    def event(self) -> dict[str, Any]:
        """Wait for the next notification and return its parameters, with its method as `method`."""
        message = self.notifications.popleft() if self.notifications else self.line()
        assert isinstance(message, dict), f"no notification but {message!r}"
        assert "method" in message, f"no notification but {message!r}"
        return {"method": message["method"], **message["params"]}


def frame(method: str, call_id: int | str | None = None, /, **params: Any) -> bytes:
    """One request as a line; without an id it is a notification."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if call_id is not None:
        message["id"] = call_id
    return json.dumps(message).encode() + b"\n"


def eventually(happened: Callable[[], Any], what: str) -> Any:
    """Wait for what gives no event: a file's content, another process's child; the first true value."""
    deadline_s = time.monotonic() + WITHIN_S
    while not (value := happened()):
        assert time.monotonic() < deadline_s, f"did not happen within {WITHIN_S:g} s: {what}"
        time.sleep(0.01)
    return value


@contextlib.contextmanager
def watched(pid: int) -> Iterator[Callable[[], float]]:
    """Give a function that waits until the process is dead and returns how many seconds that took."""
    descriptor = os.pidfd_open(pid)

    def until_gone_s() -> float:
        begun_s = time.monotonic()
        assert select.select([descriptor], [], [], WITHIN_S)[0], f"process {pid} still lives after {WITHIN_S:g} s"
        return time.monotonic() - begun_s

    try:
        yield until_gone_s
    finally:
        os.close(descriptor)


def fingerprint(tree: Path) -> Mapping[str, str]:
    """Every file and directory below `tree`: its relative path → kind, mode, time of change and content's hash."""
    found: dict[str, str] = {}
    for path in [tree, *sorted(tree.rglob("*"))]:
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(tree))] = f"{status.st_mode:o} {status.st_mtime_ns} {content}"
    return found
