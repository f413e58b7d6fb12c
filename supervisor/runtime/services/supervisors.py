"""One supervisor for each service that is wanted, and none for the others: what the rows say, held level.

Children cannot be added to a supervisor that runs, and one that gives up takes its children along. So each service has
a supervisor of its own: it is made when the service is wanted, ends when it is wanted no more or its last life was
lived, and one that gave up leaves a row `failed` and nothing else. A command makes another one, with all its patience.

All of them are below one child of the runtime's tree, which stops before everybody else does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
import trio

from actors.kernel.actor import BEAT_EVERY_S
from actors.messages.services import GivenUp, LifeDelayed, LifeLast
from actors.model.errors import PerdureError
from actors.model.run import LIVE
from actors.model.service import Service
from actors.running.services import ServiceSpec
from supervisor.runtime.services.life import ServiceLife
from supervisor.runtime.services.records import Records
from supervisor.tree.context import ChildContext
from supervisor.tree.errors import GaveUp, IntensityExceeded, TreeError
from supervisor.tree.events import ChildExited, ChildRestarting, Escalated, TreeEvent
from supervisor.tree.hooks import Hooks
from supervisor.tree.policy import Backoff, Intensity
from supervisor.tree.rules import Restart
from supervisor.tree.spec import ChildSpec, SupervisorSpec
from supervisor.tree.states import ChildState
from supervisor.tree.supervisor import Supervisor
from supervisor.tree.view import ChildView

PLACE: Final = "services"
"""The name of the one child of the runtime's tree; a service's path goes on from there."""

END_WITHIN_S: Final = 15.0
"""After its grace a service is killed, its tree buried, its end synced: the host's own bounds come to less."""

_AT_REST: Final = frozenset({ChildState.STOPPED, ChildState.REMOVED})


@attrs.define(eq=False)
class _Supervised:
    """A service that has a supervisor."""

    life: ServiceLife
    supervisor: Supervisor
    is_last: bool = False
    """Its last life was lived: nobody restarts it."""
    is_hastened: bool = False

    @property
    def child(self) -> ChildView:
        return self.supervisor.tree().children[0]


