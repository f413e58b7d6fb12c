"""What the runs actor and the agent host say to each other about agents: orders down, news up.

The runs actor never meets the host: a link (`supervisor.runtime.agents_link`) carries these values over the host's
protocol, which adds framing, attaching and acknowledging. Three rules hold whoever dies when:

- `Spawn` is idempotent by run id until `Bury`: ordered twice, an agent runs once and `Started` is told twice.
- Every byte of output has an offset in its stream. Until it was acknowledged it comes again, from the offset that the
  link names when it attaches.
- `Ended` comes after the last `Output` of its run, once for each time a link attaches, until `Bury`.

An order given while no host is attached is lost. Whoever gave it decides anew when `Attached` comes: a run that is not
in its list has no process, because agents do not outlive their host.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

OUTPUT_BYTES_MAX: Final = 64 << 10
"""Data of one `Output`."""

RESULT_BYTES_MAX: Final = 64 << 10
"""Of a result that an agent leaves in a file; a longer one is told up to here, and its file stays."""

RunId = Annotated[str, Meta(min_length=1, max_length=200)]
Stream = Literal["stdout", "stderr"]
Offset = Annotated[int, Meta(ge=0, le=(1 << 62))]


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower):
    """One message; its `type` member is the class's name in lower case."""


class Offsets(msgspec.Struct, frozen=True, kw_only=True):
    """How many bytes of each stream of a run are safely written."""

    stdout: Offset = 0
    stderr: Offset = 0


# Orders.


class Spawn(_Message, frozen=True):
    """Start an agent; `Started` or `NotStarted` answers."""

    run_id: RunId
    argv: Annotated[tuple[str, ...], Meta(min_length=1)]
    """No shell; a name without a slash is looked for in the PATH of `env`."""
    env: dict[str, str]
    """The whole environment; the host adds its marker."""
    cwd: str
    memory_bytes_max: Annotated[int, Meta(ge=1)] | None = None
    """Of address space, for each process of the agent."""
    files_max: Annotated[int, Meta(ge=1)] | None = None
    """Open files, for each process of the agent."""
    result_path: str | None = None
    """Where the agent leaves its result, if it leaves one there: `Ended` tells it."""


class End(_Message, frozen=True):
    """End an agent's whole tree: SIGTERM, and SIGKILL after `grace_s`. A shorter grace replaces a longer one."""

    run_id: RunId
    grace_s: Annotated[float, Meta(ge=0, le=86_400)]


class Bury(_Message, frozen=True):
    """The end of the run is a durable fact: forget it. Ignored while it has not ended."""

    run_id: RunId
    result_path: str | None = None
    """Remove what lies there, also when the run is not known: it may have been another host's."""


# News.


class AgentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run that the host has: not buried yet."""

    run_id: RunId
    pid: int
    pid_started: int
    ended: bool
    """Whether it is over; its `Ended` follows when its output has come."""


class Attached(_Message, frozen=True):
    """A host is there, with these runs and no others. Their output follows, from the offsets that were named."""

    version: int
    host_pid: int
    host_started: int
    """With the pid this tells one host from the next."""
    runs: tuple[AgentRow, ...]


class Started(_Message, frozen=True):
    """The agent's process is there."""

    run_id: RunId
    pid: int
    pid_started: int
    """In clock ticks since boot (field 22 of /proc/PID/stat): pid and start together are the identity of a process."""


class NotStarted(_Message, frozen=True):
    """There is no process, and the host keeps nothing of the run: it may be ordered again."""

    run_id: RunId
    reason: str
    """For people: what is missing or refused, with its name."""
    code: str
    """The system's name of the error (ENOENT, EACCES, EMFILE, EAGAIN, E2BIG, ...), EINVAL for an impossible order."""
    exit_status: Literal[126, 127] | None = None
    """What shells, `env` and docker end with then: 127 the command is missing, 126 it cannot be executed."""


class Output(_Message, frozen=True):
    """Bytes that the agent wrote, at most `OUTPUT_BYTES_MAX`."""

    run_id: RunId
    stream: Stream
    offset: Offset
    data: bytes


class Ended(_Message, frozen=True):
    """The agent is gone, its tree with it, and all that they wrote was told."""

    run_id: RunId
    exit_code: int | None
    signal: int | None
    """Set instead of `exit_code` when a signal ended it."""
    stdout_bytes: Offset
    stderr_bytes: Offset
    drained: bool = True
    """False: somebody out of reach still held a pipe when the time for draining it was over."""
    left: tuple[int, ...] = ()
    """Pids of the tree that could not be killed: another user's, or stuck in a system call."""
    result: bytes | None = None
    """What the agent left at `result_path`, at most `RESULT_BYTES_MAX` of it."""
    result_bytes: Offset = 0
    """How long that file is."""


Order = Spawn | End | Bury
News = Attached | Started | NotStarted | Output | Ended
