"""Whoever dies when: one agent per run, its output once, its end once, in one line with its task's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from actors.messages import records as record
from actors.messages import runs as ask
from actors.messages import tasks as task
from actors.messages.proposal import RowsChanged
from actors.messages.runtime import StateBackups
from actors.running.tools import Tool
from tests.actors.test_runs_agents import ends_of, executed, log_of, run_of, runtime, started, status, task_of
from tests.kit.core import DOMAIN, Core
from tests.kit.fake_host import FakeHost
from tests.kit.moody_disk import MoodyDisk

OUTPUT = bytes(range(256)) * 700
"""Three messages of the host."""


@define(eq=False)
class Stage:
    """A runtime that may be replaced by the next one over the same directory, and the host that survives it."""

    root: Path
    host: FakeHost
    stack: AsyncExitStack = field(factory=AsyncExitStack)
    core: Core | None = None

    async def rise(self) -> Core:
        self.core = await self.stack.enter_async_context(runtime(self.root, self.host))
        return self.core

    @property
    def now(self) -> Core:
        assert self.core is not None
        return self.core


async def nothing(_stage: Stage) -> None:
    """The control: nobody dies."""


async def stop_actor(stage: Stage) -> None:
    await stage.now.restart("runs")


async def crash_actor(stage: Stage) -> None:
    core = stage.now
    life = core.lives["runs"]
    core.refs["runs"].tell(RowsChanged(None, None))  # type: ignore[arg-type]
    await core.until(lambda: core.lives["runs"] is not life and core.lives["runs"].is_ready.is_set())
    core.crashes.clear()


async def restart_core(stage: Stage) -> None:
    for name in ("writer", *DOMAIN):
        await stage.now.restart(name)


async def cut_the_connection(stage: Stage) -> None:
    stage.host.disconnect()
    stage.host.connect()


async def replace_the_runtime(stage: Stage) -> None:
    """It stops at once for the host, and in order for the disk: what a kill leaves, the writer's own tests show."""
    stage.host.is_attached = False
    stage.host.home = None
    await stage.stack.aclose()
    await stage.rise()


DEATHS: list[Callable[[Stage], Awaitable[None]]] = [
    nothing,
    stop_actor,
    crash_actor,
    restart_core,
    cut_the_connection,
    replace_the_runtime,
]


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.__name__)
@pytest.mark.parametrize("step", range(6))
async def test_a_run_survives_every_death_at_every_step(tmp_path: Path, death: Any, step: int) -> None:
    stage = Stage(tmp_path, FakeHost())
    await stage.rise()
    try:
        made = await stage.now.ask("runs", ask.RunExec(argv=("true",)))
        run_id = made["id"]
        for number in range(6):
            if number == step:
                await death(stage)
            if number == 0:
                await stage.now.until(lambda: bool(stage.host.processes))
                (run_id,) = stage.host.processes
            elif number == 1:
                stage.host.write(run_id, OUTPUT[:100_000])
            elif number == 2:
                stage.host.write(run_id, b"oh", "stderr")
                stage.host.write(run_id, OUTPUT[100_000:])
            elif number == 3:
                await status(stage.now, run_id, "running")
            elif number == 4:
                stage.host.exit(run_id, 0)
        over = await status(stage.now, run_id, "exited")
        assert (over["stdout"]["bytes"], over["stderr"]["bytes"]) == (len(OUTPUT), 2)
        assert log_of(tmp_path, run_id) == OUTPUT
        assert log_of(tmp_path, run_id, "stderr") == b"oh"
        assert ends_of(stage.now, run_id) == [["run.ended", "task.completed"]]
        done = await task_of(stage.now, over["task_id"])
        assert (done["status"], done["attempts"]) == ("completed", 1)
        await stage.now.until(lambda: not stage.host.processes)
        assert stage.host.spawned == {run_id: 1}
        assert not stage.now.crashes
    finally:
        await stage.stack.aclose()


async def test_a_run_whose_host_died_is_interrupted_at_no_cost_and_its_task_tried_again(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host) as core:
        first = await executed(core, "true")
        host.write(first["id"], b"half")
        host.die()
        over = await status(core, first["id"], "interrupted")
        assert (over["error"]["kind"], over["stdout"]["bytes"]) == ("interrupted", 4)
        assert ends_of(core, first["id"]) == [["run.ended", "task.requeued", "run.queued"]]
        await core.until(lambda: bool(host.processes))
        (second_id,) = host.processes
        second = await status(core, second_id, "running")
        assert (second["attempt"], (await task_of(core, first["task_id"]))["attempts"]) == (1, 1)
        host.exit(second_id)
        await status(core, second_id, "exited")
        assert (await task_of(core, first["task_id"]))["status"] == "completed"


async def test_a_task_interrupted_too_often_in_a_row_fails(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host, interruptions_max=2) as core:
        run_id = (await executed(core, "true"))["id"]
        task_id = (await run_of(core, run_id))["task_id"]
        for _ in range(2):
            host.die()
            await status(core, run_id, "interrupted")
            await core.until(lambda: bool(host.processes))
            (run_id,) = host.processes
            await status(core, run_id, "running")
        host.die()
        await status(core, run_id, "interrupted")
        failed = await task_of(core, task_id)
        assert (failed["status"], failed["error"]["kind"]) == ("failed", "interrupted")
        assert failed["error"]["message"] == "interrupted 3 times in a row"


