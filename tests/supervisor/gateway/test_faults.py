"""Clients that misbehave: bounded memory, clear errors, and nobody else affected (FAULTS 36)."""

import errno
import json
import os
import resource
import socket
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from actors.messages.request import Delivery
from supervisor.gateway.gateway import Gateway
from supervisor.gateway.limits import Limits
from supervisor.gateway.pump import Pump
from tests.kit.echo_actors import echo
from tests.kit.gateway_harness import RawClient, RunContext, call, create, serving, until


async def test_a_giant_frame_is_answered_and_closes_its_connection_only(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(frame_bytes_max=10_000)) as server:
        giant, other = await server.client(), await server.client()
        await giant.send(call(call_id="before"))
        assert (await giant.reply())["id"] == "before"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send_until_broken, giant.stream, b"x" * 1_000_000)
            assert await giant.kind() == "too_large"
            assert await giant.ends()
        await other.send(call())
        assert (await other.reply())["id"] == 1


async def _send_until_broken(stream: trio.SocketStream, data: bytes) -> None:
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(data)


async def test_what_was_sent_before_a_giant_frame_is_answered(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(frame_bytes_max=10_000)) as server:
        client = await server.client()
        line = json.dumps(create("before")).encode() + b"\n"
        await client.send_bytes(line + b"x" * 10_001)
        replies = await client.replies(2)
        assert "result" in replies["before"]
        assert replies[None]["error"]["data"]["kind"] == "too_large"
        assert await client.ends()


async def test_a_frame_of_the_largest_size_is_taken(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(frame_bytes_max=3_000_000)) as server:
        client = await server.client()
        text = "x" * 1_000_000
        request = create(1, text, metadata={"more": text})
        with_newline = json.dumps(request).encode() + b"\n"
        await client.send_bytes(with_newline)
        assert (await client.reply())["result"]["params"]["description"] == text


async def test_half_a_frame_that_stays_half_is_answered_and_closed(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(half_frame_s=0.2)) as server:
        client, patient = await server.client(), await server.client()
        await client.send_bytes(b'{"jsonrpc"')
        assert await client.kind() == "parse_error"
        assert await client.ends()
        await patient.send(call())
        assert (await patient.reply())["id"] == 1


async def test_one_byte_now_and_then_does_not_keep_half_a_frame_alive(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(half_frame_s=0.2)) as server:
        client = await server.client()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drip, client.stream)
            assert await client.kind() == "parse_error"
            assert await client.ends()
            nursery.cancel_scope.cancel()


async def _drip(stream: trio.SocketStream) -> None:
    try:
        while True:
            await stream.send_all(b" ")
            await stream.send_all(b"x")
            await trio.sleep(0.02)
    except trio.BrokenResourceError:
        return


async def test_half_a_frame_that_we_did_not_read_is_not_its_senders_fault(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(half_frame_s=0.1, in_flight_max=1)) as server:
        client = await server.client()
        server.actors["tasks"].hold()
        line = json.dumps(create(2)).encode() + b"\n"
        await client.send_bytes(json.dumps(create(1)).encode() + b"\n" + line[:20])
        await trio.sleep(0.4)
        server.actors["tasks"].let_go()
        assert (await client.reply())["id"] == 1
        await client.send_bytes(line[20:])
        assert (await client.reply())["id"] == 2


