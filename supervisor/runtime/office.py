"""What the local methods look at: everything about this runtime process, in one place."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.kernel.clock import Clock
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import Ref
from actors.ledger import Ledger
from actors.model.tables import decode_run
from supervisor.agents.tree_of import started_of
from supervisor.config.schema import Config
from supervisor.gateway.observer import Tally
from supervisor.runtime.alerts.watch import AlertWatch
from supervisor.runtime.metrics import RuntimeMetrics
from supervisor.runtime.services.records import Records
from supervisor.runtime.services.supervisors import Services
from supervisor.tree.supervisor import Supervisor


@attrs.define(eq=False, kw_only=True)
class Office:
    """See the module's text."""

    config: Config
    state_path: Path
    version: str
    started_at: str
    incarnation: int
    clock: Clock
    ledger: Ledger
    mailboxes: Mapping[str, Mailbox]
    writer: Ref
    records: Records
    """Of services."""
    tally: Tally
    metrics: RuntimeMetrics
    ask_shutdown: Callable[[], None]
    """Tell the root that a client wants everything to stop."""
    ask_reload: Callable[[], None]
    """Tell the root that a client wants the configuration read again."""
    log: Any
    tree: Supervisor | None = None
    services: Services | None = None
    """None where none is configured."""
    nursery: trio.Nursery | None = None
    """Where answers are prepared that have to wait for something."""
    root: dict[str, Any] = attrs.field(factory=dict)
    """What the root last said of itself: pids, restarts, last_error, phase."""
    reloads: list[Callable[[dict[str, Any] | Exception], None]] = attrs.field(factory=list)
    """Whoever waits for the root's answer to `ask_reload`."""
    socket_path: str = ""
    disk: dict[str, Any] = attrs.field(factory=dict)
    """What the directory held when somebody last looked (`health.look_at_disk`)."""
    looked_at_s: float = float("-inf")
    alerts: AlertWatch | None = None

    @property
    def standing_alerts(self) -> list[dict[str, Any]]:
        """The alerts that stand."""
        return [] if self.alerts is None else self.alerts.shown()

    @property
    def pids(self) -> dict[str, int | None]:
        """The pids of all processes of this Perdure, as SPEC names them; null for what is not there."""
        known: dict[str, int | None] = dict.fromkeys(("root", "runtime", "standby", "host"))
        known.update(self.root.get("pids") or {"root": os.getppid()})
        known["runtime"] = os.getpid()
        return known

    @property
    def agents(self) -> list[int]:
        """The pids of the agents that live, the oldest run first.

        A row may outlive its agent for a moment, and the pid may be somebody else's then: only a process that began
        when the row says counts.
        """
        runs = self.ledger.tables.runs
        rows = (decode_run(runs.rows[run_id].encoded) for run_id in runs.active)
        known = ((row.pid, row.pid_started) for row in rows if row.pid is not None)
        return [pid for pid, started in known if str(started_of(pid)) == started]
