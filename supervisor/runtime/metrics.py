"""Metrics: one prometheus registry per process, read as OpenMetrics text or as JSON (SPEC section 9).

What is counted on the hot path is counted in plain dictionaries (the gateway's tally), or once per batch in
distributions; everything else is looked up when somebody asks, by `metric_families` over the ledger, the mailboxes and
the tree. The metrics library is loaded there: no start waits for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from actors.kernel.mailbox import Mailbox
from actors.ledger import Ledger
from supervisor.gateway.observer import Tally
from supervisor.runtime.alerts.watch import AlertWatch
from supervisor.runtime.distribution import Distribution

SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
BATCHES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)


class RuntimeMetrics:
    """Everything that `runtime.metrics` shows; also the writer's observer."""

    def __init__(self, tally: Tally, ledger: Ledger, mailboxes: Mapping[str, Mailbox]) -> None:
        self.restarts: Counter[str] = Counter()
        """Actor's path → how often it was restarted."""
        self.files: Mapping[str, Mapping[str, int]] = {}
        """Kind → {files, bytes}, as the directory was last seen."""
        self.event_lag: Callable[[], int] = lambda: 0
        """How many lines the subscriber who is furthest behind has not got."""
        self.alerts: AlertWatch | None = None
        self.tally = tally
        self.ledger = ledger
        self.mailboxes = mailboxes
        self.save_failures = 0
        self.saves = 0
        self._commit = Distribution("perdure_commit_seconds", "From a batch's encoding to its durability", SECONDS)
        self._sync = Distribution("perdure_fsync_seconds", "Duration of the journal's fdatasync", SECONDS)
        self._batch = Distribution("perdure_batch_commands", "Commands that shared one commit", BATCHES)
        self._save = Distribution("perdure_save_seconds", "Duration of a snapshot", SECONDS)
        self._load = Distribution("perdure_recovery_seconds", "Duration of a recovery", SECONDS)
        self.distributions = (self._commit, self._sync, self._batch, self._save, self._load)

    def committed(self, commands: int, facts: int, duration_s: float, sync_s: float) -> None:
        """A batch is durable."""
        del facts
        self._commit.observe(duration_s)
        self._sync.observe(sync_s)
        self._batch.observe(commands)

    def saved(self, duration_s: float) -> None:
        """A snapshot is in place."""
        self.saves += 1
        self._save.observe(duration_s)

    def save_failed(self) -> None:
        """A snapshot could not be written."""
        self.save_failures += 1

    def loaded(self, duration_s: float) -> None:
        """Recovery is over."""
        self._load.observe(duration_s)
