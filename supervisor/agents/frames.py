"""
Frames: how the agent host's two protocols travel over Unix stream sockets. Sans-I/O.

A frame is a length (4 bytes, big-endian, at most `FRAME_BYTES_MAX`) and that many bytes of one msgpack object whose
`type` member says which message it is. Whatever else arrives raises `ProtocolBroken`, and the connection is given up:
after a bad length nothing that follows can be trusted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec

FRAME_BYTES_MAX: Final = 1 << 20
"""An order with a long command line and environment is far below it; output comes in pieces of 64 KiB."""

M = TypeVar("M")

_LENGTH: Final = struct.Struct(">I")
_ENCODER: Final = msgspec.msgpack.Encoder()


class ProtocolBroken(Exception):
    """The other end said something that is not of this protocol; the connection is of no use any more."""


class Unsendable(ValueError):
    """The message cannot be put into a frame: it is too long, or holds text that is no text."""


def encode(message: msgspec.Struct) -> bytes:
    """Return one frame. Raises `Unsendable`."""
    try:
        body = _ENCODER.encode(message)
    except (UnicodeEncodeError, OverflowError) as error:
        raise Unsendable(f"a {type(message).__name__} cannot be encoded: {error}") from None
    if len(body) > FRAME_BYTES_MAX:
        raise Unsendable(f"a {type(message).__name__} of {len(body)} bytes; a frame holds {FRAME_BYTES_MAX}")
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Bytes in, messages out; holds at most one frame that is not complete, beside what was fed last."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        self._bytes += data

    def messages(self, decoder: msgspec.msgpack.Decoder[M]) -> Iterator[M]:
        """Give out the complete messages. Raises `ProtocolBroken`."""
        while len(self._bytes) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes)
            if length > FRAME_BYTES_MAX:
                raise ProtocolBroken(f"a frame of {length} bytes; the most is {FRAME_BYTES_MAX}")
            end = _LENGTH.size + length
            if len(self._bytes) < end:
                return
            body = bytes(self._bytes[_LENGTH.size : end])
            del self._bytes[:end]
            yield _decoded(decoder, body)


def _decoded(decoder: msgspec.msgpack.Decoder[M], body: bytes) -> M:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError, ValueError) as error:
        raise ProtocolBroken(f"{error}: {body[:100]!r}") from None


def decoder_of(union: Any) -> msgspec.msgpack.Decoder[Any]:
    """Return the decoder for one direction of a protocol: `union` is its closed vocabulary."""
    return msgspec.msgpack.Decoder(union)