async def test_a_host_that_is_new_to_a_new_runtime_knows_nothing_and_the_run_is_interrupted(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host) as core:
        first = await executed(core, "true")
    host.processes.clear()
    host.pid += 1
    async with runtime(tmp_path, host) as core:
        await status(core, first["id"], "interrupted")
        await core.until(lambda: bool(host.processes))


async def test_what_is_stopped_when_its_host_dies_is_cancelled_and_not_tried_again(tmp_path: Path) -> None:
    host = FakeHost(obeys=False)
    async with runtime(tmp_path, host) as core:
        run = await executed(core, "true")
        request, answered = core.request(ask.RunStop(id=run["id"]))
        core.refs["runs"].offer([request])
        await core.until(lambda: bool(host.processes[run["id"]].asked_to_end))
        host.die()
        assert (await answered())["status"] == "cancelled"
        assert (await task_of(core, run["task_id"]))["status"] == "cancelled"
        assert not host.processes


@pytest.mark.parametrize("death", [stop_actor, crash_actor, restart_core], ids=lambda death: death.__name__)
async def test_whoever_waits_for_an_end_is_answered_over_a_crash(tmp_path: Path, death: Any) -> None:
    stage = Stage(tmp_path, FakeHost(obeys=False))
    await stage.rise()
    try:
        core = stage.now
        run, other = await executed(core, "a"), await executed(core, "b")
        stop, stopped = core.request(ask.RunStop(id=run["id"]))
        cancel, cancelled = core.request(task.TaskCancel(id=other["task_id"], reason="enough"))
        core.refs["runs"].offer([stop])
        core.refs["tasks"].offer([cancel])
        await core.until(lambda: all(process.asked_to_end for process in stage.host.processes.values()))
        await death(stage)
        for run_id in list(stage.host.processes):
            stage.host.exit(run_id, signal=15)
        assert (await stopped())["status"] == "cancelled"
        assert (await cancelled())["error"]["message"] == "enough"
        assert (await run_of(core, other["id"]))["status"] == "cancelled"
    finally:
        await stage.stack.aclose()


async def test_an_interrupted_conversation_is_resumed_and_begun_afresh_when_that_fails(tmp_path: Path) -> None:
    talker = Tool(name="TALKER", argv=("talk", "--id", "{session_id}"), resume=("talk", "--resume", "{session_id}"))
    host = FakeHost()
    async with runtime(tmp_path, host, tools={"TALKER": talker}) as core:
        first = await started(core, "t", "TALKER", max_attempts=1)
        vendor = first["vendor_session_id"]
        assert first["argv"] == ["talk", "--id", vendor]
        host.die()
        await core.until(lambda: bool(host.processes))
        (second_id,) = host.processes
        second = await status(core, second_id, "running")
        assert second["argv"] == ["talk", "--resume", vendor]
        host.exit(second_id, 1)
        await status(core, second_id, "exited")
        await core.until(lambda: second_id not in host.processes and bool(host.processes))
        (third_id,) = host.processes
        third = await status(core, third_id, "running")
        assert third["argv"][1] == "--id"
        assert third["vendor_session_id"] != vendor
        assert third["attempt"] == 1
        host.exit(third_id, 1)
        await status(core, third_id, "exited")
        assert (await task_of(core, "t"))["status"] == "failed"


async def test_output_waits_for_a_disk_that_refuses_and_then_is_whole(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host) as core:
        run = await executed(core, "true")
        path = tmp_path / "logs" / f"run_{run['id']}.stdout.log"
        path.mkdir()
        host.write(run["id"], b"hello")
        host.exit(run["id"])
        await core.ask("runs", record.RunList())
        await core.ask("writer", StateBackups())  # answered behind the write, by the same thread
        await core.ask("runs", record.RunList())  # ... and this one behind the refusal: from it on the wait is counted
        assert host.processes[run["id"]].acknowledged["stdout"] == 0
        path.rmdir()
        core.clock.pass_s(2)
        core.wake("runs")
        await status(core, run["id"], "exited")
        assert path.read_bytes() == b"hello"


async def test_a_piece_that_could_not_be_written_leaves_no_hole_for_the_next_incarnation(tmp_path: Path) -> None:
    """The disk refuses the first of two pieces; then the actor dies, and the next one looks how far all is written."""
    host, disk = FakeHost(), MoodyDisk(tmp_path)
    async with runtime(tmp_path, host, disk=disk) as core:
        run = await executed(core, "true")
        disk.refuse("pwrite", where="logs/", times=1)
        host.write(run["id"], b"hello")
        host.write(run["id"], b", you")
        await core.ask("runs", record.RunList())
        await core.ask("writer", StateBackups())  # answered behind the writes, by the same thread
        await core.restart("runs")
        host.exit(run["id"])
        await status(core, run["id"], "exited")
        assert log_of(tmp_path, run["id"]) == b"hello, you"
