"""
One life of a runtime process, from its spawning to its last word.

::

    spawned ──── waits for the office (at once its own, unless another runtime holds it: then it is the standby)
       │ Hello
    importing ── first beat ── recovering ── Ready ── serving ── Stop ── gone
       └────────── silent for too long: stack dump, SIGKILL ──────────┘

`supervisor.tree.process` spawns it, sees its end and reaps it on every path; this module holds its two channels (orders
and news; output) and carries the conversation while it lives. What a life has to tell goes to a `Desk`, the root's.
"""

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Final

import trio

from supervisor.logs import get_logger
from supervisor.root.ahead import Ahead
from supervisor.root.control import (
    Beat,
    ControlBroken,
    ControlChannel,
    GaveUp,
    News,
    Order,
    Ready,
    Refused,
    ReloadWanted,
    Shutdown,
    Status,
)
from supervisor.root.ends import Ends
from supervisor.root.launch import Desk, Launch
from supervisor.root.output import Output
from supervisor.root.watchdog import Pulse, until_hung
from supervisor.tree.context import ChildContext
from supervisor.tree.process import ProcessSpec

DUMP_WITHIN_S: Final = 1.0
"""For this long a hung runtime's stack dump is waited for: writing it takes milliseconds."""
DUMP_QUIET_S: Final = 0.1

_log: Final = get_logger("supervision:runtime")


class RuntimeLife:
    """One process and the conversation with it. Made before the spawn, closed after the burial."""

    def __init__(self, desk: Desk, launch: Launch, office: trio.Lock, ahead: Ahead | None = None) -> None:
        """`ahead` is a process that was spawned already, with its ends; None: one is to be spawned as `spec` says."""
        ends = Ends() if ahead is None else ahead.taken()
        self.pid: int | None = None
        self.is_runtime = False
        """Whether it took the office; before that it is the standby."""
        self.pulse: Pulse | None = None
        self.refusal: Refused | None = None
        self.output = Output(launch.take_line, (ends.output_fd, ends.their_output_fd))
        self._desk = desk
        self._office = office
        self._launch = launch
        self._process: subprocess.Popen[bytes] | None = None
        self._ends = ends
        self._doors_fd = ends.their_doors.fileno()
        self._why: str | None = None
        self._gave_up: str | None = None
        ends.doors.settimeout(0)
        self._channel = ControlChannel(ends.control)

    def spec(self) -> ProcessSpec:
        """What to spawn. It is not asked to stop by a signal but by an order, which it must be running to read."""
        return ProcessSpec(
            argv=(*self._launch.argv, *self._ends.options),
            env=self._launch.environment,
            pass_fds=(*self._ends.pass_fds, self._launch.listen_fd),
            stdout=self.output.writer_fd,
            stderr=self.output.writer_fd,
            own_session=False,
            stop_signal=signal.SIGCONT,
        )

    def post(self, order: Order) -> bool:
        """Give an order; False when the process leaves so many unread that this one was dropped."""
        return self._channel.post(order)

    def give_door(self, door: socket.socket) -> bool:
        """Give it its end of a connection with the agent host; False when it leaves so many that it must be hung."""
        try:
            socket.send_fds(self._ends.doors, [b"d"], [door.fileno()])
        except OSError:
            return False
        return True

    async def attend(self, process: subprocess.Popen[bytes], context: ChildContext) -> None:
        """Carry the conversation until cancelled, which happens when the process is gone."""
        self._process = process
        self.pid = process.pid
        self._ends.close_theirs()
        self.output.close_writer()
        self._desk.spawned(self)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.output.relay)
            nursery.start_soon(self._end_when_told, context)
            if self._office.locked():
                context.ready({"pid": process.pid, "standby": True})
            async with self._office:
                self.is_runtime = True
                self.post(self._desk.hello(context.incarnation, self._doors_fd))
                self._desk.took_office(self)
                self.pulse = Pulse(hung_after_s=self._launch.hung_after_s, last_s=trio.current_time())
                nursery.start_soon(self._channel.run_sender)
                nursery.start_soon(self._listen, context)
                await until_hung(self.pulse)
                await self._put_down()
                await trio.sleep_forever()

    def close(self) -> None:
        """Hear its last words, then close everything; the process is gone."""
        self._ends.close_theirs()
        with contextlib.suppress(ControlBroken):
            for news in self._channel.last_news():
                self._note(news)
        self._channel.close()
        self._ends.doors.close()
        self.output.close()
        if self.pid is not None:
            self._desk.gone(self)

    def kill(self, why: str | None = None) -> None:
        """End it at once; the first `why` is what its death is told with."""
        if self._why is None:
            self._why = why
        self._signal(signal.SIGKILL)

    def cause_of_death(self, died: str) -> str:
        """The most telling of what is known: why we killed it, its own word, or how the process ended (`died`)."""
        if self._why is not None:
            return self._why
        return f"{self._gave_up} ({died})" if self._gave_up else died

    async def _listen(self, context: ChildContext) -> None:
        try:
            while (news := await self._channel.next_news()) is not None:
                self._hear(news, context)
        except ControlBroken as error:
            self.kill(f"broke the control channel: {error}")

    def _hear(self, news: News, context: ChildContext) -> None:
        if self.pulse is not None:
            if not self.pulse.heard:
                self._desk.recovering()
            self.pulse.beat(trio.current_time())
        match news:
            case Beat():
                pass
            case Ready():
                context.ready({"pid": self.pid, "seq": news.seq})
                self._desk.ready(self, news)
            case Shutdown():
                self._desk.shutdown_wanted()
            case ReloadWanted():
                self._desk.reload_wanted()
            case Status():
                self._desk.status(news.text)
            case _:
                self._note(news)

    def _note(self, news: News) -> None:
        """Keep what explains the end."""
        match news:
            case GaveUp():
                self._gave_up = news.message
            case Refused():
                self.refusal = news
            case _:
                pass

    async def _end_when_told(self, context: ChildContext) -> None:
        await context.stopping.wait()
        if not self.is_runtime:
            self.kill()  # a standby holds nothing
            return
        order = self._desk.stop_order()
        self.post(order)
        await trio.sleep(order.grace_s)
        _log.error("the runtime did not stop in time and is killed", pid=self.pid, grace_s=order.grace_s)
        self.kill(f"did not stop within {order.grace_s:g} s")

    async def _put_down(self) -> None:
        """Let the hung process say where it hangs, if it can, then kill it."""
        silent_s = self.pulse.allowed_s if self.pulse else 0.0
        halted = self.pid is not None and _is_halted(self.pid)
        how = "stopped by a signal" if halted else "hung"
        _log.error(f"the runtime is {how}: no sign of life, it is killed", pid=self.pid, silent_s=silent_s)
        if not halted:
            self._signal(signal.SIGUSR1)
            await self.output.dumped(DUMP_QUIET_S, DUMP_WITHIN_S)
        self.kill(f"{how}: no sign of life for {silent_s:g} s")

    def _signal(self, number: signal.Signals) -> None:
        """Signal it unless it is reaped: until then the pid is its own."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)


def _is_halted(pid: int) -> bool:
    """Whether a signal stopped it (SIGSTOP), so that it cannot dump its stacks; False where /proc does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return text.rpartition(b")")[2].split()[:1] in ([b"T"], [b"t"])
