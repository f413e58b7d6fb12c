"""The order in which one connection's commands take effect, keys that are under way, and full mailboxes."""

from pathlib import Path
from typing import Any

import trio
import trio.testing

from supervisor.gateway.limits import Limits
from tests.kit.gateway_harness import Harness, call, create, serving

SESSION = "11111111-2222-4333-8444-555555555555"


def seen(server: Harness) -> list[str]:
    """What has reached any actor, by the description or id that tells which command it was."""
    return [
        str(getattr(request.params, "description", getattr(request.params, "id", request.method)))
        for actor in server.actors.values()
        for request in actor.seen
    ]


async def settled() -> None:
    """Let everything happen that needs no waiting."""
    await trio.testing.wait_all_tasks_blocked(0.02)


async def test_mutations_for_one_actor_follow_each_other_without_waiting(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        server.actors["tasks"].hold()
        await client.send(*(create(n, f"t{n}") for n in range(5)))
        await settled()
        assert seen(server) == [f"t{n}" for n in range(5)]
        server.actors["tasks"].let_go()
        assert set(await client.replies(5)) == set(range(5))


async def test_a_query_waits_for_the_mutations_before_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        server.actors["tasks"].hold()
        await client.send(create(1, "t1"), call("task.get", 2, id="q"))
        await settled()
        assert seen(server) == ["t1"]
        server.actors["tasks"].let_go()
        assert set(await client.replies(2)) == {1, 2}
        assert seen(server) == ["t1", "q"]


async def test_a_mutation_for_another_actor_waits(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        server.actors["tasks"].hold()
        await client.send(create(1, "t1"), call("session.close", 2, id=SESSION), create(3, "t3"))
        await settled()
        assert seen(server) == ["t1"]
        server.actors["tasks"].let_go()
        assert set(await client.replies(3)) == {1, 2, 3}
        assert [request.method for request in server.actors["sessions"].seen] == ["session.close"]


async def test_a_mutation_waits_for_queries_at_other_actors(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        server.actors["sessions"].hold()
        await client.send(call("session.get", 1, id=SESSION), call("task.get", 2, id="t"), create(3, "t3"))
        await settled()
        assert sorted(seen(server)) == [SESSION, "t"]
        server.actors["sessions"].let_go()
        assert set(await client.replies(3)) == {1, 2, 3}


async def test_queries_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        server.actors["writer"].hold()
        await client.send(call("state.verify", 1), call("task.get", 2, id="t"), call("runtime.ping", 3))
        assert set(await client.replies(2)) == {2, 3}
        server.actors["writer"].let_go()
        assert (await client.reply())["id"] == 1


async def test_what_is_answered_by_the_gateway_waits_for_mutations_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        server.actors["tasks"].hold()
        await client.send(create(1), call("runtime.status", 2))
        await settled()
        server.actors["tasks"].let_go()
        assert [(await client.reply())["id"], (await client.reply())["id"]] == [1, 2]


async def test_connections_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        busy, other = await server.client(), await server.client()
        server.actors["tasks"].hold()
        await busy.send(create(1))
        await settled()
        await other.send(call("session.get", 2, id=SESSION))
        assert (await other.reply())["id"] == 2
        server.actors["tasks"].let_go()
        assert (await busy.reply())["id"] == 1


async def test_the_order_holds_inside_a_batch(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        server.actors["tasks"].hold()
        await client.send([create(1, "t1"), call("task.get", 2, id="q"), create(3, "t3")])
        await settled()
        assert seen(server) == ["t1"]
        server.actors["tasks"].let_go()
        assert [reply["id"] for reply in await client.reply()] == [1, 2, 3]
        assert seen(server) == ["t1", "q", "t3"]


async def test_a_key_that_is_under_way_holds_back_its_repeat_on_any_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        first, second, other = await server.client(), await server.client(), await server.client()
        server.actors["tasks"].hold()
        await first.send(create(1, "first", idempotency_key="k"))
        await settled()
        await second.send(create(2, "second", idempotency_key="k"), create(3, "after"))
        await other.send(create(4, "other", idempotency_key="another"))
        await settled()
        assert seen(server) == ["first", "other"]
        server.actors["tasks"].let_go()
        assert (await first.reply())["id"] == 1
        assert set(await second.replies(2)) == {2, 3}
        assert seen(server) == ["first", "other", "second", "after"]


async def test_keyed_commands_carry_a_digest_of_what_they_ask(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send(create(1, "x", idempotency_key="k1"), create(2, "x", idempotency_key="k2"), create(3, "x"))
        await client.replies(3)
        first, second, third = server.actors["tasks"].seen
        assert first.digest == second.digest
        assert (first.key, third.key, third.digest) == ("k1", None, None)
        assert len({first.ref, second.ref, third.ref}) == 3


async def test_a_repeat_whose_first_one_is_gone_with_its_connection_is_still_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        first, second = await server.client(), await server.client()
        server.actors["tasks"].hold()
        await first.send(create(1, "first", idempotency_key="k"))
        await settled()
        await first.stream.aclose()
        await second.send(create(2, "second", idempotency_key="k"))
        await settled()
        server.actors["tasks"].let_go()
        assert (await second.reply())["id"] == 2


async def test_beyond_the_commands_in_flight_a_connection_is_not_read_and_nothing_is_lost(tmp_path: Path) -> None:
    limits = Limits(in_flight_max=8)
    async with serving(tmp_path, limits=limits) as server:
        client = await server.client()
        server.actors["tasks"].hold()
        await client.send(*(create(n) for n in range(100)))
        await settled()
        assert len(server.actors["tasks"].seen) == 8
        server.actors["tasks"].let_go()
        assert set(await client.replies(100)) == set(range(100))


async def test_a_full_mailbox_holds_commands_back_and_none_is_lost_or_overtaken(tmp_path: Path) -> None:
    async with serving(tmp_path, letters_max=4) as server:
        clients = [await server.client() for _ in range(5)]
        server.actors["tasks"].hold()
        for number, client in enumerate(clients):
            await client.send(*(create(n, f"{number}:{n:02}") for n in range(20)))
        await settled()
        assert len(server.actors["tasks"].seen) == 4
        server.actors["tasks"].let_go()
        for client in clients:
            assert set(await client.replies(20)) == set(range(20))
        for number in range(5):
            own = [name for name in seen(server) if name.startswith(f"{number}:")]
            assert own == sorted(own)
            assert len(own) == 20


async def test_a_full_mailbox_does_not_hold_back_commands_for_other_actors(tmp_path: Path) -> None:
    async with serving(tmp_path, letters_max=2) as server:
        busy, other = await server.client(), await server.client()
        server.actors["tasks"].hold()
        await busy.send(*(create(n) for n in range(10)))
        await settled()
        await other.send(call("session.get", 1, id=SESSION))
        assert (await other.reply())["id"] == 1
        server.actors["tasks"].let_go()
        assert len(await busy.replies(10)) == 10


async def test_a_subscriber_can_be_notified_between_its_replies(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send(call("event.subscribe", 1))
        await client.reply()
        (request,) = server.actors["events"].seen
        assert request.notify is not None
        line: Any = b'{"jsonrpc":"2.0","method":"event","params":{}}\n'
        assert request.notify(line).value == "sent"
        assert (await client.reply())["method"] == "event"
        await client.stream.aclose()
        await server.until_connections(0)
        assert request.notify(line).value == "closed"
