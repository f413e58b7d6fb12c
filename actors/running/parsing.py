"""What a parser of an agent's output notices. The parsers themselves know the agents (`supervisor.parsers`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from actors.messages.agents import Stream


class SessionNamed(msgspec.Struct, frozen=True):
    """The vendor's own id of the conversation: by it the run can be resumed."""

    id: str


class Reported(msgspec.Struct, frozen=True):
    """The agent's last word: what comes of the task, or that it failed."""

    result: Any
    """Never None when there is no error."""
    error: str | None = None


class Warned(msgspec.Struct, frozen=True):
    """A complaint that is not fatal by itself; tells why when the exit status is a failure."""

    message: str


Noticed = SessionNamed | Reported | Warned


class Parser(Protocol):
    """Incremental; takes any bytes, cut anywhere, and raises for none."""

    def feed(self, stream: Stream, data: bytes) -> Sequence[Noticed]:
        """Take bytes of one stream, in order."""
        ...

    def finish(self) -> Sequence[Noticed]:
        """Take note that nothing more comes: a last line may lack its newline."""
        ...


ParserOf = Callable[[str], Parser]
"""Output format → a new parser."""


class TextParser:
    """Plain text says nothing of itself."""

    def feed(self, stream: Stream, data: bytes) -> Sequence[Noticed]:
        """See `Parser`."""
        del stream, data
        return ()

    def finish(self) -> Sequence[Noticed]:
        """See `Parser`."""
        return ()
