"""
The root's desk: where everything that happens to the root arrives, and every decision of its own is made.

Lives of runtimes report here (`launch.Desk`), so do the supervision tree (`_on_event`), signals and the relay.
Nothing here waits. Whether and when a runtime is started again is not decided here but by the tree.
"""

import math
import os
from typing import Final

import trio
from attrs import define, field

from supervisor.agents.sweep import without_marker
from supervisor.config import Config, to_wire
from supervisor.log_file import Rotation
from supervisor.logs import get_logger, select
from supervisor.root.board import Board, Phase
from supervisor.root.control import Hello, Ready, Refused, Root, Stop
from supervisor.root.errors import CannotRun, ExitCode, RuntimeGivenUp, RuntimeRefused
from supervisor.root.holdings import Holdings
from supervisor.root.host_child import host_spec
from supervisor.root.host_life import Doors, HostLaunch
from supervisor.root.launch import Launch, Life
from supervisor.root.lock import now_text
from supervisor.root.options import RootOptions
from supervisor.root.reload import reread
from supervisor.root.runtime_child import RuntimeChild
from supervisor.tree.errors import GaveUp
from supervisor.tree.events import ChildExited, ChildRestarting, ChildStuck, Escalated, TreeEvent
from supervisor.tree.hooks import Hooks
from supervisor.tree.policy import Backoff, Intensity
from supervisor.tree.spec import ChildSpec, SupervisorSpec
from supervisor.tree.supervisor import Supervisor

BURIAL_S: Final = 15.0
"""Beyond its grace a runtime is killed and reaped; this is the tree's own bound above that."""

AGENTS_PATH: Final = "root/agents"

_log: Final = get_logger("supervision:root")


