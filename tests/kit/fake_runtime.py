"""
A runtime that is none: it speaks the control protocol and serves a few methods that make it misbehave.

It stands in for the real one where the root is tested: what the root must do when a runtime dies, hangs or refuses does
not depend on what the runtime does otherwise. `FAKE_RUNTIME` in its environment holds JSON: how it behaves from the
start.

Methods: `fake.who` {pid, incarnation, ppid}, `fake.exit` {code}, `fake.hang`, `fake.shutdown`, `fake.reload`,
`fake.orders` (every order received), `fake.print` {text}, `fake.environment`, `fake.garble` (breaks the control
channel), `fake.orphan` (its pid), `fake.spawn` {run_id, argv}, `fake.agents` (what the agent host said),
`fake.leave_agents` (closes the door), `event.subscribe` and `event.record`, as far as a relay can tell the difference;
any other one is echoed.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import structlog
import trio

from actors.messages.agents import Output, Spawn
from actors.running.link import Reachable
from supervisor.root.control import (
    Hello,
    Order,
    Ready,
    Refused,
    Reload,
    ReloadRefused,
    ReloadWanted,
    Root,
    Shutdown,
    Stop,
    Stopped,
)
from supervisor.root.runtime_side import RuntimeLink
from supervisor.root.writer_lock import WriterLock
from supervisor.runtime.agents_link import AgentsLink

BEHAVIOUR: dict[str, Any] = json.loads(os.environ.get("FAKE_RUNTIME", "{}"))


class FakeRuntime:
    """One incarnation."""

    def __init__(self, link: RuntimeLink, hello: Hello) -> None:
        self.link = link
        self.hello = hello
        self.orders: list[Any] = []
        self.news: list[Any] = []
        """What the agent host said; output is only counted."""
        self.output_bytes: dict[str, int] = {}
        self.doors = None if hello.doors_fd is None else socket.socket(fileno=hello.doors_fd)
        self.agents = None if self.doors is None else AgentsLink(self.doors, self._hear_agents, structlog.get_logger())
        self.counter = Path(hello.state_path) / "recorded"
        """What was recorded, one key and text per line: the memory that outlives an incarnation."""

    async def run(self) -> None:
        """Serve until told to stop."""
        heartbeat_s = self.hello.config["supervisor"]["heartbeat_s"]
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(socket.socket(fileno=self.hello.listen_fd)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.link.beat_every, heartbeat_s)
            nursery.start_soon(self._obey, nursery.cancel_scope)
            if self.agents is not None:
                nursery.start_soon(self.agents.run)
            self.link.send(Ready(seq=7, recovery={"base": "empty"}))
            await trio.serve_listeners(self._serve, [listener])

    async def _obey(self, scope: trio.CancelScope) -> None:
        while True:
            order: Order = await self.link.next_order()
            self.orders.append(json.loads(msgspec.json.encode(order)))
            match order:
                case Stop() if not BEHAVIOUR.get("deaf"):
                    (Path(self.hello.state_path) / "saved").write_text(str(os.getpid()))
                    self.link.send(Stopped())
                    scope.cancel(reason="told to stop")
                case Root() | Reload() | ReloadRefused() | Stop() | Hello():
                    pass

    def _hear_agents(self, news: Any) -> None:
        assert self.agents is not None
        match news:
            case Reachable():
                self.agents.attach({})
            case Output(run_id=run_id, stream=stream, offset=offset, data=data):
                self.output_bytes[run_id] = offset + len(data)
                self.agents.acknowledge(run_id, stream, offset + len(data))
            case _:
                self.news.append(news)

    async def _serve(self, stream: trio.SocketStream) -> None:
        rest = b""
        try:
            while data := await stream.receive_some(65536):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    await self._answer_line(stream, line)
        except trio.BrokenResourceError:
            return

    async def _answer_line(self, stream: trio.SocketStream, line: bytes) -> None:
        try:
            request = json.loads(line)
        except ValueError:
            await _send(stream, {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "not JSON"}})
            return
        if isinstance(request, list):
            replies = [self._reply(item) for item in request]
            await _send(stream, [reply for reply in replies if reply["id"] is not None])
            return
        reply = self._reply(request)
        if "id" in request:
            await _send(stream, reply)
        if request["method"] == "event.subscribe":
            await self._tell_events(stream, reply["result"]["seq"])

    def _reply(self, request: dict[str, Any]) -> dict[str, Any]:
        result = self._carry_out(request["method"], request.get("params", {}))
        return {"jsonrpc": "2.0", "id": request.get("id"), "result": result}

    def _carry_out(self, method: str, params: dict[str, Any]) -> Any:
        match method:
            case "fake.who":
                return {"pid": os.getpid(), "incarnation": self.hello.incarnation, "ppid": os.getppid()}
            case "fake.orders" | "fake.environment":
                return self.orders if method == "fake.orders" else dict(os.environ)
            case "fake.orphan":
                return int(subprocess.run(["sh", "-c", "true & echo $!"], capture_output=True, check=True).stdout)
            case "fake.spawn":
                return self._spawn(params)
            case "fake.agents":
                return {"news": json.loads(msgspec.json.encode(self.news)), "output_bytes": self.output_bytes}
            case "event.record":
                return self._record(params)
            case "event.subscribe":
                return {"subscription": f"sub-{os.getpid()}", "seq": params.get("after_seq", 0)}
            case _:
                self._act(method, params)
                return {"method": method, "params": params}

    def _act(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "fake.exit":
                os._exit(params["code"])
            case "fake.hang":
                time.sleep(3600)
            case "fake.shutdown":
                self.link.send(Shutdown())
            case "fake.reload":
                self.link.send(ReloadWanted())
            case "fake.leave_agents":
                assert self.agents is not None
                assert self.agents._conversation is not None
                self.agents._conversation.scope.cancel()
            case "fake.print":
                sys.stderr.write(params["text"] + "\n")
                sys.stderr.flush()
            case "fake.garble":
                self.link._control.send(b"this is no news\n")

    def _spawn(self, params: dict[str, Any]) -> bool:
        assert self.agents is not None
        env = {"PATH": os.environ["PATH"]}
        self.agents.send(Spawn(run_id=params["run_id"], argv=tuple(params["argv"]), env=env, cwd="/"))
        return self.agents.is_reachable

    def _record(self, params: dict[str, Any]) -> Any:
        key = params.get("idempotency_key")
        known = [json.loads(line) for line in self.counter.read_text().splitlines()] if self.counter.exists() else []
        if key is None or key not in [line["key"] for line in known]:
            with self.counter.open("a") as file:
                file.write(json.dumps({"key": key, "message": params["message"]}) + "\n")
        if params["message"] == "die" and key not in [line["key"] for line in known]:
            os.kill(os.getpid(), signal.SIGKILL)  # committed, not answered
        return {"message": params["message"], "key": key}

    async def _tell_events(self, stream: trio.SocketStream, after_seq: int) -> None:
        for seq in (after_seq + 1, after_seq + 2):
            params = {"subscription": f"sub-{os.getpid()}", "seq": seq, "events": []}
            await _send(stream, {"jsonrpc": "2.0", "method": "event", "params": params})


async def _send(stream: trio.SocketStream, message: Any) -> None:
    await stream.send_all(json.dumps(message).encode() + b"\n")


def main() -> None:
    """Be a runtime."""
    link = RuntimeLink.arm(int(sys.argv[sys.argv.index("--control-fd") + 1]))
    hello = link.hello()
    if "refuse" in BEHAVIOUR:
        link.send(Refused(message=BEHAVIOUR["refuse"]["message"], hint="look elsewhere"))
        sys.exit(BEHAVIOUR["refuse"]["code"])
    if "crash" in BEHAVIOUR and hello.incarnation not in BEHAVIOUR["crash"].get("not_in", ()):
        sys.stderr.write("Traceback: it crashed\n")
        sys.exit(BEHAVIOUR["crash"]["code"])
    lock = WriterLock.acquire(Path(hello.state_path))
    trio.run(FakeRuntime(link, hello).run)
    lock.release()


if __name__ == "__main__":
    main()
