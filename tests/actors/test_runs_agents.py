"""Runs that Perdure carries out itself: from the queue to the end, over crashes of everybody who takes part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors.decisions.decision import Rules
from actors.messages import records as record
from actors.messages import runs as ask
from actors.messages import tasks as task
from actors.messages.agents import Bury
from actors.model.errors import Conflict, InvalidParams, InvalidTransition, NotFound
from actors.running.rules import RunRules
from actors.running.tools import Limits, Tool
from actors.storage.files import Disk
from supervisor.parsers import parser_of
from tests.kit.core import Core, Listener, running_core
from tests.kit.fake_host import FakeHost

SLEEPER = Tool(name="SLEEPER", argv=("sleeper", "{description}"), limits=Limits(wall_s=100, silence_s=50))


@asynccontextmanager
async def runtime(root: Path, host: FakeHost, *, disk: Disk | None = None, **rules: Any) -> AsyncIterator[Core]:
    """A runtime over a directory, with a host that may be older than it."""

    def before(core: Core) -> None:
        core.disk = disk or core.disk
        host.home = core.refs["runs"]
        host.is_attached = False
        core.hall.link = host
        core.hall.parser_of = parser_of

    tools = {"SLEEPER": SLEEPER, **rules.pop("tools", {})}
    async with running_core(root, rules=Rules(runs=RunRules(tools=tools, **rules)), before=before) as core:
        yield core
    host.home = None
    host.is_attached = False


async def run_of(core: Core, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = await core.ask("runs", record.RunGet(id=run_id))
    return found


async def task_of(core: Core, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = await core.ask("tasks", task.TaskGet(id=task_id))
    return found


async def status(core: Core, run_id: str, *statuses: str) -> dict[str, Any]:
    """Wait until the run has one of these statuses, durably."""
    await core.until(lambda: core.ledger.tables.runs.rows[run_id].status in statuses)
    return await run_of(core, run_id)


async def executed(core: Core, *argv: str, **more: Any) -> dict[str, Any]:
    """Make a run, and wait until its agent is there."""
    made = await core.ask("runs", ask.RunExec(argv=argv or ("true",), **more))
    return await status(core, made["id"], "running")


async def started(core: Core, task_id: str, tool: str = "SLEEPER", **more: Any) -> dict[str, Any]:
    """Make a task for a tool, run it, and wait until its agent is there."""
    await core.ask("tasks", task.TaskCreate(id=task_id, description="d", tool=tool, **more))
    made = await core.ask("runs", ask.RunStart(task_id=task_id))
    return await status(core, made["id"], "running")


def log_of(root: Path, run_id: str, stream: str = "stdout") -> bytes:
    return (root / "logs" / f"run_{run_id}.{stream}.log").read_bytes()


def ends_of(core: Core, run_id: str) -> list[list[str]]:
    """The operations of every line that holds an end of this run."""
    lines = core.ledger.recent.since(core.ledger.recent.first_seq or 1) or []
    return [
        [fact.op for fact in line.facts]
        for line in lines
        if any(fact.op == "run.ended" and fact.id == run_id for fact in line.facts)
    ]


async def test_a_command_is_run_its_output_kept_and_its_task_completed(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host, env={"PATH": "/bin"}) as core:
        made = await core.ask("runs", ask.RunExec(argv=("echo", "hi"), cwd="/w", env={"A": "1"}))
        assert (made["status"], made["attempt"], made["argv"], made["cwd"]) == ("queued", 1, ["echo", "hi"], "/w")
        run = await status(core, made["id"], "running")
        process = host.processes[run["id"]]
        assert (run["pid"], run["pid_started"]) == (process.pid, str(process.pid * 10))
        assert (process.spawn.argv, process.spawn.cwd) == (("echo", "hi"), "/w")
        assert process.spawn.env == {"PATH": "/bin", "A": "1"}
        assert (await task_of(core, run["task_id"]))["status"] == "running"
        host.write(run["id"], b"hi\n")
        host.write(run["id"], b"oh\n", "stderr")
        host.exit(run["id"])
        over = await status(core, run["id"], "exited")
        assert (over["exit_code"], over["stdout"]["bytes"], over["stderr"]["bytes"]) == (0, 3, 3)
        done = await task_of(core, run["task_id"])
        assert (done["status"], done["attempts"], done["tool"]) == ("completed", 1, "SHELL")
        assert ends_of(core, run["id"]) == [["run.ended", "task.completed"]]
        assert log_of(tmp_path, run["id"]) == b"hi\n"
        assert log_of(tmp_path, run["id"], "stderr") == b"oh\n"
        assert (host.spawned[run["id"]], host.buried[run["id"]]) == (1, 1)


async def test_only_a_pending_task_with_a_known_tool_and_no_run_is_started(tmp_path: Path) -> None:
    host = FakeHost(is_connected=False)
    async with runtime(tmp_path, host) as core:
        await core.ask("tasks", task.TaskCreate(id="none", description="d"))
        await core.ask("tasks", task.TaskCreate(id="odd", description="d", tool="ODD"))
        await core.ask("tasks", task.TaskCreate(id="shell", description="d", tool="SHELL"))
        for task_id in ("none", "odd", "shell"):
            with pytest.raises(InvalidParams):
                await core.ask("runs", ask.RunStart(task_id=task_id))
        await core.ask("tasks", task.TaskCreate(id="t", description="d", tool="SLEEPER"))
        run = await core.ask("runs", ask.RunStart(task_id="t"), key="k")
        assert await core.ask("runs", ask.RunStart(task_id="t"), key="k") == run
        with pytest.raises(Conflict, match=run["id"]):
            await core.ask("runs", ask.RunStart(task_id="t"))
        await core.ask("tasks", task.TaskCancel(id="t"))
        with pytest.raises(InvalidTransition):
            await core.ask("runs", ask.RunStart(task_id="t"))


async def test_without_a_host_runs_wait_and_no_worker_gets_their_tasks(tmp_path: Path) -> None:
    host = FakeHost(is_connected=False)
    async with runtime(tmp_path, host) as core:
        run = await core.ask("runs", ask.RunExec(argv=("true",)))
        assert await core.ask("tasks", task.TaskClaim(worker="w")) is None
        assert (await run_of(core, run["id"]))["status"] == "queued"
        host.connect()
        await status(core, run["id"], "running")


async def test_a_queued_run_leaves_with_its_task(tmp_path: Path) -> None:
    host = FakeHost(is_connected=False)
    async with runtime(tmp_path, host) as core:
        run = await core.ask("runs", ask.RunExec(argv=("true",)))
        await core.ask("tasks", task.TaskDelete(id=run["task_id"]))
        assert (await status(core, run["id"], "cancelled"))["error"]["kind"] == "overtaken"
        host.connect()
        other = await executed(core)
        assert list(host.spawned) == [other["id"]]


async def test_a_failure_is_tried_again_as_often_as_the_task_may_be(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host) as core:
        first = await executed(core, "false", max_attempts=2)
        host.exit(first["id"], 3)
        over = await status(core, first["id"], "exited")
        assert over["error"] == {"kind": "exit_code", "message": "exit code 3"}
        assert ends_of(core, first["id"]) == [["run.ended", "task.requeued", "run.queued"]]
        (second_id,) = core.ledger.tables.runs.by_task[first["task_id"]] - {first["id"]}
        assert (await run_of(core, second_id))["attempt"] == 2
        core.clock.pass_s(10)
        core.wake("runs")
        await status(core, second_id, "running")
        host.exit(second_id, 3)
        await status(core, second_id, "exited")
        failed = await task_of(core, first["task_id"])
        assert (failed["status"], failed["attempts"], failed["error"]["kind"]) == ("failed", 2, "exit_code")


async def test_what_cannot_be_started_fails_its_task(tmp_path: Path) -> None:
    host = FakeHost(refuses={"nothing": "there is no command nothing in PATH"})
    async with runtime(tmp_path, host) as core:
        made = await core.ask("runs", ask.RunExec(argv=("nothing",)))
        run = await status(core, made["id"], "failed_to_start")
        assert run["error"] == {"kind": "failed_to_start", "message": "there is no command nothing in PATH"}
        assert (await task_of(core, run["task_id"]))["status"] == "failed"


async def test_runs_wait_for_their_turn_by_priority_then_age_and_for_what_they_depend_on(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host, concurrency=1) as core:
        await core.ask("tasks", task.TaskCreate(id="last", description="d", tool="SLEEPER"))
        for name, priority, needed in (("a", 5, ()), ("b", 1, ()), ("c", 0, ("last",)), ("d", 5, ())):
            core.clock.pass_s(1)
            await core.ask(
                "tasks",
                task.TaskCreate(id=name, description=name, tool="SLEEPER", priority=priority, depends_on=needed),
            )
        names = {}
        for name in ("c", "d", "a", "b", "last"):
            run = await core.ask("runs", ask.RunStart(task_id=name))
            names[run["id"]] = name
        order: list[str] = []

        def is_gone(run_id: str) -> bool:
            return run_id not in host.processes

        while len(order) < 5:
            await core.until(lambda: bool(host.processes))
            (run_id,) = host.processes
            order.append(names[run_id])
            await status(core, run_id, "running")
            host.exit(run_id)
            await status(core, run_id, "exited")
            await core.until(partial(is_gone, run_id))
        assert order == ["d", "b", "last", "c", "a"], "d was alone when it came; then by priority, age, dependency"


async def test_a_stopped_run_is_cancelled_with_its_task_and_the_answer_tells_its_end(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host, grace_s=7) as core:
        run = await executed(core, "sleep")
        stopped = await core.ask("runs", ask.RunStop(id=run["id"], grace_s=2), key="k")
        assert (stopped["status"], stopped["signal"]) == ("cancelled", 15)
        assert next(order.grace_s for order in host.orders if hasattr(order, "grace_s")) == 2
        assert (await task_of(core, run["task_id"]))["status"] == "cancelled"
        assert await core.ask("runs", ask.RunStop(id=run["id"], grace_s=2), key="k") == stopped


async def test_a_queued_run_is_stopped_without_ever_beginning(tmp_path: Path) -> None:
    host = FakeHost(is_connected=False)
    async with runtime(tmp_path, host) as core:
        run = await core.ask("runs", ask.RunExec(argv=("true",)))
        stopped = await core.ask("runs", ask.RunStop(id=run["id"]))
        assert stopped["status"] == "cancelled"
        assert (await task_of(core, run["task_id"]))["status"] == "cancelled"


@pytest.mark.parametrize("command", [task.TaskCancel, task.TaskDelete])
async def test_cancelling_or_deleting_a_task_ends_its_agent_first(tmp_path: Path, command: Any) -> None:
    host = FakeHost(obeys=False)
    async with runtime(tmp_path, host) as core:
        run = await executed(core, "sleep")
        request, answered = core.request(command(id=run["task_id"]))
        core.refs["tasks"].offer([request])
        await core.until(lambda: bool(host.processes[run["id"]].asked_to_end))
        assert not request.answered
        host.exit(run["id"], signal=15)
        answer = await answered()
        assert answer.get("status") == "cancelled" or answer["deleted"]
        assert (await run_of(core, run["id"]))["status"] == "cancelled"
        assert ends_of(core, run["id"]) == [["run.ended", "task.requeued"]]


async def test_a_silent_agent_is_ended_and_one_that_speaks_is_not(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host) as core:
        run = await started(core, "t")
        core.clock.pass_s(49)
        host.write(run["id"], b".")
        await core.until(lambda: host.processes[run["id"]].acknowledged["stdout"] == 1)
        core.clock.pass_s(49)
        core.wake("runs")
        await core.ask("runs", record.RunList())
        assert not host.processes[run["id"]].asked_to_end
        core.clock.pass_s(2)
        core.wake("runs")
        over = await status(core, run["id"], "timed_out")
        assert over["error"] == {"kind": "silence", "message": "was silent for 50 s"}
        assert (await task_of(core, "t"))["status"] == "failed"


async def test_an_agent_that_speaks_on_and_on_is_ended_when_its_time_is_over(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host) as core:
        run = await started(core, "t")
        for said in range(1, 4):
            core.clock.pass_s(30)
            host.write(run["id"], b".")
            await core.until(partial(_has_acknowledged, host, run["id"], said))
        core.clock.pass_s(11)
        core.wake("runs")
        over = await status(core, run["id"], "timed_out")
        assert over["error"] == {"kind": "wall_time", "message": "ran for 100 s"}


def _has_acknowledged(host: FakeHost, run_id: str, number: int) -> bool:
    return host.processes[run_id].acknowledged["stdout"] == number


async def test_output_beyond_the_limit_is_counted_and_not_stored(tmp_path: Path) -> None:
    host = FakeHost()
    tools = {"LITTLE": Tool(name="LITTLE", argv=("x",), limits=Limits(output_bytes=5))}
    async with runtime(tmp_path, host, tools=tools) as core:
        await core.ask("tasks", task.TaskCreate(id="t", description="d", tool="LITTLE"))
        run = await core.ask("runs", ask.RunStart(task_id="t"))
        await status(core, run["id"], "running")
        for piece in (b"abc", b"def", b"ghi"):
            host.write(run["id"], piece)
        await core.until(lambda: host.processes[run["id"]].acknowledged["stdout"] == 9)
        host.exit(run["id"])
        assert (await status(core, run["id"], "exited"))["stdout"]["bytes"] == 9
        assert log_of(tmp_path, run["id"]) == b"abcde"


async def test_output_is_read_in_pieces_of_whole_characters_and_followed_to_its_end(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host) as core:
        run = await executed(core)
        listener = Listener()
        follow = ask.OutputSubscribe(id=run["id"], stream="stdout")
        subscription = (await core.ask("runs", follow, listener=listener))["subscription"]
        host.write(run["id"], "aé€".encode()[:-1])
        await listener.until(1)
        read = await core.ask("runs", ask.RunOutput(id=run["id"], limit=4))
        assert read == {"data": "aé", "next_offset": 3, "eof": False}
        raw = await core.ask("runs", ask.RunOutput(id=run["id"], offset=3, encoding="base64"))
        assert raw == {"data": "4oI=", "next_offset": 5, "eof": False}
        host.write(run["id"], "€".encode()[-1:])
        host.exit(run["id"])
        await status(core, run["id"], "exited")
        await core.until(lambda: listener.lines[-1]["params"]["eof"])
        told = [line["params"] for line in listener.lines]
        assert "".join(one["data"] for one in told) == "aé€"
        assert {one["subscription"] for one in told} == {subscription}
        assert [one["offset"] for one in told] == [0, *(one["next_offset"] for one in told[:-1])]
        assert told[-1]["next_offset"] == 6
        assert await core.ask("runs", ask.RunOutput(id=run["id"], offset=3)) == {
            "data": "€",
            "next_offset": 6,
            "eof": True,
        }


async def test_who_unsubscribes_from_an_output_hears_no_more_of_it(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host) as core:
        run = await executed(core)
        listener, other = Listener(), Listener()
        begun = await core.ask("runs", ask.OutputSubscribe(id=run["id"]), listener=listener)
        still = await core.ask("runs", ask.OutputSubscribe(id=run["id"], stream="stdout"), listener=other)
        host.write(run["id"], b"one")
        await listener.until(1)
        end = ask.OutputUnsubscribe(subscription=begun["subscription"])
        with pytest.raises(NotFound):
            await core.ask("runs", end, listener=other)
        assert await core.ask("runs", end, listener=listener) == begun
        with pytest.raises(NotFound):
            await core.ask("runs", end, listener=listener)
        host.write(run["id"], b"two")
        host.exit(run["id"])
        await core.until(lambda: bool(other.lines) and other.lines[-1]["params"]["eof"])
        assert "".join(line["params"]["data"] for line in other.lines) == "onetwo"
        assert {line["params"]["subscription"] for line in other.lines} == {still["subscription"]}
        assert "".join(line["params"]["data"] for line in listener.lines) == "one"


async def test_a_run_of_perdures_own_is_not_put_by_others_and_a_foreign_one_is_not_stopped(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host) as core:
        run = await executed(core)
        with pytest.raises(Conflict):
            await core.ask("runs", record.RunPut(run=record.WholeRun(id=run["id"], status="exited")))
        put = record.WholeRun(id="foreign", status="queued")
        await core.ask("runs", record.RunPut(run=put))
        with pytest.raises(Conflict):
            await core.ask("runs", ask.RunStop(id="foreign"))
        assert list(host.spawned) == [run["id"]]


CODEX = Tool(name="CODEX", argv=("codex", "{description}"), output="codex-jsonl", limits=Limits(linger_s=5))
THREAD = b'{"type":"thread.started","thread_id":"thread-1"}\n'
SAID = b'{"type":"item.completed","item":{"type":"agent_message","text":"All done."}}\n'
COMPLETED = b'{"type":"turn.completed","usage":{"input_tokens":1}}\n'


async def test_what_an_agent_reports_becomes_its_tasks_result(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host, tools={"CODEX": CODEX}) as core:
        run = await started(core, "t", "CODEX")
        host.write(run["id"], THREAD)
        await core.until(lambda: b'"thread-1"' in core.ledger.tables.runs.rows[run["id"]].encoded)
        host.write(run["id"], SAID + COMPLETED)
        host.exit(run["id"])
        over = await status(core, run["id"], "exited")
        assert over["vendor_session_id"] == "thread-1"
        done = await task_of(core, "t")
        assert (done["status"], done["result"]["text"]) == ("completed", "All done.")


WRITER = Tool(name="WRITER", argv=("w", "-o", "{result_path}"))


@pytest.mark.parametrize(
    ("tool", "left", "expected"),
    [
        ("WRITER", "naïve ☕\n".encode(), {"text": "naïve ☕\n"}),
        ("WRITER", b"a\xff", {"text": "a�"}),
        ("WRITER", b" \n", {"exit_code": 0}),
        ("WRITER", None, {"exit_code": 0}),
        ("SLEEPER", None, {"exit_code": 0}),
    ],
)
async def test_what_an_agent_leaves_in_its_file_becomes_its_tasks_result(
    tmp_path: Path, tool: str, left: bytes | None, expected: Any
) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host, tools={"WRITER": WRITER}, results="/results") as core:
        run = await started(core, "t", tool)
        path = f"/results/{run['id']}.result"
        assert host.processes[run["id"]].spawn.result_path == (path if tool == "WRITER" else None)
        host.exit(run["id"], result=left)
        await status(core, run["id"], "exited")
        assert (await task_of(core, "t"))["result"] == expected
        await core.until(lambda: host.buried[run["id"]] == 1)
        assert [order.result_path for order in host.orders if isinstance(order, Bury)] == [path]


async def test_an_agent_that_hangs_after_its_result_is_ended_and_counts_as_done(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host, tools={"CODEX": CODEX}) as core:
        run = await started(core, "t", "CODEX")
        host.write(run["id"], SAID + COMPLETED)
        await core.until(lambda: b"All done." in core.ledger.tables.runs.rows[run["id"]].encoded)
        core.clock.pass_s(6)
        core.wake("runs")
        over = await status(core, run["id"], "exited")
        assert (over["signal"], over["error"]) == (15, None)
        assert (await task_of(core, "t"))["status"] == "completed"


async def test_a_reported_failure_fails_although_the_exit_status_is_good(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host, tools={"CODEX": CODEX}) as core:
        run = await started(core, "t", "CODEX", max_attempts=1)
        host.write(run["id"], b'{"type":"turn.failed","error":{"message":"no credit"}}')
        host.exit(run["id"])
        await status(core, run["id"], "exited")
        failed = await task_of(core, "t")
        assert (failed["status"], failed["error"]) == ("failed", {"kind": "agent_error", "message": "no credit"})


@pytest.mark.parametrize("cut", [1, 30, len(THREAD), len(THREAD) + 40, len(THREAD + SAID) + 3])
async def test_a_line_cut_by_the_death_of_a_runtime_is_read_whole_by_the_next(tmp_path: Path, cut: int) -> None:
    host = FakeHost()
    text = THREAD + SAID + COMPLETED
    async with runtime(tmp_path, host, tools={"CODEX": CODEX}) as core:
        run = await started(core, "t", "CODEX")
        host.write(run["id"], text[:cut])
        await core.until(lambda: host.processes[run["id"]].acknowledged["stdout"] == cut)
    host.write(run["id"], text[cut:])
    async with runtime(tmp_path, host, tools={"CODEX": CODEX}) as core:
        host.exit(run["id"])
        over = await status(core, run["id"], "exited")
        assert (over["vendor_session_id"], over["result"]["text"]) == ("thread-1", "All done.")
        assert log_of(tmp_path, run["id"]) == text


def has_acknowledged_exactly(host: FakeHost, run_id: str, number: int) -> bool:
    return host.processes[run_id].acknowledged["stdout"] == number


async def test_no_byte_is_acknowledged_that_never_came_though_somebody_added_some_to_the_log(tmp_path: Path) -> None:
    """Such an acknowledgement breaks the host's protocol: it would part the two again and again."""
    host = FakeHost()
    async with runtime(tmp_path, host) as core:
        run = await executed(core, "sleep")
        await status(core, run["id"], "running")
        host.write(run["id"], b"its own\n")
        await core.until(lambda: host.processes[run["id"]].acknowledged["stdout"] == 8)
    path = tmp_path / "logs" / f"run_{run['id']}.stdout.log"
    with path.open("ab") as log:
        log.write(b"of somebody else")
    host.is_attached = False
    async with runtime(tmp_path, host) as core:
        await core.until(lambda: host.is_attached)
        for number in range(1, 5):
            host.write(run["id"], b"more\n")
            end = 8 + 5 * number
            await core.until(partial(has_acknowledged_exactly, host, run["id"], end))
        host.exit(run["id"])
        assert (await status(core, run["id"], "exited"))["stdout"]["bytes"] == 28
        assert core.crashes == []
