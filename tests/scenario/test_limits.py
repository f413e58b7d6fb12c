"""What one client may cost: many connections, one that does not read, half a line, too much at once. Others go on."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from actors.model.errors import Overloaded
from tests.kit.perdure import Perdure, Wire, eventually, frame

KIB = 1024
SMALL = {
    "gateway__frame_bytes_max": f"{64 * KIB}",
    "gateway__unsent_bytes_max": f"{256 * KIB}",
    "gateway__memory_bytes_max": f"{1024 * KIB}",
}


def test_two_hundred_connections_are_served_side_by_side(running: Perdure) -> None:
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(running.wire()) for _ in range(200)]
        for number, wire in enumerate(wires):
            wire.send(frame("task.create", number, id=f"of-{number}", description="x"))
        replies = [wire.reply() for wire in wires]
        assert [reply["result"]["id"] for reply in replies] == [f"of-{n}" for n in range(200)]
        assert running.call("runtime.status")["counts"]["tasks"]["total"] == 200


def test_one_connection_too_many_is_told_so_and_comes_in_when_another_leaves(make: Callable[..., Perdure]) -> None:
    whole = make(gateway__connections_max="5")
    whole.start()
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(whole.wire()) for _ in range(5)]
        for wire in wires:
            wire.call("runtime.ping")
        with whole.wire() as turned_away:
            error = turned_away.reply()["error"]
            assert (error["code"], error["data"]["kind"]) == (-32005, "overloaded")
            assert error["data"]["retry_after_s"] > 0
            assert turned_away.reply() is None
        wires[0].close()
        eventually(lambda: _is_served(whole), "there is room again")
        assert wires[1].call("runtime.ping")["pong"] is True


def _is_served(whole: Perdure) -> bool:
    with whole.client() as client:
        try:
            return bool(client.call("runtime.ping")["pong"])
        except Overloaded:
            return False


def test_a_client_that_does_not_read_is_cut_and_the_others_go_on(make: Callable[..., Perdure]) -> None:
    whole = make(**SMALL)
    whole.start()
    with whole.wire() as deaf, whole.wire() as other:
        other.call("task.create", id="long", description="x" * 30_000)
        ask = frame("task.get", 1, id="long")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:  # it is closed while it still asks, or this never ends
                deaf.send(ask * 10)
        assert other.call("task.get", id="long")["rev"] == 1
        assert other.call("runtime.health")["status"] == "ok"


def test_half_a_line_that_is_never_ended_is_answered_and_cut(make: Callable[..., Perdure]) -> None:
    whole = make(gateway__half_frame_s="0.3")
    whole.start()
    with whole.wire() as half, whole.wire() as idle:
        half.send(frame("task.create", 1, id="whole", description="x") + b'{"jsonrpc":"2.0","id":2')
        assert half.reply()["result"]["id"] == "whole"
        error = half.reply()["error"]
        assert (error["code"], error["data"]["kind"]) == (-32700, "parse_error")
        assert half.reply() is None
        assert idle.call("runtime.ping")["pong"] is True, "a connection that says nothing may stay"


def test_what_is_sent_beyond_the_commands_in_flight_waits_and_is_all_carried_out(make: Callable[..., Perdure]) -> None:
    whole = make(gateway__in_flight_max="4", supervisor__heartbeat_s="0.1", supervisor__hung_after_s="2")
    whole.start()
    with whole.wire() as eager, whole.wire() as other:
        other.call("actor.kill", name="tasks", how="hang")
        sent, rest = eager.send_until_full(lambda n: frame("task.create", n, description="x" * 10_000))
        assert sent * 10_000 < 8 * KIB * KIB, "it was read although nothing was answered"
        new_session = {"title": "t", "provider": "p", "model": "m", "working_directory": "/"}
        assert other.call("session.create", **new_session)["rev"] == 1, "another connection is served meanwhile"
        # The hung actor is found and replaced; then everything is answered.
        eager.send(rest)
        replies = [eager.reply() for _ in range(sent)]
        assert [reply["id"] for reply in replies] == list(range(sent))
        assert all(reply["result"]["rev"] == 1 for reply in replies)
        assert other.call("runtime.status")["counts"]["tasks"]["total"] == sent


def test_a_subscriber_too_slow_to_follow_is_told_of_the_gap_and_can_read_it(make: Callable[..., Perdure]) -> None:
    whole = make(events__subscriber_lines_max="20", events__cache_size="10")
    whole.start()
    with whole.wire() as slow, whole.wire() as worker:
        slow.call("event.subscribe", after_seq=0)
        for _ in range(14):
            worker.call("event.record", type="big", message="x" * 1_000_000)
        for _ in range(60):
            worker.call("event.record", type="small", message="x")
        end = worker.call("runtime.ping")["seq"]
        seen: list[int] = []
        gaps: list[tuple[int, int]] = []
        last = 0
        while last < end:
            event = slow.event()
            if event["method"] == "event.gap":
                gaps.append((event["from"], event["to"]))
                last = event["to"]
            elif event["seq"] is not None:
                seen.append(event["seq"])
                last = event["seq"]
        assert gaps, "it kept up: this showed nothing"
        missed = [seq for first, to in gaps for seq in range(first, to + 1)]
        assert sorted(seen + missed) == list(range(1, end + 1))
        found = _listed(worker, missed[0] - 1, missed[-1])
        assert found == missed


def _listed(wire: Wire, after: int, to: int) -> list[int]:
    seqs: list[int] = []
    while after < to:
        page = wire.call("event.list", after_seq=after, limit=5)
        seqs += [event["seq"] for event in page["events"] if event["seq"] <= to]
        after = page["next_seq"]
    return seqs


def test_nesting_beyond_the_configured_limit_is_a_parse_error(make: Callable[..., Perdure]) -> None:
    whole = make(gateway__nesting_max="10")
    whole.start()
    with whole.wire() as wire:
        within, beyond = [[[[[[[[1]]]]]]]], [[[[[[[[[1]]]]]]]]]
        assert wire.call("report.save", data=within, id="within")["id"] == "within"
        wire.send(frame("report.save", 1, data=beyond))
        assert wire.reply()["error"]["code"] == -32700


def test_a_claim_that_does_not_say_how_long_holds_as_long_as_configured(make: Callable[..., Perdure]) -> None:
    whole = make(tasks__lease_s="0.2")
    whole.start()
    with whole.wire() as wire:
        task_id = wire.call("task.create", description="x")["id"]
        first = wire.call("task.claim", worker="silent")
        wire.call("event.subscribe", after_seq=0, kinds=["task.lease_expired"])
        assert wire.event()["events"][0]["id"] == task_id
        second = wire.call("task.claim", worker="next", lease_s=3600)
        assert (second["id"], second["worker"]) == (task_id, "next")
        assert second["lease"] > first["lease"]
        assert wire.fault("task.complete", id=task_id, lease=first["lease"])["data"]["kind"] == "conflict"


def test_a_flood_of_broken_lines_does_not_keep_others_waiting_or_end_anything(running: Perdure) -> None:
    with running.wire() as flooding, running.wire() as other:
        flooding.send(b"]\n" * 2000)
        for n in range(20):
            assert other.call("task.create", description=f"{n}")["rev"] == 1
        codes = {flooding.reply()["error"]["code"] for _ in range(2000)}
        assert codes == {-32700}
        assert flooding.call("runtime.ping")["pong"] is True


def test_clients_that_vanish_in_the_middle_of_everything_leave_nothing_behind(running: Perdure) -> None:
    with running.wire() as steady:
        before: Any = None
        for n in range(50):
            with running.wire() as vanishing:
                vanishing.send(frame("event.subscribe", 0, after_seq=0) + frame("task.create", 1, description=f"{n}"))
                vanishing.send(frame("task.create", 2, description="cut off")[:-20])
                vanishing.deafen()
            before = before or steady.call("runtime.ping")
        described = {task["description"] for task in steady.call("task.list", limit=1000)["tasks"]}
        assert described <= {f"{n}" for n in range(50)}
        steady.call("task.create", id="after", description="x")
        assert steady.call("runtime.health")["status"] == "ok"
