"""Who is built from what: the runtime's parts and what joins them (the composition root's plan).

Everything that outlives an actor's crash is made here once: mailboxes, the ledger, the writer's desk, subscriptions,
the gateway's connections. What a crash may take is made anew by the children of `actor_tree`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from actors.autosave import Watch
from actors.domain import Place
from actors.hall import Hall
from actors.kernel.clock import Clock
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import Ref
from actors.ledger import Ledger
from actors.model.errors import ShuttingDown
from actors.model.recent_lines import RecentLines
from actors.model.state import Limits as TableLimits
from actors.running.link import NoLink
from actors.storage.disk_store import DiskStore
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.subscriptions import Subscriptions
from actors.writer import Desk
from supervisor.config.schema import Config
from supervisor.gateway.gateway import Gateway
from supervisor.gateway.observer import Tally
from supervisor.logs import get_logger
from supervisor.parsers import parser_of
from supervisor.runtime import settings
from supervisor.runtime.actor_tree import DOMAIN, ActorTree
from supervisor.runtime.agents_link import AgentsLink
from supervisor.runtime.alerts.command import AlertCommand
from supervisor.runtime.alerts.watch import AlertWatch
from supervisor.runtime.methods import local_methods
from supervisor.runtime.metrics import RuntimeMetrics
from supervisor.runtime.office import Office
from supervisor.runtime.services.records import Records
from supervisor.runtime.services.supervisors import Services

LETTERS_MAX: Final = 8192
"""Commands that wait for one actor: four of its batches. Beyond that the gateway reads no more: back-pressure."""

WRITER_LETTERS_MAX: Final = 32_768
"""The writer takes what all the others hand on, a batch (2048) of each at once, many times over."""

_log = get_logger("supervision:actors")


class Birth(msgspec.Struct, frozen=True, kw_only=True):
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
        self.office = self._office(tally, metrics, ask_shutdown, ask_reload)
        self._subscriptions = Subscriptions(config.events.subscriber_lines_max)
        self.link = _link(birth.doors, self._refs["runs"])
        self.services = self.office.services = self._services()
        self.hall = Hall(link=self.link or NoLink(), parser_of=parser_of, changed=self.office.records.changed)
        metrics.event_lag = lambda: max(0, self._subscriptions.lag(self.ledger.tables.seq))
        self.alerts = self._alerts(metrics)
        metrics.alerts = self.office.alerts = self.alerts
        self.gateway = self._gateway(tally)
        self.desk.is_followed = lambda: len(self._subscriptions) > 0
        self.desk.replying, self.desk.flush = self.gateway.replying, self.gateway.flush
        self.spec = self._actor_tree().spec()

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

    def _office(
        self,
        tally: Tally,
        metrics: RuntimeMetrics,
        ask_shutdown: Callable[[], None],
        ask_reload: Callable[[], None],
    ) -> Office:
        return Office(
            config=self._birth.config,
            state_path=self._birth.state_path,
            version=self._birth.version,
            started_at=self._birth.started_at,
            incarnation=self._birth.incarnation,
            clock=self._clock,
            ledger=self.ledger,
            mailboxes=self.mailboxes,
            writer=self._refs["writer"],
            records=Records(self.ledger, self._refs["runs"]),
            tally=tally,
            metrics=metrics,
            ask_shutdown=ask_shutdown,
            ask_reload=ask_reload,
            log=get_logger("supervision:local"),
            socket_path=str(self._birth.listener.getsockname()),
        )

    def _alerts(self, metrics: RuntimeMetrics) -> AlertWatch:
        return AlertWatch(
            ledger=self.ledger,
            clock=self._clock,
            config=lambda: self.office.config,
            event_lag=metrics.event_lag,
            tell=self._refs["events"].tell,
            command=AlertCommand(get_logger("supervision:alerts"), os.environ),
            log=get_logger("supervision:alerts"),
        )

    def _gateway(self, tally: Tally) -> Gateway:
        return Gateway(
            listener=self._birth.listener,
            actors={name: self._refs[name] for name in ("tasks", "sessions", "runs", "events", "reports", "writer")},
            local=local_methods(self.office),
            crashed=_gateway_crashed,
            limits=settings.gateway_limits(self._birth.config),
            observer=tally,
        )

    def _actor_tree(self) -> ActorTree:
        return ActorTree(
            config=self._birth.config,
            mailboxes=self.mailboxes,
            runs=self._refs["runs"],
            events=self._refs["events"],
            places=self.places,
            desk=self.desk,
            hall=self.hall,
            subscriptions=self._subscriptions,
            watch=self.watch,
            gateway=self.gateway,
            alerts=self.alerts,
            link=self.link,
            services=self.services,
        )

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
            settings=msgspec.structs.replace(self.storage_settings, ignore_fallback=self._birth.ignore_fallback),
            limits=limits,
            stamp=self.desk.clock.stamp,
            version=self._birth.version,
        )


def _link(doors: socket.socket | None, runs: Ref) -> AgentsLink | None:
    return None if doors is None else AgentsLink(doors, runs.tell, get_logger("agents:link"))


def _gateway_crashed(crash_id: str, error: BaseException) -> None:
    _log.error("a command met an error that nobody foresaw", crash_id=crash_id, exc_info=error)
