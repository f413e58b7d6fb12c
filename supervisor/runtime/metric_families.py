"""What readers of metrics get, in the metrics library's terms: everything is looked up when somebody asks.

Only who asks loads this: the library takes as long to import as a small state takes to load.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest

from actors.model.task import STATUSES
from supervisor.runtime.distribution import Distribution
from supervisor.runtime.metrics import RuntimeMetrics

Families = Iterator[Metric]


def as_openmetrics(metrics: RuntimeMetrics) -> str:
    """Return the text that OpenMetrics readers take."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Looking(metrics))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode()


def as_json(metrics: RuntimeMetrics) -> dict[str, Any]:
    """Return {metric: [{labels, value}…]}."""
    found: dict[str, Any] = {}
    for family in families(metrics):
        for sample in family.samples:
            found.setdefault(sample.name, []).append({"labels": dict(sample.labels), "value": sample.value})
    return found


def families(metrics: RuntimeMetrics) -> Families:
    """Yield what is counted, and what is looked up when somebody asks."""
    for distribution in metrics.distributions:
        yield histogram(distribution)
    yield from _commands(metrics)
    yield from _actors(metrics)
    yield from _state(metrics)


def _commands(metrics: RuntimeMetrics) -> Families:
    commands = CounterMetricFamily("perdure_commands", "Commands answered", labels=["method", "outcome"])
    for (method, outcome), count in metrics.tally.outcomes.items():
        commands.add_metric([method, outcome], count)
    yield commands
    waits = CounterMetricFamily("perdure_queue_wait_seconds", "Time commands waited at the gateway", labels=["method"])
    takes = CounterMetricFamily("perdure_answer_seconds", "Time until commands were answered", labels=["method"])
    for method, seconds in metrics.tally.waited_s.items():
        waits.add_metric([method], seconds)
    for method, seconds in metrics.tally.took_s.items():
        takes.add_metric([method], seconds)
    yield waits
    yield takes
    sizes = CounterMetricFamily("perdure_gateway_bytes", "Bytes through the socket", labels=["direction"])
    sizes.add_metric(["in"], metrics.tally.bytes_received)
    sizes.add_metric(["out"], metrics.tally.bytes_sent)
    yield sizes


def _actors(metrics: RuntimeMetrics) -> Families:
    depth = GaugeMetricFamily("perdure_mailbox_depth", "Letters waiting", labels=["actor"])
    high = GaugeMetricFamily("perdure_mailbox_depth_max", "Most letters that ever waited", labels=["actor"])
    dead = CounterMetricFamily("perdure_dead_letters", "Letters that crashed their actor twice", labels=["actor"])
    for name, mailbox in metrics.mailboxes.items():
        depth.add_metric([name], mailbox.depth)
        high.add_metric([name], mailbox.depth_max_seen)
        dead.add_metric([name], mailbox.dead_letters_count)
    yield from (depth, high, dead)
    restarts = CounterMetricFamily("perdure_restarts", "Restarts of actors", labels=["actor"])
    for path, count in metrics.restarts.items():
        restarts.add_metric([path], count)
    yield restarts


def _state(metrics: RuntimeMetrics) -> Families:
    ledger = metrics.ledger
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
    for kind, counted in metrics.files.items():
        files.add_metric([kind], counted["files"])
        sizes.add_metric([kind], counted["bytes"])
    yield from (files, sizes)
    yield _gauge("perdure_event_lag", "Lines that the slowest subscriber has not got", metrics.event_lag())
    yield _gauge("perdure_files_backlog", "Files to be written behind the journal", ledger.files_backlog)
    yield _gauge("perdure_journal_bytes", "Bytes of journal", ledger.journal.get("bytes", 0))
    yield _gauge("perdure_journal_segments", "Segments of the journal", ledger.journal.get("segments", 0))
    yield from _alerts(metrics)
    tries = metrics.saves + metrics.save_failures
    yield CounterMetricFamily("perdure_save_failures", "Snapshots that could not be written", metrics.save_failures)
    yield _gauge("perdure_save_failure_rate", "Failed snapshots of all", metrics.save_failures / tries if tries else 0)


def _alerts(metrics: RuntimeMetrics) -> Families:
    standing = GaugeMetricFamily("perdure_alert", "Whether an alert stands", labels=["alert"])
    raised = CounterMetricFamily("perdure_alerts_raised", "How often an alert was raised", labels=["alert"])
    if metrics.alerts is not None:
        now = {alert.name for alert in metrics.alerts.standing.alerts()}
        for name in metrics.alerts.standing.names:
            standing.add_metric([name], float(name in now))
            raised.add_metric([name], metrics.alerts.raised[name])
    yield from (standing, raised)
    if metrics.ledger.room is not None:
        yield _gauge("perdure_disk_free_bytes", "Bytes free on the disk", metrics.ledger.room.free_bytes)
        yield _gauge("perdure_disk_reserve_bytes", "Bytes kept free", metrics.ledger.room.reserve_bytes)


class _Looking:
    """The library's way to what is looked up on demand."""

    def __init__(self, metrics: RuntimeMetrics) -> None:
        self._metrics = metrics

    def collect(self) -> Families:
        """Yield the families."""
        return families(self._metrics)


def histogram(distribution: Distribution) -> HistogramMetricFamily:
    """Return what readers of metrics expect of a distribution."""
    return HistogramMetricFamily(
        distribution.name, distribution.text, buckets=distribution.buckets(), sum_value=distribution.sum
    )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)
