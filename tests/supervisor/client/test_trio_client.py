"""The trio client: many calls in flight, all of them over lost connections."""

from pathlib import Path
from typing import Any

import pytest
import trio

from actors.model.errors import Conflict, NotFound, Overloaded
from supervisor.client import ConnectionLost, NotRunning, TimedOut, connect_trio
from tests.kit.gateway_harness import serving
from tests.kit.scripted_server import Conversation, scripted


async def test_many_calls_are_in_flight_at_once_over_a_real_gateway(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, connect_trio(server.path) as client:
        results: dict[int, Any] = {}

        async def one(number: int) -> None:
            results[number] = await client.call("task.create", description=f"t{number}")

        async with trio.open_nursery() as nursery:
            for number in range(300):
                nursery.start_soon(one, number)
        assert {n: result["params"]["description"] for n, result in results.items()} == {n: f"t{n}" for n in range(300)}
        assert server.gateway.connections == 1


async def test_a_batch_and_an_error_over_a_real_gateway(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, connect_trio(server.path) as client:
        one, two = await client.batch([("task.create", {"description": "x"}), ("task.create", {"description": "!no"})])
        assert one["params"]["description"] == "x"
        assert isinstance(two, Conflict)
        with pytest.raises(Conflict):
            await client.call("task.create", description="!no")


async def test_after_a_lost_connection_all_that_is_unanswered_is_sent_again_in_order(tmp_path: Path) -> None:
    def first(conversation: Conversation) -> None:
        requests = [conversation.request() for _ in range(5)]
        conversation.reply(requests[2], 2)

    def second(conversation: Conversation) -> None:
        for _ in range(4):
            request = conversation.request()
            conversation.reply(request, request["params"]["number"])
        conversation.wait_until_closed()

    results: list[int] = []
    with scripted(tmp_path / "perdure.sock", [first, second]) as requests:
        async with connect_trio(tmp_path) as client:

            async def one(number: int) -> None:
                assert await client.call("task.create", number=number) == number
                results.append(number)

            async with trio.open_nursery() as nursery:
                for number in range(5):
                    nursery.start_soon(one, number)
                    await trio.testing.wait_all_tasks_blocked()
    assert sorted(results) == list(range(5))
    assert [request["params"]["number"] for request in requests] == [0, 1, 2, 3, 4, 0, 1, 3, 4]
    keys = {request["params"]["number"]: request["params"]["idempotency_key"] for request in requests}
    assert all(request["params"]["idempotency_key"] == keys[request["params"]["number"]] for request in requests)


async def test_what_takes_no_key_and_does_something_is_not_sent_twice(tmp_path: Path) -> None:
    def second(conversation: Conversation) -> None:
        conversation.reply(conversation.request(), "after")
        conversation.wait_until_closed()

    with scripted(tmp_path / "perdure.sock", [lambda talk: talk.request(), second]) as requests:
        async with connect_trio(tmp_path) as client:
            with pytest.raises(ConnectionLost):
                await client.call("actor.kill", name="tasks", how="crash")
            assert await client.call("runtime.ping") == "after"
    assert [request["method"] for request in requests] == ["actor.kill", "runtime.ping"]


async def test_nobody_there_is_told_soon(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        async with connect_trio(tmp_path, wait_s=0.05):
            pass


async def test_no_answer_in_time_is_told(tmp_path: Path) -> None:
    with scripted(tmp_path / "perdure.sock", [Conversation.wait_until_closed]):
        async with connect_trio(tmp_path, timeout_s=0.05) as client:
            with pytest.raises(TimedOut) as caught:
                await client.call("task.create", description="x", idempotency_key="mine")
            assert caught.value.details["idempotency_key"] == "mine"


async def test_an_error_in_the_block_comes_out_as_itself(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        with pytest.raises(NotFound):
            async with connect_trio(server.path):
                raise NotFound("nothing there")


async def test_cancelling_the_block_closes_the_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.actors["tasks"].hold()
        with trio.move_on_after(0.05):
            async with connect_trio(server.path) as client:
                await client.call("task.create", description="x")
        server.actors["tasks"].let_go()
        await server.until_connections(0)


async def test_a_connection_that_is_turned_away_raises_why(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.refuse(None, Overloaded.code, "overloaded", retry_after_s=1.0)

    with scripted(tmp_path / "perdure.sock", [script]):
        async with connect_trio(tmp_path) as client:
            with pytest.raises(Overloaded):
                await client.call("task.get", id="x")


async def test_a_notification_is_sent_and_not_waited_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, connect_trio(server.path) as client:
        client.notify("task.create", description="n")
        await client.call("runtime.ping")
        assert [request.params.description for request in server.actors["tasks"].seen] == ["n"]


def line(seq: int | None) -> dict[str, Any]:
    """A notification of one journal line."""
    return {"jsonrpc": "2.0", "method": "event", "params": {"subscription": "s", "seq": seq, "ts": "t", "events": []}}


async def test_a_subscription_goes_on_after_the_last_line_seen(tmp_path: Path) -> None:
    def first(conversation: Conversation) -> None:
        request = conversation.request()
        conversation.send(line(5))  # may overtake the reply
        conversation.reply(request, {"subscription": "s", "seq": 4})
        conversation.send(line(None), line(6))

    def second(conversation: Conversation) -> None:
        conversation.reply(conversation.request(), {"subscription": "s", "seq": 6})
        conversation.send(line(7), {"jsonrpc": "2.0", "method": "event.gap", "params": {"from": 8, "to": 9}})
        conversation.wait_until_closed()

    def third(conversation: Conversation) -> None:
        conversation.reply(conversation.request(), {"subscription": "s", "seq": 7})
        conversation.send(line(8))
        conversation.wait_until_closed()

    with scripted(tmp_path / "perdure.sock", [Conversation.wait_until_closed, first, second, third]) as requests:
        async with connect_trio(tmp_path) as client:
            pass
        async with client.subscribe(kinds=["task.*"]) as lines:
            assert [(await anext(lines))["seq"] for _ in range(5)] == [5, None, 6, 7, 8]
    assert [request["params"].get("after_seq") for request in requests] == [None, 6, 7]