async def test_a_stream_that_ends_inside_a_frame_is_told_so_after_its_answers(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send_bytes(json.dumps(create(1)).encode() + b'\n{"jsonrpc"')
        await client.stream.send_eof()
        replies = await client.replies(2)
        assert "result" in replies[1]
        assert replies[None]["error"]["data"]["kind"] == "parse_error"
        assert await client.ends()


async def test_a_client_that_stops_sending_still_gets_its_answers(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        server.actors["tasks"].hold()
        await client.send(*(create(n) for n in range(50)))
        await client.stream.send_eof()
        await trio.testing.wait_all_tasks_blocked(0.02)
        server.actors["tasks"].let_go()
        assert set(await client.replies(50)) == set(range(50))
        assert await client.ends()
        await server.until_connections(0)


async def test_what_a_client_sent_before_it_went_away_is_carried_out(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(in_flight_max=4)) as server:
        client = await server.client()
        notification = {"jsonrpc": "2.0", "method": "task.create", "params": {"description": "n"}}
        await client.send(create(1), *([notification] * 200))
        await client.stream.aclose()
        await server.until_connections(0)
        assert len(server.actors["tasks"].seen) == 201


async def test_a_client_that_never_reads_is_closed_and_nobody_else_notices(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(unsent_bytes_max=2_000_000)) as server:
        silent, other = await server.client(), await server.client()
        server.actors["tasks"].answer = lambda _: b'"' + b"r" * 100_000 + b'"'
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_ask_until_closed, silent.stream)
            await server.until_connections(1)
        assert server.tally.closings["does not read"] == 1
        assert server.gateway.held_bytes < 2_000_000
        await other.send(call())
        assert (await other.reply())["id"] == 1


async def _ask_until_closed(stream: trio.SocketStream) -> None:
    line = json.dumps(call("task.get", 1, id="x")).encode() + b"\n"
    try:
        while True:
            await stream.send_all(line * 10)
    except trio.BrokenResourceError:
        return


async def test_queries_that_are_sent_at_once_and_have_too_long_answers_are_told_and_the_connection_goes_on(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, limits=Limits(unsent_bytes_max=2_000_000)) as server:
        client = await server.client()
        server.actors["tasks"].answer = lambda _: b'"' + b"r" * 400_000 + b'"'
        await client.send(*(call("task.get", n, id="x") for n in range(20)))
        replies = [await client.reply() for _ in range(20)]
        refused = [reply["error"]["data"]["kind"] for reply in replies if "error" in reply]
        assert set(refused) == {"overloaded"}
        assert 1 < 20 - len(refused) < 20
        await client.send(call("task.get", 20, id="x"))
        assert "result" in await client.reply()


async def test_a_batch_with_too_long_replies_is_answered_with_those_that_have_room(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(unsent_bytes_max=2_000_000, in_flight_max=8)) as server:
        client = await server.client()
        server.actors["tasks"].answer = lambda _: b'"' + b"r" * 100_000 + b'"'
        await client.send([call("task.get", n, id="x") for n in range(1000)])
        line = await client.line()
        assert line is not None
        replies = json.loads(line)
        assert [reply["id"] for reply in replies] == list(range(1000))
        assert 10 < sum("result" in reply for reply in replies) < 20
        assert server.gateway.connections == 1


async def test_a_batch_of_commands_whose_replies_are_not_read_is_closed_too(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(unsent_bytes_max=2_000_000, in_flight_max=8)) as server:
        client = await server.client()
        server.actors["tasks"].answer = lambda _: b'"' + b"r" * 100_000 + b'"'
        await client.send([create(n) for n in range(1000)])
        await server.until_connections(0)
        assert len(server.actors["tasks"].seen) < 100


async def test_a_slow_reader_gets_everything_in_order(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        server.actors["tasks"].answer = lambda request: b'"%b%b"' % (request.params.id.encode(), b"r" * 50_000)
        await client.send(*(call("task.get", n, id=f"{n:03}") for n in range(100)))
        await trio.testing.wait_all_tasks_blocked(0.02)
        for number in range(100):
            assert (await client.reply())["result"] == f"{number:03}" + "r" * 50_000


async def test_a_subscriber_with_too_much_unsent_is_slow_and_gets_no_more_until_it_reads(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(notify_unsent_bytes_max=1_000_000)) as server:
        client = await server.client()
        await client.send(call("event.subscribe", 1))
        await client.reply()
        (request,) = server.actors["events"].seen
        assert request.notify is not None
        line = b'"' + b"e" * 100_000 + b'"\n'
        sent = 0
        while request.notify(line) is Delivery.SENT:
            sent += 1
            await trio.lowlevel.checkpoint()
        assert request.notify(line) is Delivery.SLOW
        for _ in range(sent):
            await client.line()
        assert request.notify(line) is Delivery.SENT


async def test_one_connection_over_the_limit_is_told_overloaded_and_closed(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(connections_max=2)) as server:
        first, _second = await server.client(), await server.client()
        await server.until_connections(2)
        third = await server.client()
        error = (await third.reply())["error"]
        assert error["data"]["kind"] == "overloaded"
        assert error["data"]["retry_after_s"] > 0
        assert await third.ends()
        await first.stream.aclose()
        await server.until_connections(1)
        fourth = await server.client()
        await fourth.send(call())
        assert (await fourth.reply())["id"] == 1


async def test_another_user_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, uids=frozenset({os.geteuid() + 1})) as server:
        client = await server.client()
        assert await client.kind() == "forbidden"
        assert await client.ends()
        assert server.gateway.connections == 0


async def test_two_hundred_clients_at_once_are_all_served(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        clients = [await server.client() for _ in range(200)]
        for number, client in enumerate(clients):
            await client.send(create(number, f"t{number}"))
        for number, client in enumerate(clients):
            reply = await client.reply()
            assert reply["id"] == number
            assert reply["result"]["params"]["description"] == f"t{number}"
        for client in clients:
            await client.stream.aclose()
        await server.until_connections(0)
        assert server.gateway.held_bytes == 0


async def test_the_memory_of_all_connections_is_bounded_and_small_ones_go_on(tmp_path: Path) -> None:
    limits = Limits(memory_bytes_max=4_000_000, half_frame_s=30.0)
    async with serving(tmp_path, limits=limits) as server:
        hoarders = [await server.client() for _ in range(8)]
        small = await server.client()
        async with trio.open_nursery() as nursery:
            for hoarder in hoarders:
                nursery.start_soon(_hoard, hoarder.stream)
            await until(lambda: server.gateway.held_bytes > limits.memory_bytes_max)
            await trio.testing.wait_all_tasks_blocked(0.05)
            one_line_bytes = 5_000_000  # of one at a time, so that not all wait for each other
            assert server.gateway.held_bytes < 1.5 * limits.memory_bytes_max + 300_000 + one_line_bytes
            await small.send(create(1))
            assert (await small.reply())["id"] == 1
            nursery.cancel_scope.cancel()
        for hoarder in hoarders[1:]:
            await hoarder.stream.aclose()
        await server.until_connections(2)
        assert server.gateway.held_bytes < limits.memory_bytes_max


async def test_lines_that_together_are_more_than_the_budget_are_taken_one_after_the_other(tmp_path: Path) -> None:
    limits = Limits(memory_bytes_max=2_000_000)
    async with serving(tmp_path, limits=limits) as server:
        clients = [await server.client() for _ in range(8)]
        answered: list[int] = []

        async def send_and_receive(number: int, client: RawClient) -> None:
            await client.send(call("task.create", number, description="d" * 800_000))
            assert (await client.reply())["id"] == number
            answered.append(number)

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for number, client in enumerate(clients):
                    nursery.start_soon(send_and_receive, number, client)
        assert sorted(answered) == list(range(8))
        assert server.gateway.held_bytes < limits.memory_bytes_max


async def _hoard(stream: trio.SocketStream) -> None:
    await stream.send_all(b'"' + b"h" * 5_000_000)


async def test_a_crash_costs_the_connection_in_hand_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path) as server:
        guilty, other = await server.client(), await server.client()
        server.actors["tasks"].hold()
        await other.send(create(1))
        await trio.testing.wait_all_tasks_blocked(0.02)
        server.context.stopping.set()
        await trio.testing.wait_all_tasks_blocked(0.02)

        def crash(self: Pump, peer: object, now: float) -> None:
            raise RuntimeError("planted")

        await guilty.send(create(2))
        with monkeypatch.context() as patch:
            patch.setattr(Pump, "_read", crash)
            with pytest.RaisesGroup(RuntimeError):
                await server.gateway.run(RunContext())
        server.actors["tasks"].let_go()
        server.nursery.start_soon(server.gateway.run, RunContext())
        assert await guilty.ends()
        assert (await other.reply())["id"] == 1
        await other.send(create(3))
        assert (await other.reply())["id"] == 3


async def test_draining_answers_what_is_under_way_and_refuses_what_is_new(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        server.actors["tasks"].hold()
        await client.send(create(1), call("task.get", 2, id="waits"))
        await trio.testing.wait_all_tasks_blocked(0.02)
        left: list[int] = []

        async def drain() -> None:
            left.append(await server.gateway.drain("asked to stop", 30.0))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drain)
            refused = await client.reply()
            assert (refused["id"], refused["error"]["data"]["kind"]) == (2, "shutting_down")
            await client.send(create(3))
            assert await client.kind() == "shutting_down"
            server.actors["tasks"].let_go()
            assert "result" in await client.reply()
        assert left == [0]
        server.gateway.close()
        assert await client.ends()


async def test_draining_ends_at_its_deadline_and_says_what_is_left(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        server.actors["tasks"].hold()
        await client.send(create(1), create(2))
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert await server.gateway.drain("asked to stop", 0.05) == 2


async def test_draining_ends_with_the_last_answer_also_when_its_client_was_cut_off(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(unsent_bytes_max=1)) as server:
        client = await server.client()
        server.actors["tasks"].hold()
        await client.send(call("task.get", 1, id="waits"))
        await trio.testing.wait_all_tasks_blocked(0.02)
        while server.gateway.connections:  # it reads nothing of what it asks for
            await client.send(call("rpc.discover", 2))
            await trio.testing.wait_all_tasks_blocked()
        assert server.gateway.commands_under_way == 1
        left: list[int] = []

        async def drain() -> None:
            left.append(await server.gateway.drain("asked to stop", float("inf")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drain)
            await trio.testing.wait_all_tasks_blocked(0.02)
            server.actors["tasks"].let_go()
        assert left == [0]


async def test_the_gateway_beats_while_nothing_happens(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(half_frame_s=0.04)) as server:
        await until(lambda: server.context.beats >= 3)


async def test_a_planted_answer_out_of_turn_harms_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        server.actors["tasks"].hold()
        await client.send(create(1))
        await trio.testing.wait_all_tasks_blocked(0.02)
        (request,) = server.actors["tasks"].seen
        request.done(echo(request))
        server.actors["tasks"].let_go()
        assert (await client.reply())["id"] == 1
        await client.send(call(call_id=2))
        assert (await client.reply())["id"] == 2


def test_a_table_with_nobody_to_carry_it_out_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, pytest.raises(ValueError, match="tasks"):
        Gateway(listener=listener, actors={}, local={}, crashed=lambda _id, _error: None)


@pytest.mark.long
async def test_of_five_thousand_clients_the_first_thousand_are_served_and_the_others_told(tmp_path: Path) -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 8000:
        pytest.skip("this system allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (8000, hard))
    async with serving(tmp_path) as server:
        served = told = 0
        for number in range(5000):
            client = await server.client()
            with suppress(trio.BrokenResourceError):  # who is turned away may find the connection closed already
                await client.send(call(call_id=number))
            reply = await client.reply()
            served += "result" in reply
            told += reply.get("error", {}).get("data", {}).get("kind") == "overloaded"
        assert (served, told) == (1024, 5000 - 1024)


class ExhaustedListener(socket.socket):
    """A listener that finds no free descriptor at first."""

    refusals_left = 1

    def accept(self) -> tuple[socket.socket, object]:
        """Fail as the system does when the process may open no more."""
        if ExhaustedListener.refusals_left:
            ExhaustedListener.refusals_left -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


async def test_without_free_descriptors_new_clients_wait_until_there_are_some(tmp_path: Path) -> None:
    ExhaustedListener.refusals_left = 1
    async with serving(tmp_path, limits=Limits(half_frame_s=0.04), listening=ExhaustedListener) as server:
        client = await server.client()
        await client.send(call())
        assert (await client.reply())["id"] == 1
        assert server.tally.closings["descriptors exhausted"] == 1


class WithoutMemory(socket.socket):
    """A client's socket on which the kernel has no memory to send, though the client is there."""

    def send(self, *_given: object) -> int:
        """Fail as the system does."""
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))


class ShortOfMemory(socket.socket):
    """A listener whose first client cannot be sent to."""

    first = True

    def accept(self) -> tuple[socket.socket, object]:
        """Accept a client; the first one gets nothing."""
        client, address = super().accept()
        if ShortOfMemory.first:
            ShortOfMemory.first = False
            client = WithoutMemory(fileno=client.detach())
        return client, address


async def test_a_client_that_cannot_be_sent_to_is_told_the_end_so_that_it_can_connect_anew(tmp_path: Path) -> None:
    ShortOfMemory.first = True
    async with serving(tmp_path, listening=ShortOfMemory) as server:
        client = await server.client()
        await client.send(create("lost"))
        assert await client.ends()
        again = await server.client()
        await again.send(create("answered"))
        assert (await again.reply())["id"] == "answered"
        await client.stream.aclose()
        await server.until_connections(1)
