"""A stand-in for the actors, to test transport alone: it keeps the contract of a Ref and commits by a delay.

What it takes is answered after a "commit" that makes one answer of many, like the writer's: with what was asked
(`{"method", "params", "key"}`), in the order of arrival. Its mailbox is bounded; `hold` stops the commits.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import trio

from actors.messages.request import Request
from actors.model.errors import Conflict
from supervisor.wire import openrpc
from supervisor.wire.methods import METHODS

ACTORS = ("tasks", "sessions", "runs", "events", "reports", "writer")


class EchoActor:
    """One actor's Ref and the actor behind it. A description of `"!…"` is answered with a conflict of that text."""

    def __init__(self, name: str, *, commit_s: float = 0.0, letters_max: int = 4096) -> None:
        self.name = name
        self.letters_max = letters_max
        self.seen: list[Request] = []
        self.answer: Callable[[Request], bytes] = echo
        self._commit_s = commit_s
        self._letters: list[Request] = []
        self._came = trio.Event()
        self._roomier = trio.Event()
        self._let_go = trio.Event()
        self._let_go.set()

    def offer(self, letters: Sequence[Any]) -> int:
        """Take as many as fit."""
        taken = letters[: max(0, self.letters_max - len(self._letters))]
        self._letters.extend(taken)
        self.seen.extend(taken)
        if taken:
            self._came.set()
        return len(taken)

    async def room_for(self, number: int) -> None:
        """Wait until so many fit."""
        while self.letters_max - len(self._letters) < number:
            await self._roomier.wait()

    def hold(self) -> None:
        """Commit nothing until `let_go`."""
        self._let_go = trio.Event()

    def let_go(self) -> None:
        """Commit again."""
        self._let_go.set()

    async def run(self) -> None:
        """Answer what comes, for ever."""
        while True:
            await self._came.wait()
            await self._let_go.wait()
            self._came = trio.Event()
            letters, self._letters = self._letters, []
            self._roomier.set()
            self._roomier = trio.Event()
            if self._commit_s:
                await trio.sleep(self._commit_s)
            for letter in letters:
                self._reply(letter)

    def _reply(self, letter: Request) -> None:
        text = getattr(letter.params, "description", "")
        if isinstance(text, str) and text.startswith("!"):
            letter.fail(Conflict(text[1:]))
        else:
            letter.done(self.answer(letter))


def echo(request: Request) -> bytes:
    """Return what was asked, as JSON."""
    return bytes(msgspec.json.encode({"method": request.method, "params": request.params, "key": request.key}))


def local_handlers(calls: Counter[str] | None = None) -> Mapping[str, Callable[[Request], None]]:
    """Return handlers for what is answered in the gateway: each echoes, and `rpc.discover` tells the truth."""

    def answer(request: Request) -> None:
        if calls is not None:
            calls[request.method] += 1
        request.done(openrpc.encoded("0") if request.method == "rpc.discover" else echo(request))

    return {name: answer for name, row in METHODS.items() if row.actor == "local"}
