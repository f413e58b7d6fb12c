"""A whole runtime inside the test: the real actors under the real supervisors, the real gateway, a real directory.

The test plays the root (it holds the other end of the control channel) and the clients: `ask` hands a request straight
to an actor's mailbox, as the gateway does, and counts its answers; `client` speaks bytes over the socket. The disk is
a `MoodyDisk`, so that every failure of it can be ordered.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
import trio

from actors.decisions.batch import method_of
from actors.decisions.decision import NOTHING
from actors.domain import Own
from actors.kernel.clock import Clock
from actors.kernel.ref import Ref
from actors.messages.request import Delivery, Done, Outcome, Request
from actors.model.errors import PerdureError
from supervisor.config.loading import from_wire, to_wire
from supervisor.config.schema import Config
from supervisor.root.control import ControlChannel, News, Order, Ready, Stop
from supervisor.root.runtime_side import RuntimeLink
from supervisor.runtime.actor_tree import DOMAIN
from supervisor.runtime.assembly import Assembly, Birth
from supervisor.runtime.life import Runtime
from supervisor.tree.chaos import Harm
from supervisor.tree.view import ChildView
from supervisor.wire.methods import METHODS
from tests.kit.gateway_harness import RawClient
from tests.kit.moody_disk import MoodyDisk

PATIENCE_S: Final = 60.0
"""A fail-safe: what is waited for takes milliseconds."""

CORE: Final = "runtime/core"
PATHS: Final = {
    "writer": f"{CORE}/writer",
    "gateway": "runtime/gateway",
    **{name: f"{CORE}/domain/{name}" for name in ("tasks", "sessions", "runs", "events", "reports", "autosave")},
}
"""Actor → its path in the tree."""

QUIET: Final[dict[str, dict[str, Any]]] = {
    "state": {"autosave_interval_s": 3600.0, "task_files_delay_s": 0.0},
    "supervisor": {"backoff_base_s": 0.001, "backoff_max_s": 0.002},
    "chaos": {"enabled": True},
}
"""What tests want unless they say otherwise: no snapshot of its own accord, and no long pauses between restarts."""


@attrs.define(eq=False)
class Sent:
    """A request on its way, and every answer that it got."""

    request: Request
    answers: list[Outcome] = attrs.field(factory=list)
    _answered: trio.Event = attrs.field(factory=trio.Event)

    def take(self, outcome: Outcome) -> None:
        """Be answered."""
        self.answers.append(outcome)
        self._answered.set()

    @property
    def is_answered(self) -> bool:
        """Whether an answer is there."""
        return bool(self.answers)

    async def outcome(self) -> Outcome:
        """Wait for the answer; there may be only one."""
        with trio.fail_after(PATIENCE_S):
            await self._answered.wait()
        assert len(self.answers) == 1
        return self.answers[0]

    async def result(self) -> Any:
        """Wait for the result, decoded; raises the error when that is the answer."""
        outcome = await self.outcome()
        if isinstance(outcome, Done):
            return msgspec.json.decode(outcome.result)
        raise outcome.error

    async def error(self) -> PerdureError:
        """Wait for the error; fails when it is a result."""
        outcome = await self.outcome()
        assert not isinstance(outcome, Done), outcome.result
        return outcome.error

    async def kind(self) -> str:
        """Wait for the answer; return the error's kind, or `ok`."""
        outcome = await self.outcome()
        return "ok" if isinstance(outcome, Done) else outcome.error.kind


