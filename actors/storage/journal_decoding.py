"""From a line's bytes to the command and the facts that it holds, and back.

The data of each fact stays as the bytes it came as (`msgspec.Raw`): for facts that carry a whole row these bytes are
the row, so replaying a hundred thousand of them encodes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actors.model.facts import Fact
from actors.model.keys import Command
from actors.model.state import Line
from actors.storage import journal_lines


class _Fact(msgspec.Struct, frozen=True):
    op: str
    id: str
    rev: int
    data: msgspec.Raw


class _Body(msgspec.Struct, frozen=True):
    ts: str
    cmd: Command
    facts: tuple[_Fact, ...]


class _BodyToWrite(msgspec.Struct, frozen=True):
    ts: str
    cmd: Command
    facts: Sequence[Fact]


_decode = msgspec.json.Decoder(_Body).decode
_encode = msgspec.json.Encoder().encode


def decode_line(line: journal_lines.Line) -> Line:
    """Return the command and the facts of a good line; raises msgspec.DecodeError when its body is none of ours."""
    return decode_body(line.body, line.seq)


def decode_body(encoded: bytes, seq: int) -> Line:
    """Return the line `seq` whose body is `encoded`; raises msgspec.DecodeError."""
    body = _decode(b"{%b}" % encoded)
    facts = tuple(Fact(op=fact.op, id=fact.id, rev=fact.rev, data=fact.data) for fact in body.facts)
    return Line(seq=seq, ts=body.ts, cmd=body.cmd, facts=facts, size_bytes=len(encoded))


def encode_body(stamp: str, command: Command, facts: Sequence[Fact]) -> bytes:
    """Return the body that `Journal.append` takes."""
    return _encode(_BodyToWrite(stamp, command, facts))[1:-1]
