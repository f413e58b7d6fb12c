"""
The control channel between the root and a runtime: JSON lines over a Unix stream socketpair.

The vocabulary is closed: `Order` is what the root says, `News` is what a runtime says; each class's `type` member is
its name in lower case. Both ends are of the same version, so a line that is not understood is a defect or damage, and
the end that reads it gives the other one up (`ControlBroken`). Nothing waits here: `Lines` is the codec, without
sockets; `ControlChannel` is the root's end on trio, `runtime_side.RuntimeLink` the runtime's.
"""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec
import trio

LINE_BYTES_MAX: Final = 8 << 20
"""A configuration or a recovery report is far below it; a runtime that floods the root is stopped here."""
UNSENT_MAX: Final = 64
"""Orders are rare; a runtime that has left this many unread is hung, and its watchdog deals with it."""
_CHUNK_BYTES: Final = 65536


class ControlBroken(Exception):
    """The other end said something that is not of this protocol."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower):
    """One line; unknown members are refused by neither end, so that one can be added without ceremony."""


class Hello(_Message, frozen=True):
    """The first order: be the runtime. A process that has not had it yet is a standby."""

    config: dict[str, Any]
    """As `supervisor.config.to_wire` gives it."""
    state_path: str
    listen_fd: int
    """The inherited listening socket."""
    incarnation: int
    """1 for the first runtime of this root."""
    root_pid: int
    started_at: str
    """When the root started: UTC, ISO 8601 with milliseconds and Z."""
    log_level: str
    doors_fd: int | None = None
    """An inherited socket through which connections with the agent host come, each with one byte (SCM_RIGHTS)."""
    ignore_fallback: bool = False
    """Start although `state.fallback_path` cannot be reached."""


class Reload(_Message, frozen=True):
    """The configuration was read again. The runtime takes what is live; `needs_restart` keys hold back until then."""

    config: dict[str, Any]
    applied: tuple[str, ...] = ()
    """Dotted keys whose new values hold from now on."""
    needs_restart: tuple[str, ...] = ()
    """Dotted keys whose new values wait for the next start."""


class ReloadRefused(_Message, frozen=True, tag="reload_refused"):
    """The configuration was read again and is wrong; the old one stays."""

    message: str


class Stop(_Message, frozen=True):
    """Save, answer and exit 0; `grace_s` is all the time there is."""

    reason: str
    grace_s: float


class Root(_Message, frozen=True):
    """What the root knows and `runtime.status` shows; sent whenever it changes."""

    pids: dict[str, int | None]
    restarts: int
    last_error: str | None
    phase: str
    restart_ages_s: tuple[float, ...] = ()
    """How many seconds ago the newest restarts of the runtime were."""


class Ready(_Message, frozen=True):
    """The runtime serves clients. `seq` is the last durable one, `recovery` a summary of the recovery report."""

    seq: int
    recovery: dict[str, Any] = {}


class Beat(_Message, frozen=True):
    """The runtime's loop turns."""


class Shutdown(_Message, frozen=True):
    """A client asked for the end of everything."""


class ReloadWanted(_Message, frozen=True, tag="reload"):
    """A client asked that the configuration be read again; `Reload` or `ReloadRefused` answers."""


class Status(_Message, frozen=True):
    """What the runtime is busy with, for people."""

    text: str


class GaveUp(_Message, frozen=True, tag="gave_up"):
    """The runtime's own restart intensity is used up; it exits next."""

    message: str


class Refused(_Message, frozen=True):
    """The runtime will not run here at all; it exits with 2, 6 or 7 next, and the root shows `message` and `hint`."""

    message: str
    hint: str = ""


class Stopped(_Message, frozen=True):
    """Everything is saved; the process exits next."""


Order = Hello | Reload | ReloadRefused | Stop | Root
News = Ready | Beat | Shutdown | ReloadWanted | Status | GaveUp | Refused | Stopped

ORDERS: Final[msgspec.json.Decoder[Order]] = msgspec.json.Decoder(Order)
NEWS: Final[msgspec.json.Decoder[News]] = msgspec.json.Decoder(News)
_ENCODER: Final = msgspec.json.Encoder()

M = TypeVar("M")


def encode(message: Order | News) -> bytes:
    """One line. Raises ValueError when it is longer than the other end would take."""
    line = _ENCODER.encode(message) + b"\n"
    if len(line) > LINE_BYTES_MAX:
        raise ValueError(f"a {type(message).__name__} of {len(line)} bytes does not fit the control channel")
    return line


class Lines:
    """Bytes in, complete lines out; holds at most one line that is not complete."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> None:
        """Take what was read. Raises `ControlBroken` when a line grows beyond the limit."""
        self._rest += data

    def __iter__(self) -> Iterator[bytes]:
        """Give out the complete lines, without their newline."""
        while (end := self._rest.find(b"\n", self._searched)) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            self._searched = 0
            yield line
        self._searched = len(self._rest)
        if self._searched > LINE_BYTES_MAX:
            raise ControlBroken(f"a line of more than {LINE_BYTES_MAX} bytes")


def decode_order(line: bytes) -> Order:
    """Raises `ControlBroken`."""
    return _decode(ORDERS, line)


def decode_news(line: bytes) -> News:
    """Raises `ControlBroken`."""
    return _decode(NEWS, line)


def _decode(decoder: "msgspec.json.Decoder[M]", line: bytes) -> M:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ControlBroken(f"{error}: {line[:200]!r}") from None


class ControlChannel:
    """The root's end. Orders are posted and never waited for; `run_sender` carries them."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(control))
        self._lines = Lines()
        self._arrived: Iterator[bytes] = iter(())
        self._post, self._posted = trio.open_memory_channel[bytes](UNSENT_MAX)

    def post(self, order: Order) -> bool:
        """Queue an order; False when the runtime leaves so many unread that this one is dropped."""
        try:
            self._post.send_nowait(encode(order))
        except (trio.WouldBlock, trio.BrokenResourceError):
            return False
        return True

    async def run_sender(self) -> None:
        """Send what is posted, until the other end is gone."""
        with self._posted:
            try:
                async for line in self._posted:
                    await self._stream.send_all(line)
            except trio.BrokenResourceError:
                return  # its exit status says more than this

    async def next_news(self) -> News | None:
        """Wait for the next line; None when the runtime has closed its end. Raises `ControlBroken`."""
        while True:
            for line in self._arrived:
                return decode_news(line)
            try:
                data = await self._stream.receive_some(_CHUNK_BYTES)
            except trio.BrokenResourceError:
                return None
            if not data:
                return None
            self._lines.feed(data)
            self._arrived = iter(self._lines)

    def last_news(self) -> Iterator[News]:
        """Give out, without waiting, what a dead runtime had still said. Raises `ControlBroken`."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while data := self._control.recv(_CHUNK_BYTES):
                self._lines.feed(data)
        yield from map(decode_news, (*self._arrived, *self._lines))

    def close(self) -> None:
        """Close this end: a runtime that is still there stops at once."""
        self._post.close()
        self._posted.close()
        self._stream.socket.close()