@attrs.define(eq=False)
class Running:
    """See the module's text."""

    root: Path
    """The state directory."""
    disk: MoodyDisk
    runtime: Runtime
    channel: ControlChannel
    socket_path: Path
    news: list[News] = attrs.field(factory=list)
    given_up: list[str] = attrs.field(factory=list)
    clients: list[RawClient] = attrs.field(factory=list)
    code: int | None = None
    """The exit code, once the runtime has ended."""
    ended: trio.Event = attrs.field(factory=trio.Event)
    _number: int = 0

    @property
    def assembly(self) -> Assembly:
        """Who is built from what."""
        return self.runtime._assembly

    # Clients

    def send(self, params: Any, *, key: str | None = None, notify: Callable[[bytes], Delivery] | None = None) -> Sent:
        """Hand a command to the actor that the table names, without waiting."""
        return self.send_all([params], key=key, notify=notify)[0]

    def send_all(
        self, commands: list[Any], *, key: str | None = None, notify: Callable[[bytes], Delivery] | None = None
    ) -> list[Sent]:
        """Hand commands for one actor over at once, as a burst that the gateway has read."""
        sent = [self.sent(params, key, notify) for params in commands]
        actor = METHODS[sent[0].request.method].actor
        assert Ref(self.assembly.mailboxes[actor]).offer([one.request for one in sent]) == len(sent)
        return sent

    async def ask(self, params: Any, *, key: str | None = None) -> Any:
        """Ask and return the decoded result; raises the error when that is the answer."""
        return await self.send(params, key=key).result()

    async def client(self) -> RawClient:
        """Connect to the socket."""
        client = RawClient(await trio.open_unix_socket(self.socket_path))
        self.clients.append(client)
        return client

    def sent(self, params: Any, key: str | None = None, notify: Callable[[bytes], Delivery] | None = None) -> Sent:
        """Make a request that is not handed to anybody yet."""
        self._number += 1
        ref = f"test-{os.urandom(4).hex()}-{self._number}"
        digest = None if key is None else hashlib.sha256(repr(params).encode()).hexdigest()
        request = Request(method_of(type(params)), params, lambda _outcome: None, ref, key, digest, notify)
        sent = Sent(request)

        def reply(outcome: Outcome) -> None:
            if not isinstance(params, Own):
                self.disk.note("answer", ref)
            sent.take(outcome)

        request.reply = reply
        return sent

    # The tree

    def view(self, actor: str) -> ChildView:
        """What the tree shows of an actor; raises KeyError before its supervisor has started."""
        return self.runtime._tree.tree().find(PATHS.get(actor, actor))

    def state(self, actor: str) -> str:
        """The state that the tree shows of an actor."""
        try:
            return str(self.view(actor).state)
        except KeyError:
            return "not there"

    def harm(self, actor: str, harm: Harm) -> None:
        """Make an actor fail."""
        self.runtime._tree.crash_child(PATHS.get(actor, actor), harm)

    async def until_up(self, actor: str, incarnation: int) -> None:
        """Wait until this incarnation of an actor, or a later one, serves."""
        await self.until(lambda: self.state(actor) == "running" and self.view(actor).incarnation >= incarnation)

    async def settle(self) -> None:
        """Wait until nothing is under way that the actors do by themselves."""
        await self.until(lambda: self.assembly.ledger.tables.row("daemon", "daemon") is not None)
        await self.until(lambda: not self.assembly._subscriptions.unrecorded)
        nothing = [self.sent(Own(lambda _draft, _at: NOTHING)) for _ in DOMAIN]
        for name, one in zip(DOMAIN, nothing, strict=True):
            assert self.assembly.mailboxes[name].offer([one.request]) == 1
        for one in nothing:  # answered behind whatever its actor has handed on
            await one.outcome()

    # The root

    def order(self, order: Order) -> None:
        """Say something as the root does."""
        assert self.channel.post(order)

    def heard(self, kind: type[News]) -> list[Any]:
        """The news of a kind so far."""
        return [news for news in self.news if isinstance(news, kind)]

    async def stop(self, grace_s: float = 40.0) -> int:
        """Stop as the root does on SIGTERM; return the exit code."""
        self.order(Stop(reason="test", grace_s=grace_s))
        with trio.fail_after(PATIENCE_S):
            await self.ended.wait()
        assert self.code is not None
        return self.code

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until something is so that has no event of its own."""
        with trio.fail_after(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 - whatever the test asks
                await trio.sleep(0.001)

    async def listen(self) -> None:
        """Note what the runtime says."""
        while (news := await self.channel.next_news()) is not None:
            self.news.append(news)

    async def live(self) -> None:
        """Run the runtime to its end."""
        self.code = await self.runtime.run()
        self.ended.set()


def config_of(**sections: dict[str, Any]) -> Config:
    """The configuration for tests, with these keys by section."""
    tables = to_wire(Config())
    for section, keys in (*QUIET.items(), *sections.items()):
        tables[section].update(keys)
    return from_wire(tables)


@asynccontextmanager
async def running_runtime(
    folder: Path,
    *,
    disk: MoodyDisk | None = None,
    clock: Clock | None = None,
    config: Config | None = None,
    started_at: str = "2026-03-01T11:59:59.000Z",
    wait_ready: bool = True,
    ignore_fallback: bool = False,
) -> AsyncIterator[Running]:
    """Run a runtime over `folder/state` until the block ends."""
    state_path = folder / "state"
    disk = disk or MoodyDisk(state_path)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    socket_path = folder / f"{os.urandom(2).hex()}.sock"
    with socket.socket(socket.AF_UNIX) as listener, ours, theirs:
        listener.bind(str(socket_path))
        listener.listen(64)
        birth = Birth(
            config=config or config_of(),
            state_path=state_path,
            listener=listener,
            incarnation=1,
            root_pid=4242,
            started_at=started_at,
            version="0.0.0",
            ignore_fallback=ignore_fallback,
        )

        given_up: list[str] = []

        def assemble(birth: Birth, system_clock: Clock, **orders: Any) -> Assembly:
            orders["give_up"] = given_up.append  # the real one ends the process
            return Assembly(birth, clock or system_clock, disk=disk, **orders)

        runtime = Runtime(RuntimeLink(theirs), birth, assemble=assemble)
        runtime._give_up = given_up.append  # type: ignore[assignment,method-assign]
        running = Running(state_path, disk, runtime, ControlChannel(ours), socket_path, given_up=given_up)
        running.assembly.desk.settings = attrs.evolve(running.assembly.desk.settings, retry_s=0.02)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(running.channel.run_sender)
                nursery.start_soon(running.listen)
                nursery.start_soon(running.live)
                if wait_ready:
                    await running.until(lambda: running.ended.is_set() or running.heard(Ready))
                    assert running.heard(Ready), running.news
                    await running.settle()
                try:
                    yield running
                finally:
                    await _end(running)
                nursery.cancel_scope.cancel()
        finally:
            disk.mend()
            if not running.ended.is_set():
                running.assembly.gateway.close()
                running.assembly.close()
            for thread in (running.assembly.desk.commit_thread, running.assembly.desk.background_thread):
                assert thread.joined(PATIENCE_S)


async def _end(running: Running) -> None:
    with trio.CancelScope(shield=True):
        running.disk.mend()
        for client in running.clients:
            await client.stream.aclose()
        if not running.ended.is_set():
            await running.stop()
