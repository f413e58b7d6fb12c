"""`runtime.metrics`: what is counted, in JSON and in a text that OpenMetrics readers take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from actors.messages.records import EventSubscribe
from actors.messages.request import Delivery
from actors.messages.runtime import StateSave
from actors.messages.tasks import TaskComplete, TaskCreate, TaskStart
from supervisor.tree.chaos import Harm
from tests.kit.runtimes import PATHS, Running, running_runtime


async def call(running: Running, method: str, **params: Any) -> Any:
    client = await running.client()
    await client.send({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    return (await client.reply())["result"]


async def metrics(running: Running) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Name → labels → value, from the JSON."""
    found = await call(running, "runtime.metrics")
    return {
        name: {tuple(sorted(sample["labels"].items())): sample["value"] for sample in samples}
        for name, samples in found.items()
    }


def labels(**names: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(names.items()))


async def test_commands_are_counted_by_method_and_outcome(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await call(running, "task.create", description="x", id="one")
        client = await running.client()
        await client.send(
            {"jsonrpc": "2.0", "id": 1, "method": "task.create", "params": {"description": "x", "id": "one"}},
            {"jsonrpc": "2.0", "id": 2, "method": "no.such", "params": {}},
        )
        await client.replies(2)
        found = await metrics(running)
        counted = found["perdure_commands_total"]
        assert counted[labels(method="task.create", outcome="ok")] == 1
        assert counted[labels(method="task.create", outcome="already_exists")] == 1
        assert counted[labels(method="(unknown)", outcome="unknown_method")] == 1
        assert found["perdure_answer_seconds_total"][labels(method="task.create")] > 0
        assert found["perdure_gateway_bytes_total"][labels(direction="in")] > 0


async def test_a_batch_counts_as_one_commit_with_its_commands(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        before = await metrics(running)
        gate = running.disk.gate("fdatasync", where="journal/")
        busy = running.send(TaskCreate(description="busy"))
        await running.until(lambda: gate.reached)
        burst = running.send_all([TaskCreate(description="x") for _ in range(8)])
        await running.until(lambda: running.assembly.mailboxes["writer"].depth >= 8)
        gate.open()
        for sent in (busy, *burst):
            await sent.result()
        after = await metrics(running)
        assert after["perdure_commit_seconds_count"][()] - before["perdure_commit_seconds_count"][()] == 2
        assert after["perdure_batch_commands_sum"][()] - before["perdure_batch_commands_sum"][()] >= 9
        assert after["perdure_fsync_seconds_sum"][()] > before["perdure_fsync_seconds_sum"][()]


async def test_saves_failures_recoveries_and_restarts_are_counted(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x"))
        await running.ask(StateSave())
        await running.ask(TaskCreate(description="x"))
        running.disk.refuse("create", where="state.json.tmp", times=1)
        assert await running.send(StateSave()).kind() == "storage_failed"
        running.harm("tasks", Harm.CRASH)
        await running.until_up("tasks", 2)
        running.harm("writer", Harm.CRASH)
        await running.until_up("autosave", 2)
        found = await metrics(running)
        assert found["perdure_save_seconds_count"][()] == 1
        assert found["perdure_save_failures_total"][()] == 1
        assert found["perdure_save_failure_rate"][()] == 0.5
        assert found["perdure_recovery_seconds_count"][()] == 2
        assert found["perdure_restarts_total"][labels(actor=PATHS["tasks"])] == 1
        assert found["perdure_restarts_total"][labels(actor=PATHS["writer"])] == 1


async def test_the_state_and_the_mailboxes_are_shown_as_they_are(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        for task_id in ("one", "two", "three"):
            await running.ask(TaskCreate(description="x", id=task_id))
        await running.ask(TaskStart(id="one"))
        await running.ask(TaskStart(id="two"))
        await running.ask(TaskComplete(id="two"))
        await running.ask(StateSave())
        await running.until(lambda: running.assembly.ledger.journal)
        found = await metrics(running)
        tasks = {dict(names)["status"]: value for names, value in found["perdure_tasks"].items()}
        assert (tasks["pending"], tasks["running"], tasks["completed"], tasks["failed"]) == (1, 1, 1, 0)
        assert found["perdure_seq"][()] == running.assembly.ledger.tables.seq
        assert found["perdure_journal_segments"][()] >= 1
        assert {dict(names)["actor"] for names in found["perdure_mailbox_depth"]} == set(running.assembly.mailboxes)
        assert found["perdure_mailbox_depth_max"][labels(actor="tasks")] >= 1
        assert found["perdure_dead_letters_total"][labels(actor="tasks")] == 0


async def test_files_are_counted_by_kind(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        for _ in range(3):
            await running.ask(TaskCreate(description="x"))
        await running.until(lambda: running.assembly.ledger.files_backlog == 0)
        found = await metrics(running)
        assert found["perdure_files"][labels(kind="tasks")] == 3
        assert found["perdure_files_bytes"][labels(kind="tasks")] > 0
        assert found["perdure_files"][labels(kind="journal")] == 1


async def test_the_lag_is_that_of_the_slowest_subscriber(tmp_path: Path) -> None:
    taken: list[bytes] = []

    def take(line: bytes) -> Delivery:
        taken.append(line)
        return Delivery.SENT

    async with running_runtime(tmp_path) as running:
        await running.send(EventSubscribe(), notify=take).result()
        await running.ask(TaskCreate(description="x"))
        await running.until(lambda: taken)
        assert (await metrics(running))["perdure_event_lag"][()] == 0
        await running.send(EventSubscribe(), notify=lambda _line: Delivery.SLOW).result()
        for _ in range(3):
            await running.ask(TaskCreate(description="x"))
        assert (await metrics(running))["perdure_event_lag"][()] == 3


async def test_the_text_says_the_same_as_the_json_to_an_openmetrics_reader(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x"))
        await running.ask(StateSave())
        ledger = running.assembly.ledger
        await running.until(lambda: ledger.journal and not ledger.files_backlog)
        found = await metrics(running)
        text = (await call(running, "runtime.metrics", format="openmetrics"))["text"]
    families = {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families.values()
        for sample in family.samples
    }
    moving = ("perdure_gateway", "perdure_commands", "perdure_answer", "perdure_queue")
    for name, values in found.items():
        if name.startswith(moving):
            continue
        for names, value in values.items():
            assert samples[name, names] == value
    assert all(family.documentation for family in families.values())
    assert families["perdure_commit_seconds"].type == "histogram"
    assert families["perdure_commands"].type == "counter"
