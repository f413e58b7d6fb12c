"""
Small agents that misbehave, and a host to run them under: the test plays the root and the runtime.

`SCRIPTS` are Python programs without imports beyond the standard library; `agent(name, *arguments)` gives an argv.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil

from actors.messages.agents import Attached, End, Ended, NotStarted, Offsets, Output, Spawn, Started
from supervisor.agents import control, protocol
from supervisor.agents.frames import Frames, encode
from supervisor.agents.tree_of import MARKER, Look, place_of

CHECKOUT: Final = Path(__file__).parent.parent.parent
WITHIN_S: Final = 60.0
"""A fail-safe: everything here takes milliseconds on an idle machine."""

SCRIPTS: Final = {
    # Prints COUNT numbered lines on stdout, sleeping PAUSE_S between them; every tenth goes to stderr, too.
    "lines": """
import sys, time
for number in range(int(sys.argv[1])):
    print(f"line {number}", flush=True)
    if number % 10 == 0:
        print(f"error {number}", file=sys.stderr, flush=True)
    time.sleep(float(sys.argv[2]))
""",
    # Writes COUNT bytes without one newline, as fast as it is read: a pattern that shows any loss or doubling.
    "flood": """
import os, sys
left, block = int(sys.argv[1]), bytes(range(1, 10)) * 7001
at = 0
while at < left:
    at += os.write(1, block[at % 9 : at % 9 + min(60000, left - at)])
""",
    # Ignores SIGTERM, says so, and sleeps.
    "deaf": """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(3600)
""",
    # Ends with its argument as exit code, or by the signal when it is negative.
    "exits": """
import os, sys
number = int(sys.argv[1])
os.kill(os.getpid(), -number) if number < 0 else sys.exit(number)
""",
    # Prints its process's facts and its environment, and ends.
    "facts": """
import json, os, resource, sys
print(json.dumps({"pid": os.getpid(), "sid": os.getsid(0), "cwd": os.getcwd(), "env": dict(os.environ),
  "stdin": sys.stdin.read(), "open": sorted(map(int, os.listdir("/proc/self/fd"))),
  "as": resource.getrlimit(resource.RLIMIT_AS), "files": resource.getrlimit(resource.RLIMIT_NOFILE)}))
""",
    # Prints a result and hangs.
    "hangs_after_result": """
import time
print('{"type":"result"}', flush=True)
time.sleep(3600)
""",
    # Leaves a grandchild, made as HOW says, prints its pid when it ignores SIGTERM; then ends or sleeps (STAYS).
    "leaves": """
import os, signal, sys, time
how, stays = sys.argv[1], sys.argv[2] == "stays"
code = '''import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(3, b'%d' % os.getpid())
os.close(3)
time.sleep(3600)'''
reader, writer = os.pipe()
env = {} if "env" in how else dict(os.environ)
def grandchild():
    if "setsid" in how:
        os.setsid()
    if "double" in how and os.fork() > 0:
        os._exit(0)
    os.dup2(writer, 3)
    if "silent" in how:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
    os.execve(sys.executable, [sys.executable, "-c", code], env)
pid = os.fork()
if pid == 0:
    grandchild()
if "double" in how:
    os.waitpid(pid, 0)
print(os.read(reader, 100).decode().strip(), flush=True)
if stays:
    time.sleep(3600)
""",
    # Forks children that fork children, for as long as it lives.
    "breeds": """
import os, time
print("breeding", flush=True)
while True:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        time.sleep(0.05)
        os._exit(0)
    time.sleep(0.02)
