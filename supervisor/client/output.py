"""Following what a run prints, byte for byte, over every loss of the connection.

`output` notifications carry text, in which bytes that are no UTF-8 are U+FFFD. Text without that character is exactly
what was printed; where it stands, and where anything is missing, the bytes themselves are read with `run.output` as
base64. So ordinary output comes without being asked for, and nothing is ever guessed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from actors.model.errors import PerdureError

if TYPE_CHECKING:
    from supervisor.client.blocking import Client

READ_BYTES: Final = 512 * 1024
"""Read at once where text does not do: an answer of 700 kB."""

DOUBTFUL: Final = "\ufffd"
"""What stands in text for bytes that are none."""


class Printed(NamedTuple):
    """A piece of what a run printed."""

    stream: str
    """stdout or stderr"""
    offset: int
    """Where in the stream it begins."""
    data: bytes


def read_output(client: Client, run_id: str, stream: str, offset: int) -> Iterator[Printed]:
    """Yield what a run has printed to one stream from `offset` on, as far as it is written now."""
    while True:
        page = client.call("run.output", id=run_id, stream=stream, offset=offset, limit=READ_BYTES, encoding="base64")
        data = base64.b64decode(page["data"])
        if data:
            yield Printed(stream, offset, data)
            offset += len(data)
        if page["eof"] or not data:
            return


def follow_output(
    client: Client, run_id: str, offsets: Mapping[str, int], wait: Callable[[int], object] | None = None
) -> Generator[Printed, None, None]:
    """Yield what a run prints to the streams that `offsets` names, each from its offset on, until all are over.

    The pieces of a stream are gap-free and in order. Uses a connection of its own; `wait` is as for
    `Client.notifications`. Raises NotFound when there is no such run, and what the client raises when the connection
    is lost for longer than its patience.
    """
    at = dict(offsets)
    still_open = set(at)
    with client.another() as follower:
        while still_open:
            # One frame, so that both subscriptions are the same connection's.
            asked = [
                ("output.subscribe", {"id": run_id, "stream": stream, "offset": at[stream]})
                for stream in sorted(still_open)
            ]
            for begun in follower.batch(asked):
                if isinstance(begun, PerdureError):
                    raise begun
            for message in follower.notifications(wait):
                told = message.get("params", {})
                stream = told.get("stream")
                if message.get("method") != "output" or stream not in still_open:
                    continue
                for piece in _pieces(client, run_id, told, at[stream]):
                    at[stream] += len(piece.data)
                    yield piece
                if told["eof"]:
                    still_open.discard(stream)
                    if not still_open:
                        return
            follower.close()


def _pieces(client: Client, run_id: str, told: Mapping[str, Any], at: int) -> Iterator[Printed]:
    """Yield what a notification tells beyond `at`."""
    stream, offset, text = told["stream"], told["offset"], told["data"]
    if DOUBTFUL in text or offset > at:
        yield from read_output(client, run_id, stream, at)
        return
    data = text.encode()[at - offset :]
    if data:
        yield Printed(stream, at, data)
