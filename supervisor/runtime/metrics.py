"""Metrics: one prometheus registry per process, read as OpenMetrics text or as JSON (SPEC section 9).

What is counted on the hot path is counted in plain dictionaries (the gateway's tally), or once per batch in
distributions; everything else is looked up when somebody asks, by a collector over the ledger, the mailboxes and the
tree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest

from actors.kernel.mailbox import Mailbox
from actors.ledger import Ledger
from actors.model.task import STATUSES
from supervisor.gateway.observer import Tally
from supervisor.runtime.alerts.watch import AlertWatch
from supervisor.runtime.distribution import Distribution

SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
BATCHES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)

Families = Iterator[Metric]


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
        self._tally = tally
        self._ledger = ledger
        self._mailboxes = mailboxes
        self._save_failures = 0
        self._saves = 0
        self._registry = CollectorRegistry(auto_describe=False)
        self._commit = Distribution("perdure_commit_seconds", "From a batch's encoding to its durability", SECONDS)
        self._sync = Distribution("perdure_fsync_seconds", "Duration of the journal's fdatasync", SECONDS)
        self._batch = Distribution("perdure_batch_commands", "Commands that shared one commit", BATCHES)
        self._save = Distribution("perdure_save_seconds", "Duration of a snapshot", SECONDS)
        self._load = Distribution("perdure_recovery_seconds", "Duration of a recovery", SECONDS)
        self._registry.register(_Looking(self))

    def committed(self, commands: int, facts: int, duration_s: float, sync_s: float) -> None:
        """A batch is durable."""
        del facts
        self._commit.observe(duration_s)
        self._sync.observe(sync_s)
        self._batch.observe(commands)

    def saved(self, duration_s: float) -> None:
        """A snapshot is in place."""
        self._saves += 1
        self._save.observe(duration_s)

    def save_failed(self) -> None:
        """A snapshot could not be written."""
        self._save_failures += 1

    def loaded(self, duration_s: float) -> None:
        """Recovery is over."""
        self._load.observe(duration_s)

    def openmetrics(self) -> str:
        """Return the text that OpenMetrics readers take."""
        text: bytes = generate_latest(self._registry)  # type: ignore[no-untyped-call]
        return text.decode()

    def as_json(self) -> dict[str, Any]:
        """Return {metric: [{labels, value}…]}."""
        found: dict[str, Any] = {}
        for family in self._registry.collect():
            for sample in family.samples:
                found.setdefault(sample.name, []).append({"labels": dict(sample.labels), "value": sample.value})
        return found

    def look(self) -> Families:
        """Yield what is looked up when somebody asks."""
        for distribution in (self._commit, self._sync, self._batch, self._save, self._load):
            yield distribution.family()
        yield from self._commands()
        yield from self._actors()
        yield from self._state()

    def _commands(self) -> Families:
        commands = CounterMetricFamily("perdure_commands", "Commands answered", labels=["method", "outcome"])
        for (method, outcome), count in self._tally.outcomes.items():
            commands.add_metric([method, outcome], count)
        yield commands
        waits = CounterMetricFamily(
            "perdure_queue_wait_seconds", "Time commands waited at the gateway", labels=["method"]
        )
        takes = CounterMetricFamily("perdure_answer_seconds", "Time until commands were answered", labels=["method"])
        for method, seconds in self._tally.waited_s.items():
            waits.add_metric([method], seconds)
        for method, seconds in self._tally.took_s.items():
            takes.add_metric([method], seconds)
        yield waits
        yield takes
        sizes = CounterMetricFamily("perdure_gateway_bytes", "Bytes through the socket", labels=["direction"])
        sizes.add_metric(["in"], self._tally.bytes_received)
        sizes.add_metric(["out"], self._tally.bytes_sent)
        yield sizes

    def _actors(self) -> Families:
        depth = GaugeMetricFamily("perdure_mailbox_depth", "Letters waiting", labels=["actor"])
        high = GaugeMetricFamily("perdure_mailbox_depth_max", "Most letters that ever waited", labels=["actor"])
        dead = CounterMetricFamily("perdure_dead_letters", "Letters that crashed their actor twice", labels=["actor"])
        for name, mailbox in self._mailboxes.items():
            depth.add_metric([name], mailbox.depth)
            high.add_metric([name], mailbox.depth_max_seen)
            dead.add_metric([name], mailbox.dead_letters_count)
        yield from (depth, high, dead)
        restarts = CounterMetricFamily("perdure_restarts", "Restarts of actors", labels=["actor"])
        for path, count in self.restarts.items():
            restarts.add_metric([path], count)
        yield restarts

    def _state(self) -> Families:
        ledger = self._ledger
        tasks = GaugeMetricFamily("perdure_tasks", "Tasks by status", labels=["status"])
        for status in STATUSES:
            tasks.add_metric([status], ledger.tables.tasks.count(status))
        yield tasks
        runs = GaugeMetricFamily("perdure_runs", "Runs by status", labels=["status"])
        for run_status, count in Counter(row.status for row in ledger.tables.runs.rows.values()).items():
            runs.add_metric([run_status], count)
        yield runs
        yield _gauge("perdure_sessions", "Sessions", len(ledger.tables.sessions))
        yield _gauge("perdure_seq", "The highest durable seq", ledger.tables.seq)
        files = GaugeMetricFamily("perdure_files", "Files by kind", labels=["kind"])
        sizes = GaugeMetricFamily("perdure_files_bytes", "Bytes of files by kind", labels=["kind"])
        for kind, counted in self.files.items():
            files.add_metric([kind], counted["files"])
            sizes.add_metric([kind], counted["bytes"])
        yield from (files, sizes)
        yield _gauge("perdure_event_lag", "Lines that the slowest subscriber has not got", self.event_lag())
        yield _gauge("perdure_files_backlog", "Files to be written behind the journal", ledger.files_backlog)
        yield _gauge("perdure_journal_bytes", "Bytes of journal", ledger.journal.get("bytes", 0))
        yield _gauge("perdure_journal_segments", "Segments of the journal", ledger.journal.get("segments", 0))
        yield from self._alerts()
        tries = self._saves + self._save_failures
        yield CounterMetricFamily("perdure_save_failures", "Snapshots that could not be written", self._save_failures)
        yield _gauge(
            "perdure_save_failure_rate", "Failed snapshots of all", self._save_failures / tries if tries else 0
        )

    def _alerts(self) -> Families:
        standing = GaugeMetricFamily("perdure_alert", "Whether an alert stands", labels=["alert"])
        raised = CounterMetricFamily("perdure_alerts_raised", "How often an alert was raised", labels=["alert"])
        if self.alerts is not None:
            now = {alert.name for alert in self.alerts.standing.alerts()}
            for name in self.alerts.standing.names:
                standing.add_metric([name], float(name in now))
                raised.add_metric([name], self.alerts.raised[name])
        yield from (standing, raised)
        if self._ledger.room is not None:
            yield _gauge("perdure_disk_free_bytes", "Bytes free on the disk", self._ledger.room.free_bytes)
            yield _gauge("perdure_disk_reserve_bytes", "Bytes kept free", self._ledger.room.reserve_bytes)


class _Looking:
    """The registry's way to what is looked up on demand."""

    def __init__(self, metrics: RuntimeMetrics) -> None:
        self._metrics = metrics

    def collect(self) -> Families:
        """Yield the families."""
        return self._metrics.look()


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)
