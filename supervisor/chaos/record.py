"""
What a client asked and what it heard, line by line in a file of its own: the trial's own record.

A line is written and flushed before the command is sent, and another one when the answer is there: what stands in the
file as answered was acknowledged, whatever becomes of the client afterwards. Moments are of the monotonic clock, which
all processes of a machine share, so that "this was answered before that was asked" can be told across clients.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import attrs

from supervisor.wire.names import MUTATING

REMEMBERED: Final = frozenset(MUTATING) - {"task.heartbeat", "run.stop"}
"""Methods whose success is a line of the journal, with its key: a heartbeat becomes none, a stop's line is its agent's
end."""


@attrs.frozen
class Exchange:
    """One command or query."""

    client: str
    number: int
    method: str
    params: Mapping[str, Any]
    sent_s: float
    answered_s: float | None = None
    """None: the client was gone before the answer was there."""
    result: Any = None
    error: str | None = None
    """The kind of the error that answered it."""
    told: tuple[str, ...] = ()
    """Kinds of errors after which it was sent again with the same key, because the outcome was open."""
    allowed: tuple[str, ...] = ()
    """Kinds of errors that the client had to expect."""
    marks: Mapping[str, Any] = attrs.field(factory=dict)
    """What a checker must know about it: of which command it is a repeat, which batch it belongs to."""

    @property
    def acknowledged(self) -> bool:
        """Whether it was answered with a result."""
        return self.answered_s is not None and self.error is None

    @property
    def key(self) -> str | None:
        """Its idempotency key."""
        return self.params.get("idempotency_key")


class Recorder:
    """Writes the record of one client."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._number = 0

    def asks(self, method: str, params: Mapping[str, Any], allowed: tuple[str, ...], marks: Mapping[str, Any]) -> int:
        """Note what is about to be sent; return its number."""
        self._number += 1
        asked = {"n": self._number, "at": time.monotonic(), "method": method, "params": params}
        self._write({**asked, "allowed": allowed, "marks": marks})
        return self._number

    def told(self, number: int, kind: str) -> None:
        """Note an answer that leaves the outcome open."""
        self._write({"n": number, "told": kind})

    def heard(self, number: int, result: Any) -> None:
        """Note the result."""
        self._write({"n": number, "at": time.monotonic(), "result": result})

    def refused(self, number: int, kind: str) -> None:
        """Note the error that is the answer."""
        self._write({"n": number, "at": time.monotonic(), "error": kind})

    def _write(self, entry: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(entry) + "\n")
        self._stream.flush()


def read_record(path: Path) -> list[Exchange]:
    """Return the exchanges of one client, in order; a last line that its death cut off counts as not written."""
    found: dict[int, Exchange] = {}
    for entry in _entries(path.read_bytes()):
        number = entry["n"]
        if "method" in entry:
            found[number] = Exchange(
                client=path.stem,
                number=number,
                method=entry["method"],
                params=entry["params"],
                sent_s=entry["at"],
                allowed=tuple(entry["allowed"]),
                marks=entry["marks"],
            )
        elif "told" in entry:
            found[number] = attrs.evolve(found[number], told=(*found[number].told, entry["told"]))
        else:
            answer = {"answered_s": entry["at"], "result": entry.get("result"), "error": entry.get("error")}
            found[number] = attrs.evolve(found[number], **answer)
    return list(found.values())


def read_records(folder: Path) -> list[Exchange]:
    """Return all exchanges of all clients, in the order in which they were sent."""
    found = [exchange for path in sorted(folder.glob("*.jsonl")) for exchange in read_record(path)]
    return sorted(found, key=lambda exchange: exchange.sent_s)


def _entries(data: bytes) -> Iterator[dict[str, Any]]:
    complete, _, _cut_off = data.rpartition(b"\n")
    for line in complete.split(b"\n"):
        if line:
            yield json.loads(line)
