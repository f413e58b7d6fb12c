"""
One agent's life in the host, from its spawn to the burial of its run.

::

    RUNNING ── it exits, or End ──► LEAVING ── tree dead, agent reaped ──► DRAINING ── pipes at their end ──► OVER
                                    SIGTERM to the tree, at kill_at_s SIGKILL

The agent's tree dies with it in every case: when the agent left by itself, what it left behind gets
`LEFTOVER_GRACE_S`; when it was told to end, the grace of that order. While the tree is not dead the agent stays a
zombie (see `reaper`). Somebody out of reach may hold a pipe open beyond that: `DRAIN_S` after the death of the tree the
pipe gives what it holds at that moment, and is closed.

Nothing here waits: `advance` goes as far as it can at a moment, `wakes_at_s` says when to call it again at the latest.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
from collections.abc import Callable
from enum import Enum
from typing import Final

from actors.messages.agents import AgentRow, Ended, Started, Stream
from supervisor.agents import reaper
from supervisor.agents.buffers import Window
from supervisor.agents.cgroup import Group
from supervisor.agents.results import read_result
from supervisor.agents.spawn import Spawned, unread_bytes
from supervisor.agents.tree_of import Identity, Look, send

LEFTOVER_GRACE_S: Final = 2.0
"""For what an agent leaves behind, between SIGTERM and SIGKILL: it has nothing to save that its agent waited for."""
DRAIN_S: Final = 2.0
UNKILLABLE_S: Final = 10.0
"""After SIGKILL; what is still there then is another user's, or stuck in a system call, and is told as left."""

LOOK_S: Final = 0.2
"""Between two looks at a tree that may take its time: a look costs milliseconds."""
LOOK_KILLED_S: Final = 0.02
_PASSES_MAX: Final = 20
"""Of looking and killing in one go, while new processes are found: a tree that forks is outrun, or met again soon."""
_READ_BYTES: Final = 64 << 10


class Phase(Enum):
    """Where an agent is in its life."""

    RUNNING = "running"
    LEAVING = "leaving"
    DRAINING = "draining"
    OVER = "over"