class Services:
    """See the module's text. `up_at` names the present `up`: rows of one before it are not brought up to date yet."""

    def __init__(
        self,
        specs: Mapping[str, ServiceSpec],
        records: Records,
        *,
        up_at: str,
        intensity: Intensity,
        backoff: Backoff,
        restarts: Counter[str],
        log: Any,
    ) -> None:
        self._specs = specs
        self._records = records
        self._up_at = up_at
        self._intensity = intensity
        self._backoff = backoff
        self._restarts = restarts
        """Path → how often it was restarted: a metric."""
        self._log = log
        self._supervised: dict[str, _Supervised] = {}
        self._grace_max_s: float | None = None

    def views(self, above: str) -> Iterator[ChildView]:
        """Yield how the services' places look in the tree whose top has the path `above`."""
        for name in self._specs:
            if (one := self._supervised.get(name)) is not None:
                yield attrs.evolve(one.child, path=f"{above}/{PLACE}/{name}")

    def limit_grace(self, grace_max_s: float) -> None:
        """Everything is going to stop: from now on no service gets longer than this."""
        self._grace_max_s = grace_max_s
        for one in self._supervised.values():
            one.life.grace_max_s = grace_max_s

    async def run(self, context: ChildContext) -> None:
        """Keep supervisors for what is wanted, until told to leave; then stop all services and wait for them."""
        self._supervised.clear()  # those of an incarnation that crashed; their lives go on, and are adopted
        context.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_when_stopping, context.stopping)
            while not context.stopping.is_set():
                self._level(nursery)
                context.beat()
                await context.chaos_hang()
                with trio.move_on_after(BEAT_EVERY_S):
                    await self._records.next_change()
            for one in self._supervised.values():
                one.supervisor.stop("everything stops")
            await self._records.until(lambda: None if self._supervised else True)
            nursery.cancel_scope.cancel(reason="all services are stopped")

    def _level(self, nursery: trio.Nursery) -> None:
        for name, spec in self._specs.items():
            row = self._records.service(name)
            if row is None or row.up_at != self._up_at:
                continue
            one = self._supervised.get(name)
            if one is not None:
                self._look_at(one, row, nursery)
            elif _is_wanted(row):
                nursery.start_soon(self._supervise, self._made(spec, nursery), name)

    def _look_at(self, one: _Supervised, row: Service, nursery: trio.Nursery) -> None:
        state = one.child.state
        if not _is_wanted(row):
            one.supervisor.stop("it is wanted no more")
        elif state in _AT_REST:
            one.is_last = True
            one.supervisor.stop("it is not to be restarted")
        elif state is not ChildState.BACKING_OFF:
            one.is_hastened = False
        elif self._is_hasty(row) and not one.is_hastened:
            one.is_hastened = True
            nursery.start_soon(self._hasten, one)

    def _is_hasty(self, row: Service) -> bool:
        """Whether somebody wants a life now, and there is none."""
        run = self._records.run(row.run_id or "")
        return row.status == "starting" and (run is None or run.status not in LIVE)

    async def _hasten(self, one: _Supervised) -> None:
        try:
            await one.supervisor.restart_child(one.child.path)
        except TreeError as error:
            self._log.debug("a service was not restarted at once", problem=str(error))

    def _made(self, spec: ServiceSpec, nursery: trio.Nursery) -> _Supervised:
        life = ServiceLife(spec, self._records)
        if self._grace_max_s is not None:
            life.grace_max_s = self._grace_max_s
        child = ChildSpec(
            name=spec.name,
            run=life.run,
            restart=Restart(spec.restart),
            stop_grace_s=spec.stop_grace_s + END_WITHIN_S,
            start_within_s=float("inf"),  # it waits for an agent host, however long
        )
        tree = SupervisorSpec(name=PLACE, children=(child,), intensity=self._intensity, backoff=self._backoff)
        one = _Supervised(life, Supervisor(tree, Hooks(on_event=self._hearer(spec.name, life, nursery))))
        self._supervised[spec.name] = one
        return one

    async def _supervise(self, one: _Supervised, name: str) -> None:
        """Run a service's supervisor to its end, and have that written down before it is forgotten."""
        given_up = ""
        try:
            await one.supervisor.run()
        except GaveUp as error:
            given_up = self._why(error)
        if given_up:
            await self._note("service.give_up", GivenUp(name=name, run_id=one.life.run_id, message=given_up))
        elif one.is_last:
            await self._note("service.rest", LifeLast(name=name, run_id=one.life.run_id))
        del self._supervised[name]
        self._records.changed()

    def _why(self, error: GaveUp) -> str:
        limit = self._intensity
        if isinstance(error, IntensityExceeded):
            return f"more than {limit.restarts_max} restarts within {limit.within_s:g} s, the last: {error.__cause__}"
        return f"it did not start: {error.__cause__}"

    def _hearer(self, name: str, life: ServiceLife, nursery: trio.Nursery) -> Callable[[TreeEvent], None]:
        def heard(event: TreeEvent) -> None:
            self._records.changed()
            match event:
                case ChildExited(expected=False) as gone:
                    why = "" if gone.report is None else gone.report.message
                    self._log.warning("a service left", service=name, how=gone.kind.value, why=why)
                case ChildRestarting(delay_s=delay_s):
                    self._restarts[f"{PLACE}/{name}"] += 1
                    self._log.info("a service is restarted", service=name, delay_s=delay_s)
                    if delay_s > 0:
                        delayed = LifeDelayed(name=name, run_id=life.run_id)
                        nursery.start_soon(self._note, "service.back_off", delayed)
                case Escalated(message=message):
                    self._log.error("a service is given up", service=name, problem=message)

        return heard

    async def _note(self, method: str, params: Any) -> None:
        try:
            await self._records.note(method, params)
        except PerdureError as error:
            self._log.error("what a supervisor decided cannot be written down", method=method, problem=error.message)

    async def _look_when_stopping(self, stopping: trio.Event) -> None:
        await stopping.wait()
        self._records.changed()


def _is_wanted(row: Service) -> bool:
    return row.wanted and row.status != "failed"
