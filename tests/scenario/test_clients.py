"""The client library against a real Perdure whose runtime is killed: calls and subscriptions carry on."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio

from actors.model.errors import Forbidden, InvalidParams, NotFound
from supervisor.client import Client, ConnectionLost, NotRunning, TimedOut, connect_trio
from tests.kit.perdure import WITHIN_S, Perdure

RESTLESS = {"supervisor__process_restarts_max": "1000", "supervisor__backoff_max_s": "0.05"}


@pytest.fixture
def restless(make: Callable[..., Perdure]) -> Perdure:
    """A Perdure that comes back quickly however often it is killed."""
    whole = make(**RESTLESS)
    whole.start()
    return whole


def test_the_blocking_client_goes_on_after_every_kill(restless: Perdure) -> None:
    with Client(restless.state_path, timeout_s=WITHIN_S) as client:
        for n in range(6):
            restless.kill_runtime()
            assert client.call("task.create", description=f"{n}")["rev"] == 1
        assert [task["description"] for task in client.call("task.list")["tasks"]] == [f"{n}" for n in range(6)]


def test_a_batch_of_the_blocking_client_is_sent_again_whole(restless: Perdure) -> None:
    with Client(restless.state_path, timeout_s=WITHIN_S) as client:
        for kill in range(4):
            restless.kill_runtime()
            rows = client.batch([("task.create", {"description": f"{kill} {n}"}) for n in range(20)])
            assert [row["description"] for row in rows] == [f"{kill} {n}" for n in range(20)]
        assert len(client.call("task.list", limit=1000)["tasks"]) == 80


def test_what_must_not_be_repeated_unasked_is_told_as_lost(restless: Perdure) -> None:
    with Client(restless.state_path, timeout_s=WITHIN_S) as client, ThreadPoolExecutor(1) as pool:
        client.call("runtime.ping")
        runtime = restless.runtime_pid()
        os.kill(runtime, signal.SIGSTOP)
        restart = pool.submit(client.call, "actor.restart", name="tasks")
        os.kill(runtime, signal.SIGKILL)
        with pytest.raises(ConnectionLost):
            restart.result(WITHIN_S)
        assert client.call("runtime.ping")["pong"] is True


def test_each_kind_of_error_is_a_class_of_its_own(make: Callable[..., Perdure]) -> None:
    whole = make(chaos__enabled="false")
    whole.start()
    with whole.client() as client:
        with pytest.raises(NotFound) as not_found:
            client.call("task.get", id="nowhere")
        assert not_found.value.code == -32001
        with pytest.raises(InvalidParams) as invalid:
            client.call("task.create", descriptoin="x")
        assert {one["path"] for one in invalid.value.details["violations"]} == {"description", "descriptoin"}
        with pytest.raises(Forbidden):
            client.call("actor.kill", name="tasks", how="crash")


def test_a_call_that_gets_no_answer_in_time_says_with_which_key_to_repeat_it(make: Callable[..., Perdure]) -> None:
    whole = make(supervisor__heartbeat_s="0.1", supervisor__hung_after_s="3")
    whole.start()
    with Client(whole.state_path, timeout_s=WITHIN_S) as client:
        client.call("actor.kill", name="tasks", how="hang")
        client.timeout_s = 0.2
        with pytest.raises(TimedOut) as late:
            client.call("task.create", description="late")
        key = late.value.details["idempotency_key"]
        client.timeout_s = WITHIN_S  # the hung actor is found and replaced
        task = client.call("task.create", description="late", idempotency_key=key)
        assert client.call("task.list")["tasks"] == [task]


def test_a_subscription_of_the_blocking_client_goes_on_over_kills_without_a_gap_or_a_repeat(restless: Perdure) -> None:
    with Client(restless.state_path, timeout_s=WITHIN_S) as client:
        lines = client.subscribe(after_seq=0)
        seqs: list[int] = []
        try:
            for n in range(5):
                for m in range(5):
                    client.call("task.create", id=f"{n} {m}", description="x")
                seq = client.call("runtime.ping")["seq"]
                while not seqs or seqs[-1] < seq:
                    line = next(lines)
                    if line["seq"] is not None:
                        seqs.append(line["seq"])
                restless.kill_runtime()
        finally:
            lines.close()
        assert seqs == list(range(1, seqs[-1] + 1))


async def test_the_trio_client_answers_all_calls_in_flight_over_kills(restless: Perdure) -> None:
    created: list[str] = []

    async def create(number: int) -> None:
        created.append((await client.call("task.create", description=f"{number}"))["id"])

    with trio.fail_after(WITHIN_S):
        async with connect_trio(restless.state_path, timeout_s=WITHIN_S) as client:
            for kill in range(5):
                async with trio.open_nursery() as nursery:
                    for n in range(50):
                        nursery.start_soon(create, kill * 50 + n)
                    await trio.lowlevel.checkpoint()
                    restless.kill_runtime()
            page = await client.call("task.list", limit=1000)
    assert sorted(int(task["description"]) for task in page["tasks"]) == list(range(250))
    assert {task["id"] for task in page["tasks"]} == set(created)


async def test_a_subscription_of_the_trio_client_goes_on_over_kills_of_runtime_and_root(restless: Perdure) -> None:
    seqs: list[int] = []
    with trio.fail_after(WITHIN_S):
        async with (
            connect_trio(restless.state_path, timeout_s=WITHIN_S) as client,
            client.subscribe(after_seq=0, kinds=["task.*", "daemon.*", "event.*", "session.*"]) as lines,
        ):
            for n in range(4):
                for m in range(5):
                    await client.call("task.create", id=f"{n} {m}", description="x")
                seq = (await client.call("runtime.ping"))["seq"]
                while not seqs or seqs[-1] < seq:
                    line = await anext(lines)
                    if line["seq"] is not None:
                        seqs.append(line["seq"])
                if n == 2:
                    restless.kill_root()
                    restless.start()
                else:
                    restless.kill_runtime()
    assert seqs == list(range(1, seqs[-1] + 1))


def test_a_client_started_before_perdure_waits_for_it(make: Callable[..., Perdure]) -> None:
    whole = make()
    with Client(whole.state_path, wait_s=0.0) as impatient, pytest.raises(NotRunning):
        impatient.call("runtime.ping")
    program = (
        "import sys; from supervisor.client import Client; print('begun', flush=True);"
        "print(Client(sys.argv[1], wait_s=60, timeout_s=60).call('runtime.ping')['pong'])"
    )
    argv = [sys.executable, "-c", program, str(whole.state_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "begun\n"
        whole.start()
        assert waiting.stdout.read() == "True\n"


def test_the_blocking_client_loads_neither_trio_nor_the_schema_library() -> None:
    program = (
        "import sys; from supervisor.client import Client; Client('/nowhere');"
        "print(sorted({'trio', 'msgspec', 'orjson', 'structlog', 'click', 'attrs'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