class Pipe:
    """One stream of an agent: the pipe, while it is open, and the window of what came through it."""

    def __init__(self, stream: Stream, descriptor: int) -> None:
        self.stream: Stream = stream
        self.descriptor = descriptor
        self.window = Window()
        self._last_bytes: int | None = None
        """Once the time is over: how many bytes are still taken."""

    @property
    def is_open(self) -> bool:
        """Whether more may come."""
        return self.descriptor >= 0

    @property
    def wants_reading(self) -> bool:
        """Whether there is a pipe and room for what it gives."""
        return self.is_open and self.window.room > 0

    def read(self) -> None:
        """Take what is there, a chunk at most; closes the pipe at its end."""
        most = min(_READ_BYTES, self.window.room)
        if self._last_bytes is not None:
            most = min(most, self._last_bytes)
        if most == 0:
            return  # its share became smaller since it was polled; reading nothing would look like the end
        try:
            data = os.read(self.descriptor, most)
        except BlockingIOError:
            return
        self.window.take(data)
        if self._last_bytes is not None:
            self._last_bytes -= len(data)
        if not data or self._last_bytes == 0:
            self.close()

    def cut(self) -> None:
        """Take what the pipe holds now and no more."""
        if self._last_bytes is None:
            self._last_bytes = unread_bytes(self.descriptor)
            if self._last_bytes == 0:
                self.close()

    def close(self) -> None:
        """Close it; called again, it does nothing."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Agent:
    """See the module's text. Times are of one monotonic clock, in seconds."""

    def __init__(
        self,
        run_id: str,
        marker: str,
        spawned: Spawned,
        *,
        result_path: str | None = None,
        group: Group | None = None,
    ) -> None:
        self.run_id = run_id
        self.group = group
        """Its control group, where there are some; whoever made it removes it when the tree is dead."""
        self.result_path = result_path
        self.identity = spawned.identity
        self.phase = Phase.RUNNING
        self.pipes = (Pipe("stdout", spawned.stdout_fd), Pipe("stderr", spawned.stderr_fd))
        self.end_is_told = False
        """Whether the present connection has had `Ended`."""
        self.wakes_at_s = math.inf
        self._marker = marker
        self._process = spawned.process
        self._exit: reaper.Exit | None = None
        self._kill_at_s = math.inf
        self._drained_by_s = math.inf
        self._known: set[Identity] = set()
        """Everything that was ever seen in its tree since it began to leave."""
        self._told_to_go: set[Identity] = set()
        self._left: tuple[int, ...] = ()
        self._drained = True

    @property
    def has_process(self) -> bool:
        """Whether its pid is still its own: it runs, or is a zombie."""
        return self.phase in (Phase.RUNNING, Phase.LEAVING)

    def pipe(self, stream: Stream) -> Pipe:
        """Return the pipe of a stream."""
        return self.pipes[0] if stream == "stdout" else self.pipes[1]

    def started(self) -> Started:
        """Return the news of its start."""
        return Started(run_id=self.run_id, pid=self.identity.pid, pid_started=self.identity.started)

    def row(self) -> AgentRow:
        """Return its row for a runtime that attaches."""
        over = self.phase is Phase.OVER
        return AgentRow(run_id=self.run_id, pid=self.identity.pid, pid_started=self.identity.started, ended=over)

    def ended(self) -> Ended | None:
        """Return the news of its end; None before it is over."""
        if self.phase is not Phase.OVER or self._exit is None:
            return None
        stdout, stderr = self.pipes
        result = None if self.result_path is None else read_result(self.result_path)
        return Ended(
            run_id=self.run_id,
            exit_code=self._exit.code,
            signal=self._exit.signal,
            stdout_bytes=stdout.window.end,
            stderr_bytes=stderr.window.end,
            drained=self._drained,
            left=self._left,
            result=None if result is None else result.data,
            result_bytes=0 if result is None else result.size_bytes,
        )

    def end(self, now_s: float, grace_s: float) -> None:
        """Tell the tree to go, and kill it after the grace; the shortest grace counts."""
        if not self.has_process:
            return
        self.phase = Phase.LEAVING
        self._kill_at_s = min(self._kill_at_s, now_s + grace_s)
        self.wakes_at_s = now_s

    def child_died(self, now_s: float) -> None:
        """Note that some child of the host has died: it may be this one, or one of its tree."""
        if self.has_process:
            self.wakes_at_s = now_s

    def advance(self, now_s: float, look: Callable[[], Look]) -> None:
        """Go on as far as possible. `look` gives this moment's look at the processes."""
        if self.has_process and now_s >= self.wakes_at_s:
            self.wakes_at_s = math.inf
            self._see_exit(now_s)
            if self.phase is Phase.LEAVING:
                self._end_tree(now_s, look())
        if self.phase is Phase.DRAINING:
            self._drain(now_s)

    def _see_exit(self, now_s: float) -> None:
        if self._exit is None and (exited := reaper.peek(self.identity.pid)) is not None:
            self._exit = exited
            self.end(now_s, LEFTOVER_GRACE_S)

    def _end_tree(self, now_s: float, look: Look) -> None:
        alive = self._alive(look)
        if now_s >= self._kill_at_s and (alive or self._exit is None):
            alive = self._kill(alive)
        else:
            self._tell_to_go(alive - self._told_to_go, look)
        if not alive and self._exit is None:
            self._see_exit(now_s)
        if self._exit is not None and (not alive or now_s >= self._kill_at_s + UNKILLABLE_S):
            self._left = tuple(sorted(identity.pid for identity in alive))
            self._bury_process(now_s)
            return
        pause_s = LOOK_KILLED_S if now_s >= self._kill_at_s else LOOK_S
        self.wakes_at_s = now_s + pause_s
        if now_s < self._kill_at_s:
            self.wakes_at_s = min(self.wakes_at_s, self._kill_at_s)

    def _alive(self, look: Look) -> set[Identity]:
        grouped = self.group.pids() if self.group is not None else ()
        tree = look.tree_of(self.identity, self._marker, self._known, grouped)
        self._known.update(tree)
        return {identity for identity, process in tree.items() if not process.dead}

    def _tell_to_go(self, members: set[Identity], look: Look) -> None:
        self._told_to_go |= members
        for identity in members:
            send(identity, signal.SIGTERM)
            send(identity, signal.SIGCONT)  # one that is stopped could not obey
        if not look.processes and self._exit is None and not self._told_to_go:
            self._signal_group(signal.SIGTERM)
            self._told_to_go.add(self.identity)

    def _kill(self, alive: set[Identity]) -> set[Identity]:
        """Kill until nothing new is found; return what was alive in the last look."""
        killed: set[Identity] = set()
        if self.group is not None:
            self.group.kill()
        for _ in range(_PASSES_MAX):
            self._signal_group(signal.SIGKILL)
            for identity in alive - killed:
                send(identity, signal.SIGKILL)
            killed |= alive
            alive = self._alive(Look())
            if alive <= killed:
                break
        return alive

    def _signal_group(self, number: signal.Signals) -> None:
        """Signal the process group, which is its own as long as the agent is not reaped."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.identity.pid, number)

    def _bury_process(self, now_s: float) -> None:
        self._signal_group(signal.SIGKILL)  # whoever was forked into it since the look
        reaper.reap(self._process)
        self.phase = Phase.DRAINING
        self._drained_by_s = now_s + DRAIN_S
        self.wakes_at_s = self._drained_by_s
        self._drain(now_s)

    def _drain(self, now_s: float) -> None:
        if now_s >= self._drained_by_s:
            self.wakes_at_s = math.inf
            for pipe in self.pipes:
                if pipe.is_open:
                    self._drained = False
                    pipe.cut()
        if not any(pipe.is_open for pipe in self.pipes):
            self.phase = Phase.OVER
            self.wakes_at_s = math.inf