@define(eq=False)
class RootDesk:
    """One root, from its start to its exit code."""

    _options: RootOptions
    _held: Holdings
    _umask: int
    """What the root was started with; agents get it, because their files are their user's."""
    stopping: bool = field(default=False, init=False)
    failure: CannotRun | None = field(default=None, init=False)
    """Why the root ends, when it is not because it was told to."""
    _config: Config = field(init=False)
    _board: Board = field(init=False)
    _supervisor: Supervisor = field(init=False)
    _started_at: str = field(factory=now_text, init=False)
    _lives: list[Life] = field(factory=list, init=False)
    _runtime: Life | None = field(default=None, init=False)
    _doors: Doors = field(factory=Doors, init=False)
    _served: trio.Event = field(factory=trio.Event, init=False)
    _stop_reason: str = field(default="", init=False)
    _exit_code: int = field(default=ExitCode.FINE, init=False)

    def __attrs_post_init__(self) -> None:
        self._config = self._options.config
        self._board = Board(self._held.lock, self._held.notifier, self._tell_runtime)
        self._board.show(socket=self._held.listener.address)
        self._supervisor = Supervisor(self._spec(), Hooks(on_event=self._on_event))

    # What the root does.

    async def supervise(self) -> int:
        """Keep a runtime alive until told to stop; give the exit code, or set `failure`."""
        _log.info("started", state_path=str(self._held.state_path), socket=self._held.listener.address)
        try:
            await self._supervisor.run()
        except GaveUp as error:
            self.failure = self.failure or RuntimeGivenUp(f"gave up: {error}")
        finally:
            self._board.show(phase=Phase.STOPPED, runtime_pid=None, standby_pid=None)
        exit_code = self._exit_code if self.failure is None else self.failure.exit_code
        _log.info("stopped", reason=self._stop_reason, exit_code=exit_code)
        return self._exit_code

    async def feed_watchdog(self) -> None:
        """Tell the service manager that all is well, unless the runtime is silent; between two runtimes all is well."""
        period_s = self._held.notifier.watchdog_s
        while period_s is not None:
            pulse = self._runtime.pulse if self._runtime is not None else None
            if pulse is None or pulse.is_good(trio.current_time()):
                self._held.notifier.alive()
            await trio.sleep(period_s)

    def stop(self, reason: str) -> None:
        """Stop in order; the first reason stands."""
        if self.stopping:
            return
        self.stopping = True
        self._stop_reason = reason
        _log.info("stopping", reason=reason)
        self._board.show(phase=Phase.STOPPING)
        self._held.notifier.stopping(reason)
        self._supervisor.stop(reason)
        for life in self._lives:
            if not life.is_runtime:
                life.kill()  # or it would take the office that the runtime is about to leave

    def stop_at_once(self, exit_code: int) -> None:
        """Kill everything and end with `exit_code`."""
        self._exit_code = exit_code
        self.stop("told to stop at once")
        for life in self._lives:
            life.kill("told to stop at once")

    def reload(self) -> None:
        """Read the configuration again and pass on what came of it."""
        self._held.notifier.reloading()
        outcome = reread(self._config, self._options.load_config)
        self._config = outcome.config
        log = outcome.config.log
        select(log.level, log.debug)
        if self._held.log_file is not None:
            self._held.log_file.rotation = Rotation(rotate_bytes=log.rotate_bytes, rotated_kept=log.rotated_kept)
        if self._runtime is not None:
            self._runtime.post(outcome.order)
        self._held.notifier.ready(self._board.sentence())

    # What happens to runtimes (launch.Desk).

    def hello(self, incarnation: int, doors_fd: int) -> Hello:
        """Give the order that makes a process the runtime."""
        return Hello(
            config=to_wire(self._config),
            state_path=str(self._held.state_path),
            listen_fd=self._held.listener.socket.fileno(),
            incarnation=incarnation,
            root_pid=os.getpid(),
            started_at=self._started_at,
            log_level=self._config.log.level,
            doors_fd=doors_fd,
            ignore_fallback=self._options.ignore_fallback,
        )

    def stop_order(self) -> Stop:
        """Give the order that ends a runtime."""
        return Stop(reason=self._stop_reason, grace_s=self._config.supervisor.stop_grace_s)

    def spawned(self, life: Life) -> None:
        """A process exists."""
        self._lives.append(life)
        self._show_pids()

    def took_office(self, life: Life) -> None:
        """It is the runtime from now on."""
        self._runtime = life
        self._doors.runtime_is(life)
        self._show_pids()

    def recovering(self) -> None:
        """The runtime gave its first sign of life."""
        self._enter(Phase.RECOVERING)

    def ready(self, life: Life, news: Ready) -> None:
        """Clients are served."""
        _log.info("serving", pid=life.pid, seq=news.seq, recovery=news.recovery)
        self._enter(Phase.RUNNING)
        life.post(self._board.facts())
        self._held.notifier.ready(self._board.sentence())
        self._held.ready_line.tell(os.getpid(), self._held.listener.address, news.seq)
        self._served.set()

    def status(self, text: str) -> None:
        """Show what the runtime is busy with."""
        self._held.notifier.status(text)

    def shutdown_wanted(self) -> None:
        """A client asked for the end of everything."""
        self.stop("a client asked for it")

    def reload_wanted(self) -> None:
        """A client asked that the configuration be read again."""
        self.reload()

    def refused(self, code: ExitCode, refusal: Refused) -> None:
        """The runtime will not run here: end with its code."""
        self.failure = RuntimeRefused(code, refusal.message, refusal.hint)
        self._board.show(last_error=refusal.message)
        self.stop(refusal.message)

    def gone(self, life: Life) -> None:
        """Its process is dead and reaped."""
        self._lives.remove(life)
        if self._runtime is life:
            self._runtime = None
            self._doors.runtime_is(None)
        self._show_pids()

    # What is seen of it.

    def _on_event(self, event: TreeEvent) -> None:
        match event:
            case ChildExited(expected=False, report=report, path=path) if report is not None:
                _log.error(
                    f"{_who(path)} died",
                    reason=report.message,
                    uptime_s=round(report.uptime_s, 3),
                    crash_id=report.id,
                )
                of_host = path.startswith(AGENTS_PATH)
                self._board.show(last_error=f"{_who(path)}: {report.message}" if of_host else report.message)
            case ChildRestarting(path=path) if path.startswith(AGENTS_PATH):
                _log.warning("starting the agent host again", delay_s=event.delay_s, exhausted=event.exhausted)
            case ChildRestarting():
                self._board.show(restarts=self._board.shown.restarts + 1)
                if self._runtime is None:
                    self._enter(Phase.SLOW_RETRY if event.exhausted else Phase.RESTARTING)
                _log.warning("starting the runtime again", delay_s=event.delay_s, exhausted=event.exhausted)
            case ChildStuck(path=path):
                _log.critical(f"{_who(path)} is dead and cannot be reaped", waited_s=event.waited_s)
            case Escalated():
                _log.critical("the runtime died too often", message=event.message)
            case _:
                pass

    def _enter(self, phase: Phase) -> None:
        """Show a phase, unless the end has begun."""
        if not self.stopping:
            self._board.show(phase=phase)

    def _show_pids(self) -> None:
        standbys = [life.pid for life in self._lives if not life.is_runtime]
        self._board.show(
            runtime_pid=self._runtime.pid if self._runtime is not None else None,
            standby_pid=standbys[0] if standbys else None,
        )

    def _runtime_pids(self) -> list[int]:
        """The pids of all runtimes, also of one that was sent ahead and has no life yet."""
        ahead = self._options.ahead
        sent = [ahead.process.pid] if ahead is not None and ahead.process.returncode is None else []
        return [*sent, *(life.pid for life in self._lives if life.pid is not None)]

    def _tell_runtime(self, facts: Root) -> None:
        if self._runtime is not None:
            self._runtime.post(facts)

    def _spec(self) -> SupervisorSpec:
        wanted = self._config.supervisor
        launch = Launch(
            argv=self._options.argv,
            environment=without_marker(self._held.environment),
            listen_fd=self._held.listener.socket.fileno(),
            hung_after_s=wanted.hung_after_s,
            take_line=self._held.take_line,
        )
        office = trio.Lock()
        wanted_lives = (("runtime", False, self._options.ahead), ("standby", True, None))
        children = tuple(
            ChildSpec(
                name=name,
                run=RuntimeChild(self, launch, office, self._served, stands_by=stands_by, ahead=ahead).run,
                stop_grace_s=wanted.stop_grace_s + BURIAL_S,
                start_within_s=math.inf,  # recovery takes as long as it takes, while it beats
            )
            for name, stands_by, ahead in wanted_lives[: 2 if self._options.standby else 1]
        )
        intensity = Intensity(wanted.process_restarts_max, wanted.process_within_s)
        backoff = Backoff(
            base_s=wanted.backoff_base_s,
            factor=wanted.backoff_factor,
            max_s=wanted.backoff_max_s,
            healthy_after_s=wanted.healthy_after_s,
        )
        hosting: tuple[SupervisorSpec, ...] = ()
        if self._options.host_argv is not None:
            host = HostLaunch(
                argv=self._options.host_argv,
                environment=self._held.environment,
                state_path=self._held.state_path,
                umask=self._umask,
                cgroups=self._config.runs.cgroups,
                heartbeat_s=wanted.heartbeat_s,
                hung_after_s=wanted.hung_after_s,
                spared_pids=self._runtime_pids,
                show_pid=lambda pid: self._board.show(host_pid=pid),
            )
            hosting = (host_spec(host, self._doors, intensity, backoff, wanted.slow_retry_s),)
        return SupervisorSpec(
            name="root",
            children=(*hosting, *children),
            intensity=intensity,
            backoff=backoff,
            slow_retry_s=wanted.slow_retry_s if wanted.on_exhausted == "slow_retry" else None,
        )


def _who(path: str) -> str:
    return "the agent host" if path.startswith(AGENTS_PATH) else "the runtime"
