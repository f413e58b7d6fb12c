"""A gateway with echoing actors on a real socket, and clients that speak bytes."""

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from supervisor.gateway.gateway import Gateway
from supervisor.gateway.limits import Limits
from supervisor.gateway.observer import Tally
from supervisor.gateway.outbox import LocalHandler
from tests.kit.echo_actors import ACTORS, EchoActor, local_handlers

FAIL_SAFE_S = 60.0
"""Ends a test that hangs; nothing here should take a second."""


@attrs.define(eq=False)
class RunContext:
    """What a supervisor gives to the gateway."""

    stopping: trio.Event = attrs.field(factory=trio.Event)
    readied: trio.Event = attrs.field(factory=trio.Event)
    beats: int = 0

    def ready(self, details: Any = None) -> None:
        """Note that clients are served."""
        self.readied.set()

    def beat(self) -> None:
        """Count a beat."""
        self.beats += 1

    async def chaos_hang(self) -> None:
        """Let it go on."""


class RawClient:
    """A client that sends any bytes and reads replies line by line."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._received = bytearray()

    async def send(self, *requests: Any) -> None:
        """Send each request as one line, all of them at once."""
        await self.stream.send_all(b"".join(json.dumps(request).encode() + b"\n" for request in requests))

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self.stream.send_all(data)

    async def line(self) -> bytes | None:
        """Return the next line without its end; None at the end of the stream, however it ended."""
        while (end := self._received.find(b"\n")) < 0:
            try:
                data = await self.stream.receive_some(65536)
            except trio.BrokenResourceError:
                return None
            if not data:
                return None
            self._received += data
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line

    async def reply(self) -> Any:
        """Return the next line as JSON; fail when there is none."""
        line = await self.line()
        assert line is not None, "the connection was closed"
        return json.loads(line)

    async def replies(self, number: int) -> dict[Any, Any]:
        """Return so many replies by their ids."""
        found = [await self.reply() for _ in range(number)]
        return {reply["id"]: reply for reply in found}

    async def kind(self) -> str:
        """Return the kind of the error that the next line tells."""
        reply = await self.reply()
        return str(reply["error"]["data"]["kind"])

    async def ends(self) -> bool:
        """Whether nothing but the end of the stream follows."""
        return await self.line() is None


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so that tells no event when it becomes so."""
    while not true():  # noqa: ASYNC110 - that is the point of it
        await trio.sleep(0.005)


@attrs.define(eq=False)
class Harness:
    """The gateway, what stands behind it, and what it told."""

    gateway: Gateway
    actors: dict[str, EchoActor]
    path: Path
    tally: Tally
    context: RunContext
    nursery: trio.Nursery
    crashes: list[tuple[str, BaseException]]
    clients: list[RawClient] = attrs.field(factory=list)

    async def client(self) -> RawClient:
        """Connect."""
        client = RawClient(await trio.open_unix_socket(self.path))
        self.clients.append(client)
        return client

    async def until_connections(self, number: int) -> None:
        """Wait until so many clients are connected."""
        await until(lambda: self.gateway.connections == number)


def call(method: str = "runtime.ping", call_id: Any = 1, **params: Any) -> dict[str, Any]:
    """A request."""
    return {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}


def create(call_id: Any = 1, description: str = "x", **params: Any) -> dict[str, Any]:
    """A request that mutates."""
    return call("task.create", call_id, description=description, **params)


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    local: dict[str, LocalHandler] | None = None,
    limits: Limits | None = None,
    letters_max: int = 4096,
    uids: frozenset[int] | None = None,
    listening: type[socket.socket] = socket.socket,
) -> AsyncIterator[Harness]:
    """Serve on a socket in `folder` until the block ends; then nothing of it is left."""
    path = folder / "g.sock"
    crashes: list[tuple[str, BaseException]] = []
    tally = Tally()
    actors = {name: EchoActor(name, letters_max=letters_max) for name in ACTORS}
    with listening(socket.AF_UNIX) as listener, trio.fail_after(FAIL_SAFE_S):
        listener.bind(str(path))
        listener.listen(512)
        gateway = Gateway(
            listener=listener,
            actors=actors,
            local={**local_handlers(), **(local or {})},
            crashed=lambda crash_id, error: crashes.append((crash_id, error)),
            limits=limits,
            observer=tally,
            uids=uids,
        )
        async with trio.open_nursery() as nursery:
            for actor in actors.values():
                nursery.start_soon(actor.run)
            context = RunContext()
            harness = Harness(gateway, actors, path, tally, context, nursery, crashes)
            nursery.start_soon(gateway.run, context)
            await context.readied.wait()
            try:
                yield harness
            finally:
                gateway.close()
                with trio.CancelScope(shield=True):
                    for client in harness.clients:
                        await client.stream.aclose()
                nursery.cancel_scope.cancel()
