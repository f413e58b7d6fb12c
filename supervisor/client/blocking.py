"""The blocking client: one connection, one call at a time. Not for use by several threads at once."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

from actors.model.errors import PerdureError
from supervisor.client import exchange
from supervisor.client.address import socket_path
from supervisor.client.exchange import TIMEOUT_S, WAIT_S, Command, Inbox, Request, not_running, outcome
from supervisor.wire.faults import from_object

_READ_BYTES: Final = 256 * 1024


class Client:
    """A connection to the Perdure of a state directory (or to a socket), made when it is first needed.

    `timeout_s` bounds each call, reconnecting included. `wait_s` is how long the first connection waits for a Perdure
    that is just starting. Every call raises the class of the error's kind (`actors.model.errors`), NotRunning when
    nobody listens, TimedOut when no answer came in time, ConnectionLost for the few methods that are not sent again
    unasked.
    """

    def __init__(self, path: str | os.PathLike[str], *, timeout_s: float = TIMEOUT_S, wait_s: float = WAIT_S) -> None:
        self.timeout_s = timeout_s
        self._path = path
        self._wait_s = wait_s
        self._connection: _Connection | None = None
        self._was_connected = False

    def __enter__(self) -> Self:
        """Return the client; leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; a later call makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(self, method: str, /, **params: Any) -> Any:
        """Carry out one command or query, and return its result."""
        (reply,) = self._exchange(exchange.call(method, params))
        return outcome(reply)

    def batch(self, commands: Iterable[Command]) -> list[Any]:
        """Carry out commands (method, params) in one frame; return their results, an error in the place of its command.

        They are independent of each other: `batch.apply` is what carries out all or none.
        """
        replies = self._exchange(exchange.batch(commands))
        return [from_object(reply["error"]) if "error" in reply else reply.get("result") for reply in replies]

    def notify(self, method: str, /, **params: Any) -> None:
        """Send a command and want no answer: nobody tells whether it took effect."""
        self._exchange(exchange.notification(method, params))

    def subscribe(
        self, after_seq: int | None = None, kinds: Sequence[str] | None = None
    ) -> Generator[dict[str, Any], None, None]:
        """Follow the journal: yield `{subscription, seq, ts, events}` for each of its lines, in order, without a gap.

        `after_seq` None begins now. Uses a connection of its own and goes on over lost ones; waits for ever when
        nothing happens. Ends only with an error; close the iterator to stop.
        """
        follower = self.another()
        params: dict[str, Any] = {} if kinds is None else {"kinds": list(kinds)}
        with follower:
            while True:
                if after_seq is not None:
                    params["after_seq"] = after_seq
                begun = follower.call("event.subscribe", **params)
                after_seq = begun["seq"] if after_seq is None else after_seq
                for message in follower.notifications():
                    if message.get("method") != "event":
                        break  # it was too slow: the journal still has what it missed
                    line = message["params"]
                    yield line
                    after_seq = after_seq if line.get("seq") is None else line["seq"]
                follower.close()

    def another(self) -> Client:
        """Return a client of the same Perdure with a connection of its own."""
        return Client(self._path, timeout_s=self.timeout_s, wait_s=self._wait_s)

    def notifications(self, wait: Callable[[int], object] | None = None) -> Iterator[dict[str, Any]]:
        """Yield what the subscriptions of this connection bring; ends when it is lost, and with it they.

        `wait` is called with the socket's descriptor before the socket is read, to return when there is something to
        read; what it raises goes to the caller, and nothing is lost by that.
        """
        try:
            while self._connection is not None:
                yield from self._connection.notifications(wait)
        except OSError:
            return

    # --- underneath

    def _exchange(self, request: Request) -> list[dict[str, Any]]:
        """Send until it is answered; return the replies in the order of the calls."""
        deadline = time.monotonic() + self.timeout_s
        for pause_s in exchange.pauses_s():
            time.sleep(min(pause_s, max(0.0, deadline - time.monotonic())))
            connection = self._connect(deadline, request)
            try:
                return connection.exchange(request, deadline)
            except TimeoutError:
                self.close()
                raise request.late(self.timeout_s) from None
            except OSError as error:
                self.close()
                if not request.repeatable:
                    raise request.lost(error) from error
            except PerdureError:
                self.close()
                raise
        raise AssertionError("the pauses never end")

    def _connect(self, deadline: float, request: Request) -> _Connection:
        """Return the connection, made anew if there is none."""
        if self._connection is not None:
            return self._connection
        # Who was connected waits for the next runtime; a first connection soon says that nobody is there.
        patience = deadline if self._was_connected else min(deadline, time.monotonic() + self._wait_s)
        for pause_s in exchange.pauses_s():
            path = socket_path(self._path)
            try:
                self._connection = _Connection(path, deadline)
            except TimeoutError:
                raise request.late(self.timeout_s) from None
            except OSError as error:
                if isinstance(error, BlockingIOError):  # somebody listens, and too many others wait already
                    patience = deadline
                if time.monotonic() + pause_s >= patience:
                    raise not_running(path, error) from error
                time.sleep(pause_s)
            else:
                self._was_connected = True
                return self._connection
        raise AssertionError("the pauses never end")


class _Connection:
    """One socket; OSError (TimeoutError at the deadline) is how it ends."""

    def __init__(self, path: str, deadline: float) -> None:
        self._inbox = Inbox()
        self._notifications: list[dict[str, Any]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._limit(deadline)
            self._socket.connect(path)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def exchange(self, request: Request, deadline: float) -> list[dict[str, Any]]:
        """Send a request and return the replies to it, in order."""
        self._limit(deadline)
        try:
            self._socket.sendall(request.line)
        except TimeoutError:
            raise
        except OSError:
            self._raise_what_was_told(deadline)
            raise
        found: dict[int, dict[str, Any]] = {}
        while len(found) < len(request.ids):
            self._limit(deadline)
            for message in self._receive():
                if message.get("id") in request.ids:
                    found[message["id"]] = message
                elif "method" in message:
                    self._notifications.append(message)
                elif message.get("id") is None:
                    outcome(message)  # what was sent is not even a request, or this connection is not served
        return [found[call_id] for call_id in request.ids]

    def notifications(self, wait: Callable[[int], object] | None) -> list[dict[str, Any]]:
        """Wait for notifications, for ever, and return them."""
        self._socket.settimeout(None)
        while not self._notifications:
            if wait is not None:
                wait(self._socket.fileno())
            self._notifications += [message for message in self._receive() if "method" in message]
        notifications, self._notifications = self._notifications, []
        return notifications

    def _receive(self) -> list[dict[str, Any]]:
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionResetError("the other side has closed the connection")
        return self._inbox.feed(data)

    def _raise_what_was_told(self, deadline: float) -> None:
        """Raise the error that the server sent before it closed the connection, if it did."""
        try:
            while True:
                self._limit(deadline)
                for message in self._receive():
                    if message.get("id") is None and "error" in message:
                        outcome(message)
        except OSError:
            return

    def _limit(self, deadline: float) -> None:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s)
