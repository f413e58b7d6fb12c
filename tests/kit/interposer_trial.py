"""One trial: a directory, the runtimes that live on it, a blocking client with a workload, faults, and the check.

with Keeper() as keeper:
with keeper.trial(Fault(Action.KILL_BEFORE, at=17)) as trial:
trial.run()        # the whole workload; whatever dies meanwhile is started again
trial.check()      # each directory that a death left, and the one at the end
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from attrs import Factory, define, field, frozen

from actors.model.errors import PerdureError, StorageFailed
from supervisor.client import Client
from supervisor.config.loading import to_wire
from supervisor.config.schema import Config
from tests.kit import tally
from tests.kit.interposer import Action, Interposer, Seen
from tests.kit.interposer_order import RULES
from tests.kit.interposer_workload import SESSION, WORKLOAD
from tests.kit.oracle import Broken, Oracle
from tests.kit.oracle_disk import Surroundings, check_directory
from tests.kit.perdure import Wire

WITHIN_S: Final = 60.0
"""A fail-safe for what takes milliseconds."""
PAUSE_S: Final = 0.01
"""Before a command is sent again that was told the disk had failed."""
MAY_BE_TOLD: Final = frozenset({"storage_failed", "read_only", "shutting_down"})
"""What a client may hear of a bad disk; it sends the command again, with the same key."""


@frozen
class Death:
    """How one runtime ended."""

    code: int
    """Negative: the signal."""
    at_s: float
    copy: Path | None
    """The state directory as it was then."""
    said: Sequence[str]


@define
class Trial:
    """See the module's text."""

    folder: Path
    state_path: Path
    interposer: Interposer
    oracle: Oracle
    crash_at: int
    _keeper: socket.socket
    surroundings: Surroundings = field(init=False)
    deaths: list[Death] = Factory(list)
    told: list[str] = Factory(list)
    """The kinds of the errors that the client was told."""
    pid: int = 0
    over: bool = False
    ready: int = 0
    _received: bytes = b""

    @property
    def socket_path(self) -> str:
        """Where clients connect."""
        return str(self.folder / "in" / "s")

    def begin(self, config: Config, mutant: str | None, *, copies: bool = True) -> None:
        """Have the keeper start the first runtime; `copies`: it keeps what each death leaves."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.socket_path)
            listener.listen(64)
            given = {
                "do": "begin",
                "folder": str(self.folder),
                "state_path": str(self.state_path),
                "config": to_wire(config),
                "interposer": str(self.interposer.file),
                "mutant": mutant,
                "copies": copies,
                "final_codes": [0, 2, 6, 7],
            }
            socket.send_fds(self._keeper, [json.dumps(given).encode()], [listener.fileno()])

    def end(self) -> None:
        """Have the keeper leave nothing of it."""
        self._keeper.settimeout(WITHIN_S)
        self._keeper.sendall(b'{"do": "end"}')
        self._hear_until(lambda event: event["event"] == "closed")

    def run(self) -> None:
        """Carry the workload out to its end, stop in order, and wait for the end."""
        with self.client() as client:
            for number in range(len(self.oracle.steps)):
                if number == self.crash_at:
                    self.kill()
                self.next_step(client)
            if self.oracle.steps is WORKLOAD:
                self.check_files(client)
        self.stop()

    def client(self) -> Client:
        """Return a blocking client; it waits for the first runtime, and over each death for the next."""
        return Client(self.socket_path, timeout_s=WITHIN_S, wait_s=WITHIN_S)

    def wire(self) -> Wire:
        """Return a connection that knows nothing but bytes and lines."""
        return Wire(Path(self.socket_path))

    def next_step(self, client: Client) -> None:
        """Carry out the next step, sent again with the same keys until all of it is acknowledged."""
        step = self.oracle.submit()
        waiting = list(step.commands)
        deadline_s = time.monotonic() + WITHIN_S
        while True:
            answers = client.batch([one.with_key for one in waiting])
            failed = [one for one, answer in zip(waiting, answers, strict=True) if isinstance(answer, PerdureError)]
            errors = [answer for answer in answers if isinstance(answer, PerdureError)]
            self.told += [error.kind for error in errors]
            if strange := [error for error in errors if error.kind not in MAY_BE_TOLD]:
                raise Broken(f"{failed[0].method} was answered {strange[0].kind}: {strange[0]}")
            if not failed:
                break
            if time.monotonic() > deadline_s:
                raise Broken(f"{failed[0].method} failed for {WITHIN_S:g} s: {errors[0]}")
            waiting = failed
            time.sleep(PAUSE_S)
        self.oracle.acknowledge()

    def kill(self) -> None:
        """Kill the runtime that is there now with SIGKILL, once it serves."""
        lives = len(self.heard().deaths)
        self._hear_until(lambda _event: self.over or self.serves or len(self.deaths) > lives)
        if self.serves:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    @property
    def serves(self) -> bool:
        """Whether there is a runtime and it said that it is ready, as far as was heard."""
        return self.pid > 0 and self.ready == self.pid

    def stop(self) -> None:
        """Stop in order, again if a fault is met on the way, and wait for the end."""
        while not self.over:
            asked = self.heard().pid
            with contextlib.suppress(PerdureError, OSError), Client(self.socket_path, timeout_s=WITHIN_S) as client:
                client.call("runtime.shutdown")
            self._hear_until(partial(self._is_over_or_another_than, asked))
        if self.deaths[-1].code != 0:
            raise Broken(f"the runtime ended with {self.deaths[-1].code}: {self.deaths[-1].said}")

    def _is_over_or_another_than(self, pid: int, _event: dict[str, Any]) -> bool:
        return self.over or (self.serves and self.pid != pid)

    def heard(self) -> Self:
        """Take what the keeper has told up to now."""
        for _event in self._hear(waits=False):
            pass
        return self

    def check_files(self, client: Client) -> None:
        """Ask for what lies in files behind the journal: it must be what was acknowledged, once."""
        session, log, report = (
            self.read(client, "session.messages", id=SESSION),
            self.read(client, "log.read", session_id=SESSION),
            self.read(client, "report.get", id="r"),
        )
        found = [message["text"] for message in session["messages"]], log["text"], report["data"]
        if found != (["all new"], "a line of the log\nanother line\n", {"n": 1}):
            raise Broken(f"messages, log and report are {found}")

    def read(self, client: Client, method: str, **params: Any) -> Any:
        """Ask a query, again while it says that the file it needs cannot be written at the moment."""
        deadline_s = time.monotonic() + WITHIN_S
        while True:
            try:
                return client.call(method, **params)
            except StorageFailed:
                if time.monotonic() > deadline_s:
                    raise
            time.sleep(PAUSE_S)

    def check(self) -> None:
        """Check every directory that a death left, the one at the end, and the order of the calls; count the faults."""
        log = self.interposer.log()
        for seen in log:
            if seen.action is not Action.NOTHING:
                tally.count("kill points" if seen.action.kills else "injected errors")
        if broken := [problem for rule in RULES for problem in rule(log)]:
            raise Broken(f"the order of calls: {broken[0]} ({len(broken)} in all)")
        for death in self.deaths:
            if death.copy is not None:
                check_directory(self.oracle, death.copy, death.at_s)
        found = check_directory(self.oracle, self.state_path)
        if found != self.oracle.now:
            raise Broken("not everything that was acknowledged is there at the end")
        self.surroundings.check()

    @property
    def hit(self) -> Seen | None:
        """The first call that was spoiled."""
        return next((seen for seen in self.interposer.log() if seen.action is not Action.NOTHING), None)

    @property
    def last_words(self) -> str:
        """The end of what the runtimes logged."""
        log = self.folder / "runtime.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""

    def _hear(self, *, waits: bool) -> Iterator[dict[str, Any]]:
        """Take what the keeper has told, and what it will."""
        self._keeper.settimeout(WITHIN_S if waits else 0)
        while True:
            line, newline, rest = self._received.partition(b"\n")
            if newline:
                self._received = rest
                event = json.loads(line)
                self._take(event)
                yield event
                continue
            try:
                data = self._keeper.recv(65536)
            except BlockingIOError:
                return
            assert data, "the keeper is gone"
            self._received += data

    def _hear_until(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        """Take the keeper's events until this holds."""
        if not holds({"event": ""}):
            next(event for event in self._hear(waits=True) if holds(event))

    def _take(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "started":
                self.pid = event["pid"]
            case "ready":
                self.ready = self.pid
            case "ended":
                copy = None if event["copy"] is None else Path(event["copy"])
                self.deaths.append(Death(event["code"], event["at_s"], copy, event["said"]))
            case "over":
                self.over = True
