"""A server that does what a test says, one connection after the other: to show what clients do when it misbehaves."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GIVE_UP_S = 60.0
"""Ends a script whose client never comes; a test that works takes milliseconds."""


class Conversation:
    """One connection, from the server's side."""

    def __init__(self, connection: socket.socket, requests: list[Any]) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")
        self._requests = requests

    def request(self) -> Any:
        """Return what the client sends next."""
        line = self._file.readline()
        assert line, "the client has closed the connection"
        message = json.loads(line)
        self._requests.append(message)
        return message

    def send(self, *messages: Any) -> None:
        """Send messages, one per line."""
        self.send_bytes(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._connection.sendall(data)

    def reply(self, request: Any, result: Any) -> None:
        """Answer a call."""
        self.send({"jsonrpc": "2.0", "id": request["id"], "result": result})

    def refuse(self, request: Any, code: int, kind: str, **data: Any) -> None:
        """Answer a call with an error."""
        error = {"code": code, "message": f"it is {kind}", "data": {"kind": kind, "hint": "h", **data}}
        self.send({"jsonrpc": "2.0", "id": request["id"] if request else None, "error": error})

    def wait_until_closed(self) -> None:
        """Wait until the client closes the connection."""
        while self._file.readline():
            continue

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._connection.close()


Script = Callable[[Conversation], None]


@contextmanager
def scripted(path: Path, scripts: Sequence[Script]) -> Iterator[list[Any]]:
    """Serve one connection after the other, each by the next script; yield the list of what clients send.

    Leaving the block waits until all scripts are played, and raises what failed in one of them.
    """
    requests: list[Any] = []
    failures: list[BaseException] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(GIVE_UP_S)

        def play() -> None:
            try:
                for script in scripts:
                    connection, _ = listener.accept()
                    connection.settimeout(GIVE_UP_S)
                    conversation = Conversation(connection, requests)
                    try:
                        script(conversation)
                    finally:
                        conversation.close()
            except BaseException as failure:  # noqa: BLE001 - an assertion must reach the test, not its thread
                failures.append(failure)

        thread = threading.Thread(target=play, name="scripted server")
        thread.start()
        try:
            yield requests
        finally:
            thread.join()
    for failure in failures:
        raise failure
