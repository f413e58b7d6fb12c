"""The runtime's children: which supervisor runs whom, by which strategy, and what a crash takes and a start makes anew.

    runtime ── one_for_one
       ├── agents_link, where agents can be run
       ├── core ── rest_for_one: writer, then domain ── one_for_one: tasks, sessions, runs, events, reports, autosave
       ├── gateway
       ├── alerts
       └── services, where some are configured: each has a supervisor of its own (`supervisor.runtime.services`)

A child's `run` makes its behaviour anew at each start, from parts that outlive it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import attrs
import trio

from actors.autosave import Autosave, Watch
from actors.domain import Place
from actors.events import Events
from actors.hall import Hall
from actors.kernel.actor import BEAT_EVERY_S, Behaviour, serve
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import Ref
from actors.reports import Reports
from actors.runs import Runs
from actors.sessions import Sessions
from actors.subscriptions import Subscriptions
from actors.tasks import Tasks
from actors.writer import Desk, Writer
from supervisor.config.schema import Config
from supervisor.gateway.gateway import Gateway
from supervisor.runtime import settings
from supervisor.runtime.agents_link import AgentsLink
from supervisor.runtime.alerts.watch import AlertWatch
from supervisor.runtime.services.supervisors import PLACE, Services
from supervisor.tree.context import ChildContext
from supervisor.tree.rules import Strategy
from supervisor.tree.spec import ChildSpec, SupervisorSpec

DOMAIN: Final = ("tasks", "sessions", "runs", "events", "reports", "autosave")
"""In the order of their start."""


@attrs.frozen(kw_only=True, eq=False)
class ActorTree:
    """The parts of which the children are made; all of them outlive a child's crash."""

    config: Config
    """As it was at the start: who runs, and how often they may crash, does not change while running."""
    mailboxes: Mapping[str, Mailbox]
    runs: Ref
    events: Ref
    places: Mapping[str, Place]
    desk: Desk
    hall: Hall
    subscriptions: Subscriptions
    watch: Watch
    gateway: Gateway
    alerts: AlertWatch
    link: AgentsLink | None
    """None: no agents can be run."""
    services: Services | None
    """None: none are configured."""

    def spec(self) -> SupervisorSpec:
        """Return what the supervisor runs."""
        supervise = partial(
            SupervisorSpec,
            intensity=settings.actors_intensity(self.config),
            backoff=settings.backoff(self.config),
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
        supervision = self.config.supervisor
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
            "tasks": lambda: Tasks(place, context, self.runs),
            "sessions": lambda: Sessions(place, context),
            "runs": lambda: Runs(place, context, self.hall),
            "events": lambda: Events(place, context, self.subscriptions),
            "reports": lambda: Reports(place, context),
            "autosave": lambda: Autosave(place, context, self.watch, self.events),
        }
        return makers[name]()
