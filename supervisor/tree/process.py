"""
An OS process as a child: spawned, watched to its end, asked to stop, killed, reaped; no orphan on any path.

- It is spawned by `subprocess.Popen` on trio's own thread, never in a worker thread: parent-death signals follow the
  spawning *thread*. Descriptors are closed, so a lock or a socket reaches it only through `pass_fds`.
- Its end is seen through a pidfd, not through its pipes, which a grandchild may hold open; nor by waiting for any
  child, which would steal statuses. Until it is reaped its pid cannot be another process's.
- With a session of its own, whatever is left of its process group is killed between its death and its reaping, while
  the group's number is still its own.
- Asked to stop it gets `stop_signal`; when its scope is cancelled (its grace is over, it is hung, the supervisor itself
  is cancelled) it gets SIGKILL and is reaped within `reap_within_s`, shielded.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

import trio
from attrs import field, frozen

from supervisor.tree.context import ChildContext

LAST_WORDS_S = 1.0
"""A dying process breaks its channel first. For this long its exit status is waited for, as it says more."""


@frozen(kw_only=True)
class ProcessSpec:
    """What to spawn and how to end it."""

    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    """The whole environment; None: the parent's."""
    cwd: str | os.PathLike[str] | None = None
    pass_fds: tuple[int, ...] = ()
    stdin: int | None = subprocess.DEVNULL
    stdout: int | None = None
    stderr: int | None = None
    own_session: bool = True
    """Its own session and process group: a terminal's Ctrl-C does not reach it, its leftovers can be killed."""
    stop_signal: signal.Signals = field(default=signal.SIGTERM)
    reap_within_s: float = 10.0
    """How long a killed process may take to be gone; one in an uninterruptible system call takes longer."""


class ProcessDied(Exception):
    """The process ended by itself, with a status other than 0 or by a signal."""

    def __init__(self, pid: int, returncode: int) -> None:
        self.pid = pid
        self.returncode = returncode
        self.signal = signal.Signals(-returncode) if returncode < 0 else None
        how = f"killed by {self.signal.name}" if self.signal else f"exited with {returncode}"
        super().__init__(f"process {pid} was {how}" if self.signal else f"process {pid} {how}")


class ProcessUnkillable(Exception):
    """SIGKILL was sent and the process is still there: it sits in a system call that cannot be interrupted."""


UntilReady = Callable[["subprocess.Popen[bytes]", ChildContext], Awaitable[Mapping[str, object] | None]]
"""
Called once, right after the spawn (close the child's ends of channels there). When it returns, the child is ready, with
what it returned as details beside `pid`. It may also call `ctx.ready` itself and go on for the process's life, to carry
its heartbeat to `ctx.beat`. It is cancelled when the process ends; when it raises, the process is killed.
"""


async def ready_at_once(_process: subprocess.Popen[bytes], _context: ChildContext) -> None:
    """Take a process for ready as soon as it is spawned."""


def process_child(
    spec: ProcessSpec, until_ready: UntilReady = ready_at_once
) -> Callable[[ChildContext], Awaitable[None]]:
    """Make the run function of a `ChildSpec`, where every incarnation is spawned alike."""

    async def run(context: ChildContext) -> None:
        await run_process(context, spec, until_ready)

    return run


async def run_process(
    context: ChildContext,
    spec: ProcessSpec,
    until_ready: UntilReady = ready_at_once,
    *,
    spawned: subprocess.Popen[bytes] | None = None,
) -> None:
    """
    Spawn a process, unless it was `spawned` already as `spec` says, and live as long as it does.

    Returns when it exits with 0 or, after it was asked to stop, by the stop signal. Raises `ProcessDied` for any other
    end, `OSError` when it cannot be spawned, `ProcessUnkillable`, and whatever `until_ready` raises.
    """
    process = spawned or _spawn(spec)
    try:
        with _watch(process) as gone:
            try:
                await _accompany(context, spec, process, gone, until_ready)
            finally:
                await _bury(spec, process, gone)
    finally:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what was not read by the dead cannot be written any more
                    pipe.close()
    as_asked = context.stopping.is_set() and process.returncode == -spec.stop_signal
    if process.returncode != 0 and not as_asked:
        raise ProcessDied(process.pid, process.returncode)


async def _accompany(
    context: ChildContext,
    spec: ProcessSpec,
    process: subprocess.Popen[bytes],
    gone: Callable[[], Awaitable[None]],
    until_ready: UntilReady,
) -> None:
    async def make_ready() -> None:
        try:
            details = await until_ready(process, context)
        except Exception:
            await trio.sleep(LAST_WORDS_S)  # cancelled as soon as the process is gone
            raise
        context.ready({"pid": process.pid, **(details or {})})

    async def signal_when_stopping() -> None:
        await context.stopping.wait()
        _kill(process, spec.stop_signal)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(make_ready)
        nursery.start_soon(signal_when_stopping)
        await gone()
        nursery.cancel_scope.cancel(reason="the process is gone")


async def _bury(spec: ProcessSpec, process: subprocess.Popen[bytes], gone: Callable[[], Awaitable[None]]) -> None:
    """Kill what is left of it and reap it; when it has ended by itself this does not wait."""
    with suppress(ProcessLookupError, PermissionError):  # nothing left of it (macOS: nothing but a zombie)
        if spec.own_session:
            os.killpg(process.pid, signal.SIGKILL)
    _kill(process, signal.SIGKILL)
    with trio.move_on_after(spec.reap_within_s, shield=True):
        await gone()
    if process.poll() is None:
        raise ProcessUnkillable(f"process {process.pid} is still there {spec.reap_within_s:g} s after SIGKILL")


def _kill(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal unless it is reaped: until then the pid is its own, and `Popen.send_signal` would reap it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _spawn(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        spec.argv,
        env=spec.env,
        cwd=spec.cwd,
        pass_fds=spec.pass_fds,
        stdin=spec.stdin,
        stdout=spec.stdout,
        stderr=spec.stderr,
        start_new_session=spec.own_session,
    )


@contextmanager
def _watch(process: subprocess.Popen[bytes]) -> Iterator[Callable[[], Awaitable[None]]]:
    """Give an async function that waits until the process is dead; on Linux it is not reaped by that."""
    if hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(process.pid)
        try:
            yield partial(trio.lowlevel.wait_readable, descriptor)
        finally:
            os.close(descriptor)
    else:
        yield _watch_by_thread(process)


def _watch_by_thread(process: subprocess.Popen[bytes]) -> Callable[[], Awaitable[None]]:
    """Wait in a thread, where there are no pidfds; it ends when the process does, which is always made sure of."""
    gone = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def wait() -> None:
        process.wait()
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(gone.set)

    threading.Thread(target=wait, name=f"wait for process {process.pid}", daemon=True).start()
    return gone.wait