""",
}

N = TypeVar("N")


def agent(name: str, *arguments: object) -> tuple[str, ...]:
    """Return the argv of a script."""
    return (sys.executable, "-c", SCRIPTS[name], *map(str, arguments))


def pattern(count: int) -> bytes:
    """What `flood` writes."""
    return (bytes(range(1, 10)) * (count // 9 + 1))[:count]


class Link:
    """The runtime's end of one connection with the host, blocking; notes all it hears."""

    def __init__(self, ours: socket.socket) -> None:
        self.socket = ours
        self.socket.settimeout(WITHIN_S)
        self.news: list[Any] = []
        self.written: dict[tuple[str, str], bytearray] = {}
        """(run, stream) → the log file, as the writer would have it."""
        self.acknowledges = True
        self._frames = Frames()

    def send(self, message: Any) -> None:
        self.socket.sendall(encode(message))

    def attach(self, offsets: Mapping[str, Offsets] | None = None) -> Attached:
        """Attach with these offsets, or with those of what was written."""
        if offsets is None:
            runs = {run_id for run_id, _ in self.written}
            offsets = {
                run_id: Offsets(
                    **{stream: len(self.written.get((run_id, stream), b"")) for stream in ("stdout", "stderr")}
                )
                for run_id in runs
            }
        self.send(protocol.Attach(version=protocol.VERSION, runs=dict(offsets)))
        attached: Attached = self.wait(Attached)
        return attached

    def spawn(self, run_id: str, argv: tuple[str, ...], **more: Any) -> Started | NotStarted:
        self.order(run_id, argv, **more)
        answer: Started | NotStarted = self.wait((Started, NotStarted), run_id)
        return answer

    def order(self, run_id: str, argv: tuple[str, ...], **more: Any) -> None:
        given = {"env": {"PATH": os.environ["PATH"]}, "cwd": "/", **more}
        self.send(Spawn(run_id=run_id, argv=argv, **given))

    def end(self, run_id: str, grace_s: float = 0.0) -> None:
        self.send(End(run_id=run_id, grace_s=grace_s))

    def hear(self, timeout_s: float = WITHIN_S) -> bool:
        """Take what has come, waiting for it; False when the time is over or the host has closed."""
        if not select.select([self.socket], [], [], timeout_s)[0]:
            return False
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            return False
        self._frames.feed(data)
        for message in self._frames.messages(protocol.TO_RUNTIME):
            self.news.append(message)
            if isinstance(message, Output):
                self._write(message)
        return bool(data)

    def wait(self, kind: type[N] | tuple[type, ...], run_id: str | None = None) -> Any:
        """Wait for the first news of a kind (of a run) not returned before, and take it out of the news."""
        deadline_s = time.monotonic() + WITHIN_S
        while True:
            for message in self.news:
                if isinstance(message, kind) and run_id in (None, getattr(message, "run_id", None)):
                    self.news.remove(message)
                    return message
            heard = self.hear(max(0.0, deadline_s - time.monotonic()))
            assert heard, f"no {kind} of {run_id}: {[one for one in self.news if not isinstance(one, Output)]}"

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Hear until something is so."""
        deadline_s = time.monotonic() + WITHIN_S
        while not (value := holds()):
            assert time.monotonic() < deadline_s, what
            self.hear(0.02)
        return value

    def ended(self, run_id: str) -> Ended:
        ended: Ended = self.wait(Ended, run_id)
        return ended

    def text(self, run_id: str, stream: str = "stdout") -> str:
        return bytes(self.written.get((run_id, stream), b"")).decode()

    def first_line(self, run_id: str) -> str:
        """Wait for the first whole line of stdout."""
        self.until(lambda: "\n" in self.text(run_id), f"a line of {run_id}")
        return self.text(run_id).splitlines()[0]

    def close(self) -> None:
        self.socket.close()

    def _write(self, output: Output) -> None:
        """Write at the offset, as the writer does; a gap or other bytes at a place already written are a failure."""
        written = self.written.setdefault((output.run_id, output.stream), bytearray())
        assert output.offset <= len(written), f"a gap: {output.offset} after {len(written)}"
        again = written[output.offset : output.offset + len(output.data)]
        assert output.data.startswith(again), "other bytes than before"
        written += output.data[len(again) :]
        if self.acknowledges:
            self.send(protocol.Acknowledge(run_id=output.run_id, stream=output.stream, offset=len(written)))


class RunningHost:
    """A host's process and the root's end of its control channel."""

    def __init__(self, process: subprocess.Popen[bytes], root: socket.socket, place: str, errors: Path) -> None:
        self.process = process
        self.root = root
        self.place = place
        self.links: list[Link] = []
        self._errors = errors
        self._frames = Frames()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def door(self) -> socket.socket:
        """Give the host a door; return the runtime's end of it."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.root, [encode(control.Door(number=len(self.links) + 1))], [theirs.fileno()])
        return ours

    def link(self, *, after: Link | None = None) -> Link:
        """A runtime's connection; one that comes `after` another knows what that one has written."""
        link = Link(self.door())
        if after is not None:
            link.written = after.written
        self.links.append(link)
        return link

    def news(self) -> list[Any]:
        """Wait for what the host says to the root."""
        assert select.select([self.root], [], [], WITHIN_S)[0]
        self._frames.feed(self.root.recv(1 << 16))
        return list(self._frames.messages(control.TO_ROOT))

    def wait_news(self, kind: type[Any]) -> Any:
        deadline_s = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline_s:
            for message in self.news():
                if isinstance(message, kind):
                    return message
        raise AssertionError(f"no {kind.__name__}")

    def left(self) -> list[str]:
        """Everything that carries the marker of the place."""
        look = Look()
        return [_described(process.identity.pid) for process in look.marked(f"{self.place}:")]

    def wait(self) -> int:
        return self.process.wait(WITHIN_S)


@contextlib.contextmanager
def running_host(folder: Path, *, heartbeat_s: float = 3600.0, cgroups: bool = False) -> Iterator[RunningHost]:
    """Start a host as the root does; end it by closing its channel, and see that nothing is left.

    Without control groups unless they are asked for: what holds without them must hold where there are some, too.
    """
    ours, theirs = socket.socketpair()
    place = place_of(folder)
    errors = folder / "host-errors.txt"
    with errors.open("ab") as errors_file, theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.agents.host", "--control-fd", str(theirs.fileno())],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), MARKER: f"{place}:"},
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stderr=errors_file,
            start_new_session=True,
        )
    host = RunningHost(process, ours, place, errors)
    ours.sendall(encode(control.Serve(place=place, heartbeat_s=heartbeat_s, cgroups=cgroups)))
    try:
        yield host
    finally:
        ours.close()
        for link in host.links:
            link.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(WITHIN_S)
        hung = process.poll() is None
        process.kill()
        process.wait()
        left = [f"{pid}" for pid in _sweep(place)]
        assert not hung, "the host did not end with its root"
        assert not left, f"left behind: {left}"


def alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_dead(pid: int) -> None:
    """Wait until a process is gone."""
    deadline_s = time.monotonic() + WITHIN_S
    while alive(pid):
        assert time.monotonic() < deadline_s, f"{pid} is still there"
        time.sleep(0.01)


def _sweep(place: str) -> list[int]:
    found = [process.identity.pid for process in Look().marked(f"{place}:")]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


def _described(pid: int) -> str:
    try:
        return f"{pid}: {' '.join(psutil.Process(pid).cmdline())[:200]}"
    except psutil.Error:
        return f"{pid}: gone"
