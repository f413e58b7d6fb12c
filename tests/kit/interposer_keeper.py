"""A small root for tests: holds a process with every import done, and forks runtimes from it, one trial at a time.

`python -m tests.kit.interposer_keeper FD`, under LD_PRELOAD of the interposer. The runtimes are the product's own
(`supervisor.boot.main`); this process plays the root: it says hello, passes a wish to stop on, and when a runtime dies
it keeps a copy of the state directory as it was then and starts the next one. A fork takes milliseconds, where a whole
Perdure takes half a second; that is what lets a thousand kill points be tried.

Messages, JSON lines, on the socket FD. In: `begin` (with the listening socket's descriptor), `end`; or `work`, for one
offline command. Out: one line per event: `started` pid, `ready` seq, `ended` code (negative: a signal) with the copy's
path and what it said last, `over`; `worked` code.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from actors.storage import offline
from actors.storage.restore import Moment
from supervisor import boot
from supervisor.root.control import (
    GaveUp,
    Hello,
    Lines,
    News,
    Order,
    Ready,
    Refused,
    Shutdown,
    Stop,
    Stopped,
    decode_news,
    encode,
)
from tests.kit.interposer_mutants import MUTANTS, use_short_pauses
from tests.kit.searching import search_all

LIVES_MAX: Final = 400
"""A disk that stays bad ends runtime after runtime; beyond this the trial itself is at fault."""

AGAIN_AFTER_S: Final = 0.01
"""A runtime that could not open its storage is not started again at once."""


class Trial:
    """One state directory, and the runtimes that live on it one after the other."""

    def __init__(self, given: dict[str, Any], listener: socket.socket, test: socket.socket) -> None:
        self._given = given
        self._listener = listener
        self._test = test
        self._folder = Path(given["folder"])
        self._lives = 0
        self._control: socket.socket
        self._pid_fd = -1
        self._pid = 0
        self._lines: Lines
        self._said: list[str] = []
        self._start()

    @property
    def watched(self) -> list[Any]:
        """What to wait for."""
        return [self._control, self._pid_fd] if self._pid else []

    def go_on(self, ready: list[Any]) -> None:
        """Do what is due."""
        if self._control in ready:
            self._listen()
        if self._pid_fd in ready:
            self._buried()

    def close(self) -> None:
        """Leave nothing."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._let_go()
        self._listener.close()

    def _start(self) -> None:
        self._lives += 1
        self._said = []
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._test.close()
            _be_runtime(self._given, theirs)
        theirs.close()
        self._control, self._pid, self._pid_fd = ours, pid, os.pidfd_open(pid)
        self._lines = Lines()
        hello = Hello(
            config=self._given["config"],
            state_path=self._given["state_path"],
            listen_fd=self._listener.fileno(),
            incarnation=self._lives,
            root_pid=os.getpid(),
            started_at="2026-03-01T11:59:59.000Z",
            log_level="info",
        )
        self._order(hello)
        self._tell("started", pid=pid)

    def _listen(self) -> None:
        try:
            data = self._control.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            select.select([self._pid_fd], [], [])
            return
        self._lines.feed(data)
        for line in self._lines:
            self._heard(decode_news(line))

    def _heard(self, news: News) -> None:
        match news:
            case Ready(seq=seq):
                self._tell("ready", seq=seq)
            case Shutdown():
                self._order(Stop(reason="test", grace_s=30.0))
            case GaveUp(message=message) | Refused(message=message):
                self._said.append(message)
            case Stopped():
                self._said.append("stopped")
            case _:
                pass

    def _order(self, order: Order) -> None:
        with contextlib.suppress(ConnectionError):  # one that has died already is buried in a moment
            self._control.sendall(encode(order))

    def _buried(self) -> None:
        _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._let_go()
        copy = None
        if code != 0 and self._given["copies"]:
            copy = str(self._folder / f"copy-{self._lives}")
            shutil.copytree(self._given["state_path"], copy, symlinks=True)
        self._tell("ended", code=code, copy=copy, said=self._said, at_s=time.monotonic())
        if code in self._given["final_codes"] or self._lives >= LIVES_MAX:
            self._listener.close()  # nobody will serve whoever waits there
            self._tell("over", lives=self._lives)
            return
        if code > 0:
            time.sleep(AGAIN_AFTER_S)
        self._start()

    def _let_go(self) -> None:
        self._pid = 0
        os.close(self._pid_fd)
        self._control.close()

    def _tell(self, event: str, **more: Any) -> None:
        self._test.sendall(json.dumps({"event": event, **more}).encode() + b"\n")


def _be_runtime(given: dict[str, Any], control: socket.socket) -> NoReturn:
    """Be the runtime, as a process of its own would be."""

    def live() -> int:
        use_short_pauses()
        if given["mutant"] is not None:
            MUTANTS[given["mutant"]]()
        return boot.main(["--control-fd", str(control.detach())])

    _be(live, Path(given["folder"]) / "runtime.log", given["interposer"])


def _be(what: Callable[[], int], log: Path, interposer: str) -> NoReturn:
    """Be a process of its own that does this under the interposer, and ends."""
    code = 99
    try:
        errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(errors, 2)
        armed = ctypes.CDLL(None).interposer_arm(os.fsencode(interposer))
        assert armed == 0, "the interposer did not take its file"
        code = what()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except Exception as error:  # noqa: BLE001 - this process ends here, whatever it was
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        code = 1
    finally:  # the fork must never come to run its parent's code
        sys.stderr.flush()
        os._exit(code)


OFFLINE: Final[dict[str, Callable[[Path], object]]] = {
    "doctor --repair": offline.repair,
    "rebuild": offline.rebuild,
    "clean": partial(offline.clean, dry_run=False, quarantine_days=0.0, archive_days=0.0),
    "restore": partial(offline.restore, moment=Moment(seq=16), dry_run=False),
    "rollback": offline.rollback,
    "search": search_all,
}
"""Commands that work while nothing runs, and a search; 16 is a seq in the middle of the interposer's workload."""


def _work(given: dict[str, Any], test: socket.socket) -> int:
    """Carry an offline command out in a process of its own; return its exit code."""
    path = Path(given["state_path"])

    def carry_out() -> int:
        OFFLINE[given["command"]](path)
        return 0

    pid = os.fork()
    if pid == 0:
        test.close()
        _be(carry_out, path.parent / "offline.log", given["interposer"])
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(test_fd: int) -> None:
    """Serve one test process until it closes its end."""
    test = socket.socket(fileno=test_fd)
    trial: Trial | None = None
    importlib.import_module("supervisor.runtime.life")  # here, so that no runtime has to
    gc.freeze()
    while True:
        ready, _, _ = select.select([test, *([] if trial is None else trial.watched)], [], [])
        if test in ready:
            data, descriptors, _, _ = socket.recv_fds(test, 1 << 20, 1)
            if trial is not None:
                trial.close()
                trial = None
            if not data:
                return
            given = json.loads(data)
            if given["do"] == "begin":
                trial = Trial(given, socket.socket(fileno=descriptors[0]), test)
            elif given["do"] == "work":
                code = _work(given, test)
                test.sendall(json.dumps({"event": "worked", "code": code}).encode() + b"\n")
            else:
                test.sendall(b'{"event": "closed"}\n')
        elif trial is not None:
            trial.go_on(ready)


if __name__ == "__main__":
    main(int(sys.argv[1]))
