"""The runtime's life: take the writer's lock, run the tree, carry out the root's orders, leave with the right code."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import trio

from actors.kernel.clock import SystemClock
from actors.model.errors import IncompatibleVersion, InvalidParams, PerdureError
from supervisor import __version__
from supervisor.config import from_wire
from supervisor.config.schema import Config
from supervisor.config.tools import not_installed, told, tools_of
from supervisor.logs import configure_to_stream, get_logger, select
from supervisor.root.control import (
    GaveUp,
    Hello,
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
from supervisor.root.errors import ExitCode, NotAStateDirectory
from supervisor.root.runtime_side import RootGone, RuntimeLink
from supervisor.root.writer_lock import WriterLock, WriterStillThere
from supervisor.runtime.assembly import Assembly, Birth
from supervisor.runtime.late import load_the_rest
from supervisor.runtime.tidings import Tidings
from supervisor.tree.errors import GaveUp as TreeGaveUp
from supervisor.tree.errors import StartFailed
from supervisor.tree.events import ChildExited, ChildStuck, TreeEvent
from supervisor.tree.hooks import Hooks
from supervisor.tree.supervisor import Supervisor

DRAIN_SHARE: Final = 0.25
"""How much of the time for a stop may go to commands that are under way; the rest belongs to the last snapshot."""

SERVICES_SHARE: Final = 0.4
"""How much of it a service may have between SIGTERM and SIGKILL: its own grace may be longer than the whole stop."""

JOIN_WITHIN_S: Final = 1.0
"""How long the end waits for the writer's threads; they are idle unless the stop was cut short."""

REFUSALS: Final[dict[str, ExitCode]] = {
    IncompatibleVersion.__name__: ExitCode.INCOMPATIBLE,
    NotAStateDirectory.__name__: ExitCode.NOT_A_STATE_DIRECTORY,
    InvalidParams.__name__: ExitCode.NOT_A_STATE_DIRECTORY,
    "FallbackUnreachable": ExitCode.USAGE,
}
"""What the writer raises at its start when this is no place to run, and the code that says so."""

_log = get_logger("supervision:runtime")


def run_runtime(link: RuntimeLink, hello: Hello, listener: socket.socket, state_path: Path) -> int:
    """Be the runtime that the root wants; return the exit code."""
    config = from_wire(hello.config)
    configure_to_stream(sys.stderr.buffer, hello.log_level, config.log.debug)
    birth = Birth(
        config=config,
        state_path=state_path,
        listener=listener,
        incarnation=hello.incarnation,
        root_pid=hello.root_pid,
        started_at=hello.started_at,
        ignore_fallback=hello.ignore_fallback,
        version=__version__,
        doors=_doors(hello.doors_fd),
    )
    try:
        lock = WriterLock.acquire(state_path)
    except WriterStillThere as error:
        _log.error("cannot write", problem=error.message, next=error.hint)
        return ExitCode.STORAGE_UNAVAILABLE
    if birth.incarnation == 1:
        _tell_of_missing_tools(config)
    runtime = Runtime(link, birth)
    try:
        return trio.run(runtime.run, restrict_keyboard_interrupt_to_checkpoints=True)
    finally:
        # A thread that is still in a system call may write yet: then the lock goes with the process, and not before.
        if runtime.writes_no_more(JOIN_WITHIN_S):
            lock.release()


def _tell_of_missing_tools(config: Config) -> None:
    """Say once which tools could not begin an agent here: a hint for whoever wonders, and no error."""
    missing = not_installed(tools_of(config.tools, os.environ), os.environ)
    if missing:
        _log.info("tools are configured whose command is not installed", tools=told(missing))


def _doors(inherited_fd: int | None) -> socket.socket | None:
    """Return the way that connections with the agent host come; nothing that this process starts inherits it."""
    if inherited_fd is None:
        return None
    os.set_inheritable(inherited_fd, False)  # noqa: FBT003  the system call's own argument
    return socket.socket(fileno=inherited_fd)


