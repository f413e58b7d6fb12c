"""
One life of an agent host's process, and the doors between it and the runtime.

A *door* is a fresh socketpair, one end for the host, the other for whoever is the runtime. The root makes one whenever
one of the two is new, and when the host says that the present one has closed while both live. It reads none of it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec
import trio

from supervisor.agents.control import TO_ROOT, Alive, Door, DoorClosed, Here, Serve
from supervisor.agents.frames import Frames, ProtocolBroken, encode
from supervisor.agents.sweep import without_marker
from supervisor.agents.tree_of import MARKER
from supervisor.logs import get_logger
from supervisor.root.launch import Life
from supervisor.root.output import Output
from supervisor.root.watchdog import Pulse, until_hung
from supervisor.tree.context import ChildContext
from supervisor.tree.process import ProcessSpec

_CHUNK_BYTES: Final = 65536

_log: Final = get_logger("supervision:host")


class HostLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """How hosts are spawned and watched; the same for every life."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    state_path: Path
    umask: int
    """For agents."""
    cgroups: bool
    """Whether agents get control groups of their own, where that is possible."""
    heartbeat_s: float
    hung_after_s: float
    spared_pids: Callable[[], Iterable[int]]
    """The root's other children: never swept, even where an agent of an earlier root started this one."""
    show_pid: Callable[[int | None], None]


class HostLife:
    """One process and the conversation with it. Made before the spawn, closed after the burial."""

    def __init__(self, launch: HostLaunch, place: str, doors: Doors) -> None:
        self.why: str | None = None
        """Why we killed it, if we did."""
        self.pulse = Pulse(hung_after_s=launch.hung_after_s, last_s=trio.current_time())
        self._launch = launch
        self._place = place
        self._doors = doors
        self._process: subprocess.Popen[bytes] | None = None
        self._frames = Frames()
        self._output = Output(_relay)
        try:
            self._control, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        except BaseException:
            self._output.close()
            raise
        self._control.settimeout(0)

    def spec(self) -> ProcessSpec:
        """What to spawn. SIGTERM makes it end its agents and leave; a terminal's signals do not reach it."""
        return ProcessSpec(
            argv=(*self._launch.argv, "--control-fd", str(self._theirs.fileno())),
            env={**without_marker(dict(self._launch.environment)), MARKER: f"{self._place}:"},
            cwd="/",  # a host keeps no file system busy
            pass_fds=(self._theirs.fileno(),),
            stdout=self._output.writer_fd,
            stderr=self._output.writer_fd,
        )

    async def attend(self, process: subprocess.Popen[bytes], context: ChildContext) -> None:
        """Carry the conversation until cancelled, which happens when the process is gone."""
        self._process = process
        self._theirs.close()
        self._output.close_writer()
        self._launch.show_pid(process.pid)
        launch = self._launch
        serve = Serve(place=self._place, heartbeat_s=launch.heartbeat_s, umask=launch.umask, cgroups=launch.cgroups)
        self._say(encode(serve))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._output.relay)
            nursery.start_soon(self._listen, context)
            await until_hung(self.pulse)
            _log.error("the agent host is hung: no sign of life, it is killed", pid=process.pid)
            self.kill(f"hung: no sign of life for {self.pulse.allowed_s:g} s")
            await trio.sleep_forever()

    def give_door(self, door: socket.socket, number: int) -> None:
        """Give it its end of a door."""
        self._say(encode(Door(number=number)), door.fileno())

    def kill(self, why: str) -> None:
        """End it at once; the first `why` is what its death is told with."""
        self.why = self.why or why
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close everything; the process is gone, or is about to end because of this."""
        self._doors.host_is(None)
        self._launch.show_pid(None)
        self._theirs.close()
        self._control.close()
        self._output.close()

    def _say(self, frame: bytes, *descriptors: int) -> None:
        """Frames to it are few and tiny: one that its socket does not take at once finds it hung."""
        try:
            sent = socket.send_fds(self._control, [frame], descriptors)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # it is gone; its exit status says more
        if sent < len(frame):
            self.kill("does not read its orders")

    async def _listen(self, context: ChildContext) -> None:
        try:
            while await self._hear(context):
                await trio.lowlevel.wait_readable(self._control)
        except ProtocolBroken as error:
            self.kill(f"broke the control channel: {error}")

    async def _hear(self, context: ChildContext) -> bool:
        try:
            data = self._control.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._frames.feed(data)
        for news in self._frames.messages(TO_ROOT):
            self.pulse.beat(trio.current_time())
            match news:
                case Here(pid=pid, cgroups=cgroups, limits_memory=limits_memory):
                    _log.info("the agent host serves", pid=pid, cgroups=cgroups, limits_memory=limits_memory)
                    context.ready({"pid": pid})
                    self._doors.host_is(self)
                case DoorClosed(number=number):
                    self._doors.closed(number)
                case Alive():
                    self._doors.mend()
        return bool(data)


class Doors:
    """Joins the present host and the present runtime, whoever they are."""

    def __init__(self) -> None:
        self._host: HostLife | None = None
        self._runtime: Life | None = None
        self._number = 0
        self._is_wanting = False
        """Whether the last door could not be made."""

    def host_is(self, life: HostLife | None) -> None:
        """There is a new host, or none any more."""
        self._host = life
        self._join()

    def runtime_is(self, life: Life | None) -> None:
        """There is a new runtime, or none any more."""
        self._runtime = life
        self._join()

    def closed(self, number: int) -> None:
        """A door has closed; if it is the present one, there is to be another."""
        if number == self._number:
            self._join()

    def mend(self) -> None:
        """Try again what could not be done before; called with each sign of life of the host."""
        if self._is_wanting:
            self._join()

    def _join(self) -> None:
        if self._host is None or self._runtime is None:
            return
        self._number += 1
        try:
            for_host, for_runtime = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError as error:
            if not self._is_wanting:
                _log.error("agent host and runtime cannot be joined; it is tried again", problem=str(error))
            self._is_wanting = True
            return
        self._is_wanting = False
        with for_host, for_runtime:
            if self._runtime.give_door(for_runtime):
                self._host.give_door(for_host, self._number)


def _relay(line: bytes) -> None:
    _log.warning("the agent host says", text=line.decode(errors="replace"))
