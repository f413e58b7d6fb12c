"""Who is built from what: the runtime's actors, their mailboxes, their order of start (the composition root's plan).

    runtime ── one_for_one
       ├── agents_link, where agents can be run
       ├── core ── rest_for_one: writer, then domain ── one_for_one: tasks, sessions, runs, events, reports, autosave
       ├── gateway
       ├── alerts
       └── services, where some are configured: each has a supervisor of its own (`supervisor.runtime.services`)

Everything that outlives an actor's crash is made here once: mailboxes, the ledger, the writer's desk, subscriptions,
the gateway's connections. What a crash may take is made anew by the `run` function of each child.
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from actors.autosave import Autosave, Watch
from actors.domain import Place
from actors.events import Events
from actors.hall import Hall
from actors.kernel.actor import BEAT_EVERY_S, Behaviour, serve
from actors.kernel.clock import Clock
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import Ref
from actors.ledger import Ledger, RecentLines
from actors.model.errors import ShuttingDown
from actors.model.state import Limits as TableLimits
from actors.reports import Reports
from actors.running.link import NoLink
from actors.runs import Runs
from actors.sessions import Sessions
from actors.storage.disk_store import DiskStore
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.subscriptions import Subscriptions
from actors.tasks import Tasks
from actors.writer import Desk, Writer
from supervisor.config.schema import Config
from supervisor.gateway.gateway import Gateway
from supervisor.gateway.observer import Tally
from supervisor.logs import get_logger
from supervisor.parsers import parser_of
from supervisor.runtime import settings
from supervisor.runtime.agents_link import AgentsLink
from supervisor.runtime.alerts.command import AlertCommand
from supervisor.runtime.alerts.watch import AlertWatch
from supervisor.runtime.methods import local_methods
from supervisor.runtime.metrics import RuntimeMetrics
from supervisor.runtime.office import Office
from supervisor.runtime.services.records import Records
from supervisor.runtime.services.supervisors import PLACE, Services
from supervisor.tree.context import ChildContext
from supervisor.tree.spec import ChildSpec, Strategy, SupervisorSpec

LETTERS_MAX: Final = 8192
"""Commands that wait for one actor: four of its batches. Beyond that the gateway reads no more: back-pressure."""

WRITER_LETTERS_MAX: Final = 32_768
"""The writer takes what all the others hand on, a batch (2048) of each at once, many times over."""

DOMAIN: Final = ("tasks", "sessions", "runs", "events", "reports", "autosave")
"""In the order of their start."""

_log = get_logger("supervision:actors")


@attrs.frozen(kw_only=True)
class Birth:
    """What the root tells a runtime at its start."""

    config: Config
    state_path: Path
    listener: socket.socket
    incarnation: int
    root_pid: int
    started_at: str
    version: str
    ignore_fallback: bool = False
    """Start although the fallback directory cannot be reached."""
    doors: socket.socket | None = None
    """Where the root hands over connections with the agent host; None: no agents can be run."""


class Assembly:
    """One runtime, built and not yet started: `spec` is what the supervisor runs."""

    def __init__(
        self,
        birth: Birth,
        clock: Clock,
        *,
        ask_shutdown: Callable[[], None],
        ask_reload: Callable[[], None],
        give_up: Callable[[str], None],
        disk: Disk | None = None,
    ) -> None:
        config = birth.config
        self._birth = birth
        self._clock = clock
        self._disk = disk or Disk()
        self.mailboxes = {name: Mailbox(name, LETTERS_MAX) for name in DOMAIN}
        self.mailboxes["writer"] = Mailbox("writer", WRITER_LETTERS_MAX)
        self._refs = {name: Ref(mailbox) for name, mailbox in self.mailboxes.items()}
        self.ledger = Ledger(recent=RecentLines(max(1, config.events.cache_size)))
        tally = Tally()
        metrics = RuntimeMetrics(tally, self.ledger, self.mailboxes)
        self.storage_settings = settings.storage_settings(config)
        self.desk = self._desk(metrics, give_up)
        self.watch = Watch(interval_s=config.state.autosave_interval_s, pid=birth.root_pid, started_at=birth.started_at)
        self.places = {name: self._place(name) for name in DOMAIN}
        self.office = Office(
            config=config,
            state_path=birth.state_path,
            version=birth.version,
            started_at=birth.started_at,
            incarnation=birth.incarnation,
            clock=clock,
            ledger=self.ledger,
            mailboxes=self.mailboxes,
            writer=self._refs["writer"],
            records=Records(self.ledger, self._refs["runs"]),
            tally=tally,
            metrics=metrics,
            ask_shutdown=ask_shutdown,
            ask_reload=ask_reload,
            log=get_logger("supervision:local"),
            socket_path=str(birth.listener.getsockname()),
        )
        self._subscriptions = Subscriptions(config.events.subscriber_lines_max)
        self.link = _link(birth.doors, self._refs["runs"])
        self.services = self.office.services = self._services()
        self.hall = Hall(link=self.link or NoLink(), parser_of=parser_of, changed=self.office.records.changed)
        metrics.event_lag = lambda: max(0, self._subscriptions.lag(self.ledger.tables.seq))
        self.alerts = AlertWatch(
            ledger=self.ledger,
            clock=clock,
            config=lambda: self.office.config,
            event_lag=metrics.event_lag,
            tell=self._refs["events"].tell,
            command=AlertCommand(get_logger("supervision:alerts"), os.environ),
            log=get_logger("supervision:alerts"),
        )
        metrics.alerts = self.office.alerts = self.alerts
        self.gateway = Gateway(
            listener=birth.listener,
            actors={name: self._refs[name] for name in ("tasks", "sessions", "runs", "events", "reports", "writer")},
            local=local_methods(self.office),
            crashed=_gateway_crashed,
            limits=settings.gateway_limits(config),
            observer=tally,
        )
        self.desk.is_followed = lambda: len(self._subscriptions) > 0
        self.desk.replying, self.desk.flush = self.gateway.replying, self.gateway.flush
        self.spec = self._spec()

    def take_live(self, config: Config) -> None:
        """Take the values of a configuration that was read again, as far as they may change while running."""
        self.office.config = config
        self.watch.interval_s = config.state.autosave_interval_s
        self.storage_settings = settings.storage_settings(config)
        if isinstance(self.desk.store, DiskStore):
            self.desk.store.settings = self.storage_settings
        for place in self.places.values():
            place.rules = settings.rules(config, self._birth.state_path, self._birth.started_at)

    def close(self) -> None:
        """Answer everything that still waits, and let the threads end."""
        for mailbox in self.mailboxes.values():
            mailbox.close(ShuttingDown("Perdure has stopped"))
        self.hall.close(ShuttingDown("Perdure has stopped"))
        self.desk.close()

    def _desk(self, metrics: RuntimeMetrics, give_up: Callable[[str], None]) -> Desk:
        return Desk(
            mailbox=self.mailboxes["writer"],
            ledger=self.ledger,
            clock=self._clock,
            settings=settings.writer_settings(self._birth.config),
            events=self._refs["events"],
            runs=self._refs["runs"],
            open_store=self._open_store,
            observer=metrics,
            give_up=give_up,
            log=get_logger("persistence:writer"),
        )

    def _place(self, name: str) -> Place:
        return Place(
            mailbox=self.mailboxes[name],
            writer=self._refs["writer"],
            ledger=self.ledger,
            clock=self._clock,
            rules=settings.rules(self._birth.config, self._birth.state_path, self._birth.started_at),
        )

    def _services(self) -> Services | None:
        specs = self.places["runs"].rules.runs.services
        if not specs:
            return None
        return Services(
            specs,
            self.office.records,
            up_at=self._birth.started_at,
            intensity=settings.processes_intensity(self._birth.config),
            backoff=settings.backoff(self._birth.config),
            restarts=self.office.metrics.restarts,
            log=get_logger("supervision:services"),
        )

    def _open_store(self) -> DiskStore:
        config = self._birth.config
        limits = TableLimits(
            events_kept=config.events.cache_size,
            keys_kept=config.idempotency.keys_max,
            keys_kept_s=config.idempotency.keep_s,
        )
        return DiskStore(
            disk=self._disk,
            layout=Layout(self._birth.state_path),
            settings=attrs.evolve(self.storage_settings, ignore_fallback=self._birth.ignore_fallback),
            limits=limits,
            stamp=self.desk.clock.stamp,
            version=self._birth.version,
        )

    def _spec(self) -> SupervisorSpec:
        supervise = partial(
            SupervisorSpec,
            intensity=settings.actors_intensity(self._birth.config),
            backoff=settings.backoff(self._birth.config),
        )
        domain = supervise(
            name="domain",
            strategy=Strategy.ONE_FOR_ONE,
            children=tuple(self._child(name, self._domain_run(name)) for name in DOMAIN),
        )
        writer = self._child("writer", self._writer_run, start_within_s=math.inf)
        core = supervise(name="core", strategy=Strategy.REST_FOR_ONE, children=(writer, domain))
        gateway = self._child("gateway", self.gateway.run)
        link = () if self.link is None else (self._child("agents_link", self._link_run),)
        services = () if self.services is None else (self._child(PLACE, self.services.run),)
        children = (*link, core, gateway, self._child("alerts", self.alerts.run), *services)
        return supervise(name="runtime", strategy=Strategy.ONE_FOR_ONE, children=children)

    def _child(self, name: str, run: Callable[[ChildContext], Any], start_within_s: float = 60.0) -> ChildSpec:
        supervision = self._birth.config.supervisor
        return ChildSpec(
            name=name,
            run=run,
            stop_grace_s=supervision.stop_grace_s,
            start_within_s=start_within_s,
            hung_after_s=supervision.hung_after_s,
        )

    async def _link_run(self, context: ChildContext) -> None:
        """Carry orders and news until everybody else has stopped."""
        if self.link is None:
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.link.run)
            context.ready()
            while not context.stopping.is_set():
                context.beat()
                await context.chaos_hang()
                with trio.move_on_after(BEAT_EVERY_S):
                    await context.stopping.wait()
            nursery.cancel_scope.cancel(reason="the runtime stops")

    async def _writer_run(self, context: ChildContext) -> None:
        await serve(Writer(self.desk, context), self.mailboxes["writer"], context)

    def _domain_run(self, name: str) -> Callable[[ChildContext], Any]:
        async def run(context: ChildContext) -> None:
            await serve(self._behaviour(name, context), self.mailboxes[name], context)

        return run

    def _behaviour(self, name: str, context: ChildContext) -> Behaviour:
        place = self.places[name]
        makers: Mapping[str, Callable[[], Behaviour]] = {
            "tasks": lambda: Tasks(place, context, self._refs["runs"]),
            "sessions": lambda: Sessions(place, context),
            "runs": lambda: Runs(place, context, self.hall),
            "events": lambda: Events(place, context, self._subscriptions),
            "reports": lambda: Reports(place, context),
            "autosave": lambda: Autosave(place, context, self.watch, self._refs["events"]),
        }
        return makers[name]()


def _link(doors: socket.socket | None, runs: Ref) -> AgentsLink | None:
    return None if doors is None else AgentsLink(doors, runs.tell, get_logger("agents:link"))


def _gateway_crashed(crash_id: str, error: BaseException) -> None:
    _log.error("a command met an error that nobody foresaw", crash_id=crash_id, exc_info=error)
