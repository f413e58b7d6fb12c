"""
A server that is no runtime: answers JSON-RPC lines on a state directory's socket from a table of functions.

It stands in where the command line is tested: what a command asks and how it shows an answer does not depend on how
the answer came about. Like a root it holds the lock, so that whoever looks finds somebody there.
"""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from actors.model.errors import PerdureError, UnknownMethod
from supervisor.root.lock import LockRecord, StateLock, now_text
from supervisor.wire.faults import to_object

Answer = Callable[[dict[str, Any]], Any]
"""Takes the parameters, gives the result, or raises a PerdureError."""


class Following:
    """A result that is followed by notifications on the same connection; the connection then stays open."""

    def __init__(self, result: Any, notifications: list[dict[str, Any]], method: str = "event") -> None:
        self.result = result
        self.notifications = notifications
        self.method = method


class FakeServer:
    """Serves while its block lasts. `asked` holds every method and its parameters, in order, without their keys."""

    def __init__(self, state_path: Path, answers: Mapping[str, Answer]) -> None:
        self.state_path = state_path
        self.answers = dict(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._closing = False

    def __enter__(self) -> Self:
        self.state_path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = StateLock.acquire(self.state_path, "running")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.state_path / "perdure.sock"))
        self._listener.listen()
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=30)
        self._lock.release()

    def publish(self, phase: str, **changes: Any) -> None:
        """Say in the lock file what a root says there."""
        self._lock.publish(LockRecord(os.getpid(), phase, now_text())._replace(**changes))

    def let_go(self) -> None:
        """Release the lock, as a root does at its end."""
        self._lock.release()

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, name="fake server")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rwb") as stream:
            for line in stream:
                asked = json.loads(line)
                for reply in self._replies(asked) if isinstance(asked, dict) else self._replies_to_batch(asked):
                    stream.write(json.dumps(reply).encode() + b"\n")
                stream.flush()

    def _replies_to_batch(self, requests: list[dict[str, Any]]) -> Iterator[Any]:
        messages = [message for request in requests for message in self._replies(request)]
        yield [message for message in messages if "id" in message]
        yield from (message for message in messages if "id" not in message)

    def _replies(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        method, params = request["method"], dict(request.get("params") or {})
        params.pop("idempotency_key", None)
        self.asked.append((method, params))
        head = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            result = self.answers.get(method, _unknown)(params)
        except PerdureError as error:
            yield {**head, "error": to_object(error)}
            return
        if not isinstance(result, Following):
            yield {**head, "result": result}
            return
        yield {**head, "result": result.result}
        for params_told in result.notifications:
            yield {"jsonrpc": "2.0", "method": result.method, "params": params_told}


def _unknown(_params: dict[str, Any]) -> Any:
    raise UnknownMethod("there is no such method here")
