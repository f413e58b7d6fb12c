"""Following the journal over a plain socket: every line, once, in order, whatever crashes meanwhile."""

from typing import Any

import pytest

from tests.kit.perdure import Perdure, Wire

Line = dict[str, Any]


def lines(wire: Wire, up_to_seq: int) -> list[Line]:
    """Wait for notifications up to a seq; live events (their seq is null) are left out."""
    found: list[Line] = []
    while not found or found[-1]["seq"] < up_to_seq:
        event = wire.event()
        assert event["method"] == "event", f"not a line but {event}"
        if event["seq"] is not None:
            found.append(event)
    return found


def as_told(line: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What a line of the journal says, in the form of `told`."""
    return [(line["seq"], line["ts"], fact["op"], fact["id"], fact["rev"]) for fact in line["facts"]]


def told(line: Line) -> list[tuple[Any, ...]]:
    """What a notification says."""
    return [(line["seq"], line["ts"], event["kind"], event["id"], event["rev"]) for event in line["events"]]


def work(wire: Wire, rounds: int) -> int:
    """Change a few rows; return the seq then."""
    for n in range(rounds):
        task_id = wire.call("task.create", description=f"number {n}")["id"]
        wire.call("task.log", id=task_id, message="a line of log")
        wire.call("event.record", type="work", message=f"{n}")
    seq: int = wire.call("runtime.ping")["seq"]
    return seq


def test_a_subscriber_from_the_beginning_gets_exactly_the_journal(running: Perdure) -> None:
    with running.wire() as worker, running.wire() as follower:
        middle = work(worker, 5)
        begun = follower.call("event.subscribe", after_seq=0)
        assert begun["seq"] >= middle
        end = work(worker, 5)
        followed = lines(follower, end)
    assert [line["seq"] for line in followed] == list(range(1, end + 1))
    journal = [line for line in running.journal() if line["seq"] <= end]
    assert [told(line) for line in followed] == [as_told(line) for line in journal]


def test_a_subscriber_far_behind_the_lines_in_memory_is_served_from_the_disk(make: Any) -> None:
    whole: Perdure = make(events__cache_size="5")
    whole.start()
    with whole.wire() as worker, whole.wire() as follower:
        end = work(worker, 20)
        follower.call("event.subscribe", after_seq=3)
        assert [line["seq"] for line in lines(follower, end)] == list(range(4, end + 1))


def test_a_subscriber_hears_only_of_the_kinds_it_named(running: Perdure) -> None:
    with running.wire() as worker, running.wire() as exact, running.wire() as prefix:
        exact.call("event.subscribe", after_seq=0, kinds=["task.logged"])
        prefix.call("event.subscribe", after_seq=0, kinds=["task.*"])
        work(worker, 4)
        last = worker.call("task.create", description="the last one")["id"]
        end = worker.call("task.log", id=last, message="x") and worker.call("runtime.ping")["seq"]
        kinds_exact = {event["kind"] for line in lines(exact, end) for event in line["events"]}
        kinds_prefix = {event["kind"] for line in lines(prefix, end) for event in line["events"]}
    assert kinds_exact == {"task.logged"}
    assert kinds_prefix == {"task.created", "task.logged"}


@pytest.mark.parametrize("actor", ["events", "tasks", "writer", "autosave", "gateway"])
def test_a_subscription_goes_on_over_the_crash_of_an_actor_without_a_gap(actor: str, running: Perdure) -> None:
    with running.wire() as worker, running.wire() as follower:
        follower.call("event.subscribe", after_seq=0)
        work(worker, 3)
        running.call("actor.kill", name=actor, how="crash")
        with running.wire() as again:
            end = work(again, 3)
        assert [line["seq"] for line in lines(follower, end)] == list(range(1, end + 1))


def test_a_crash_is_told_live_and_recorded(running: Perdure) -> None:
    with running.wire() as wire:
        before = wire.call("event.subscribe")["seq"]
        wire.call("actor.kill", name="reports", how="crash")
        live: list[str] = []
        while not {"actor:crashed", "actor:restarted"} <= set(live):
            event = wire.event()
            if event["seq"] is None:
                live += [one["kind"] for one in event["events"]]
        wire.call("event.record", type="after", message="the crash")
        recorded = wire.call("event.list", after_seq=before, kinds=["event.recorded"])["events"]
        types = [event["data"]["type"] for event in recorded]
        assert types == ["actor:crashed", "actor:restarted", "after"]


def test_pages_of_events_are_gap_free_and_end(running: Perdure) -> None:
    with running.wire() as wire:
        end = work(wire, 10)
        seqs: list[int] = []
        after = 0
        while True:
            page = wire.call("event.list", after_seq=after, limit=7)
            assert len(page["events"]) <= 7
            seqs += [event["seq"] for event in page["events"]]
            if page["next_seq"] == after:
                break
            after = page["next_seq"]
        assert seqs == list(range(1, end + 1))
        assert page["events"] == []
        only = wire.call("event.list", kinds=["task.created"], limit=1000)["events"]
        assert [event["data"]["description"] for event in only] == [f"number {n}" for n in range(10)]


def test_events_outlive_a_restart_with_their_seq(running: Perdure) -> None:
    with running.wire() as wire:
        end = work(wire, 3)
        before = wire.call("event.list", limit=1000)["events"]
    running.kill_root()
    running.start()
    with running.wire() as wire:
        after = wire.call("event.list", limit=1000)["events"]
        assert after[:end] == before
        assert [event["seq"] for event in after] == list(range(1, len(after) + 1))


def test_a_subscription_belongs_to_its_connection(running: Perdure) -> None:
    with running.wire() as one, running.wire() as other:
        subscription = one.call("event.subscribe")["subscription"]
        assert other.fault("event.unsubscribe", subscription=subscription)["data"]["kind"] == "not_found"
        first, second = (other.call("event.subscribe")["subscription"] for _ in range(2))
        end = work(other, 1)
        assert first != second
        got = [other.event() for _ in range(2 * 3)]
    by_subscription = {one: [event["seq"] for event in got if event["subscription"] == one] for one in (first, second)}
    assert by_subscription == {first: list(range(end - 2, end + 1)), second: list(range(end - 2, end + 1))}
