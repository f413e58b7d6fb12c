"""The watch: looks once a second, and tells what changed as an event, in the log, as a metric, and to the command.

It belongs to the runtime and outlives a crash of its task; what it looks at (the ledger, the tree's restarts, the
subscribers) is in memory, so it looks on while the disk does not answer.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs
import msgspec
import trio

from actors.kernel.clock import Clock
from actors.ledger import Ledger, Mode
from actors.messages.proposal import Live
from actors.model.tables import Row
from supervisor.config.schema import Config
from supervisor.runtime.alerts.command import AlertCommand, CommandSettings
from supervisor.runtime.alerts.conditions import signs_of
from supervisor.runtime.alerts.standing import Alert, Standing
from supervisor.tree.context import ChildContext

LOOK_EVERY_S: Final = 1.0
"""It takes some microseconds; whoever is to hear of trouble need not hear sooner."""

RESTARTS_KEPT: Final = 10_000
"""Moments of restarts that are remembered: more than any `alerts.restarts` that makes sense."""

_KIND: Final = "alert:"


class _Recorded(msgspec.Struct):
    type: str = ""
    detail: Any = None


@attrs.define(eq=False, kw_only=True)
class AlertWatch:
    """See the module's text."""

    ledger: Ledger
    clock: Clock
    config: Callable[[], Config]
    """The present configuration: the thresholds are live."""
    event_lag: Callable[[], int]
    tell: Callable[[Live], Any]
    """Hands an event to the events actor; never waits."""
    command: AlertCommand
    log: Any
    standing: Standing = attrs.field(factory=Standing)
    raised: Counter[str] = attrs.field(factory=Counter)
    """Name → how often it was raised."""
    _restarts_at_s: deque[float] = attrs.field(factory=lambda: deque(maxlen=RESTARTS_KEPT))
    """Of actors; on the process's own monotonic clock, which the root's ages are set against too."""
    _processes_at_s: tuple[float, ...] = ()
    _knows_the_past: bool = False

    async def run(self, context: ChildContext) -> None:
        """Look until asked to stop."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.command.run)
            context.ready()
            while not context.stopping.is_set():
                context.beat()
                await context.chaos_hang()
                self.look()
                with trio.move_on_after(LOOK_EVERY_S):
                    await context.stopping.wait()
            nursery.cancel_scope.cancel(reason="the runtime stops")

    def restarted(self) -> None:
        """An actor is restarted."""
        self._restarts_at_s.append(time.monotonic())

    def processes_restarted(self, ages_s: Iterable[float]) -> None:
        """So many seconds ago the root restarted the runtime; the whole list each time."""
        now_s = time.monotonic()
        self._processes_at_s = tuple(now_s - age_s for age_s in ages_s)

    def look(self) -> None:
        """Look at everything, and tell what changed; nothing is known while the writer finds out what is true."""
        if self.ledger.mode is Mode.RECOVERING:
            return
        if not self._knows_the_past:
            self._knows_the_past = True
            self.standing.inherit(told_last(self.ledger.tables.events.rows.values()))
        config = self.config()
        signs = signs_of(
            self.ledger,
            config,
            restarts=self._restarts_within(config.alerts.restarts_within_s),
            event_lag=self.event_lag(),
        )
        for alert in self.standing.look(signs, self.clock.monotonic_s(), self.clock.stamp()):
            self._tell(alert, config)

    def shown(self) -> list[dict[str, Any]]:
        """Return those that stand, as `health` and `status` show them."""
        return [alert.as_json() for alert in self.standing.alerts()]

    def _restarts_within(self, seconds: float) -> int:
        since_s = time.monotonic() - seconds
        return sum(at_s >= since_s for at_s in (*self._restarts_at_s, *self._processes_at_s))

    def _tell(self, alert: Alert, config: Config) -> None:
        told = alert.as_json()
        if alert.state == "raised":
            self.raised[alert.name] += 1
            log = self.log.error if alert.level == "error" else self.log.warning
            log("an alert is raised", alert=alert.name, problem=alert.message, next=alert.hint)
        else:
            self.log.info("an alert is over", alert=alert.name, since=alert.since, problem=alert.message)
        self.tell(Live(alert.kind, told, recorded=True))
        self.command.post(alert, CommandSettings(argv=config.alerts.command, timeout_s=config.alerts.timeout_s))


def told_last(rows: Iterable[Row]) -> dict[str, Mapping[str, Any]]:
    """Return what recent events told of each alert last, by name."""
    told: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        recorded = msgspec.json.decode(row.encoded, type=_Recorded)
        if recorded.type.startswith(_KIND) and isinstance(recorded.detail, Mapping):
            told[recorded.type.removeprefix(_KIND)] = recorded.detail
    return told