class Runtime:
    """One runtime, from its assembly to its exit code."""

    def __init__(self, link: RuntimeLink, birth: Birth, *, assemble: Callable[..., Assembly] = Assembly) -> None:
        self._link = link
        self._birth = birth
        self._assembly = assemble(
            birth,
            SystemClock(),
            ask_shutdown=lambda: link.send(Shutdown()),
            ask_reload=lambda: link.send(ReloadWanted()),
            give_up=self._give_up,
        )
        self._refused = False
        self._tidings = Tidings(
            tell=self._assembly.mailboxes["events"].tell,
            restarts=self._assembly.office.metrics.restarts,
            restarted=self._assembly.alerts.restarted,
            log=_log,
        )
        self._tree = Supervisor(self._assembly.spec, Hooks(on_event=self._heard))
        self._assembly.office.tree = self._tree

    def writes_no_more(self, within_s: float) -> bool:
        """Wait until no thread of the writer can touch the disk any more; return False when one still may."""
        return self._assembly.desk.ended(within_s)

    async def run(self) -> int:
        """Run the tree until it ends; return the exit code."""
        async with trio.open_nursery() as nursery:
            self._assembly.office.nursery = nursery
            nursery.start_soon(self._link.beat_every, self._birth.config.supervisor.heartbeat_s)
            nursery.start_soon(self._obey, nursery)
            nursery.start_soon(self._announce)
            nursery.start_soon(self._load_the_rest)
            code = await self._run_tree()
            self._assembly.gateway.close()
            self._assembly.close()
            nursery.cancel_scope.cancel()
        return code

    async def _run_tree(self) -> ExitCode:
        try:
            await self._tree.run()
        except TreeGaveUp as error:
            return self._failed(error)
        finally:
            self._tidings.close()
        self._link.send(Stopped())
        return ExitCode.FINE

    def _failed(self, error: TreeGaveUp) -> ExitCode:
        cause = error.__cause__
        while isinstance(cause, TreeGaveUp):  # a supervisor that could not start because one below it could not
            cause = cause.__cause__
        code = REFUSALS.get(type(cause).__name__)
        if isinstance(error, StartFailed) and isinstance(cause, PerdureError) and code is not None:
            self._link.send(Refused(message=cause.message, hint=cause.hint))
            return code
        self._link.send(GaveUp(message=str(error)))
        return ExitCode.STORAGE_UNAVAILABLE if isinstance(cause, OSError) else ExitCode.GAVE_UP

    async def _announce(self) -> None:
        """Tell the root when clients are served."""
        if await self._tree.wait_ready():
            ledger = self._assembly.ledger
            report = ledger.recovery
            summary: dict[str, Any] = {
                name: report[name] for name in ("case", "base", "facts_replayed", "duration_s") if name in report
            }
            self._link.send(Ready(seq=ledger.tables.seq, recovery=summary))

    async def _load_the_rest(self) -> None:
        if await self._tree.wait_ready():
            await load_the_rest()

    async def _stop(self, stop: Stop) -> None:
        """Answer what is under way, then stop everybody; the writer, last of all, takes a snapshot."""
        self._assembly.watch.stopping = True
        if self._assembly.services is not None:
            self._assembly.services.limit_grace(stop.grace_s * SERVICES_SHARE)
        await self._assembly.gateway.drain(stop.reason, stop.grace_s * DRAIN_SHARE)
        await self._tidings.told()
        self._tree.stop(stop.reason)

    async def _obey(self, nursery: trio.Nursery) -> None:
        """Carry out the root's orders."""
        while True:
            try:
                order = await self._link.next_order()
            except RootGone:
                return  # the watcher thread ends the process
            match order:
                case Stop() as stop:
                    nursery.start_soon(self._stop, stop)
                case Root() as root:
                    self._assembly.office.root = {
                        "pids": root.pids,
                        "restarts": root.restarts,
                        "last_error": root.last_error,
                        "phase": root.phase,
                    }
                    self._assembly.alerts.processes_restarted(root.restart_ages_s)
                case Reload() as reload:
                    self._reloaded(reload)
                case ReloadRefused(message=message):
                    self._answer_reloads(InvalidParams(message, hint="correct the configuration; the old one stays"))
                case Hello():
                    _log.error("the root said hello twice")

    def _reloaded(self, reload: Reload) -> None:
        config = from_wire(reload.config)
        self._assembly.take_live(config)
        select(config.log.level, config.log.debug)
        self._answer_reloads({"applied": list(reload.applied), "needs_restart": list(reload.needs_restart)})

    def _answer_reloads(self, answer: dict[str, Any] | PerdureError) -> None:
        waiting, self._assembly.office.reloads = self._assembly.office.reloads, []
        for hear in waiting:
            hear(answer)

    def _heard(self, event: TreeEvent) -> None:
        """Take what the supervisors tell."""
        if self._is_refused(event):
            return
        if isinstance(event, ChildStuck):
            self._give_up(f"{event.path} was cancelled {event.waited_s:g} s ago and does not leave")
        else:
            self._tidings.hear(event)

    def _is_refused(self, event: TreeEvent) -> bool:
        """Whether the event belongs to the end of a runtime that will not run here: the root says why, in one line."""
        if isinstance(event, ChildExited) and event.report is not None and event.report.incarnation == 1:
            self._refused = self._refused or event.report.exception_type in REFUSALS
        return self._refused

    def _give_up(self, message: str) -> None:
        """End the process: going on would risk two writers."""
        self._tidings.close()
        _log.error("the runtime ends itself", problem=message)
        self._link.send(GaveUp(message=message))
        sys.stderr.flush()
        # Not sys.exit: the thread that hangs in the disk would keep the process alive.
        os._exit(ExitCode.GAVE_UP)
