"""Following the journal: gap-free and in order, whoever crashes, however slow the reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.ledger import Mode
from actors.messages import records as ask
from actors.messages import tasks
from actors.messages.proposal import Live
from actors.messages.request import Delivery, Outcome, Request
from actors.model.errors import Forbidden, NotFound, Overloaded
from actors.subscriptions import SUBSCRIPTIONS_MAX
from tests.kit.core import Core, Listener, running_core


async def make(core: Core, number: int, first: int = 0) -> None:
    """Make so many tasks, one line each."""
    asked = [core.request(tasks.TaskCreate(description="d", id=f"t{first + n:05}")) for n in range(number)]
    assert core.refs["tasks"].offer([request for request, _answered in asked]) == number
    for _request, answered in asked:
        await answered()


async def subscribed(core: Core, listener: Listener, **members: Any) -> str:
    answer = await core.ask("events", ask.EventSubscribe(**members), listener=listener)
    return str(answer["subscription"])


def seqs(heard: list[dict[str, Any]]) -> list[int]:
    return [one["seq"] for one in heard]


async def test_every_line_is_one_notification_with_all_its_facts(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        listener = Listener()
        subscription = await subscribed(core, listener)
        await make(core, 1)
        (heard,) = await listener.until(1)
        assert heard["subscription"] == subscription
        assert (heard["seq"], heard["ts"]) == (1, core.clock.stamp())
        (event,) = heard["events"]
        assert (event["kind"], event["id"], event["rev"]) == ("task.created", "t00000", 1)
        assert event["data"]["description"] == "d"
        assert listener.lines[0]["jsonrpc"] == "2.0"
        assert listener.lines[0]["method"] == "event"


async def test_the_reply_leaves_before_the_first_notification(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await make(core, 3)
        order: list[str] = []
        listener = Listener()

        def reply(_outcome: Outcome) -> None:
            order.append("reply")

        def notify(line: bytes) -> Delivery:
            order.append("event")
            return listener.notify(line)

        params = ask.EventSubscribe(after_seq=0)
        core.refs["events"].offer([Request("event.subscribe", params, reply, notify=notify)])
        await listener.until(3)
        assert order == ["reply", "event", "event", "event"]


async def test_without_a_place_one_follows_from_now_on(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await make(core, 3)
        listener = Listener()
        answer = await core.ask("events", ask.EventSubscribe(), listener=listener)
        assert answer["seq"] == 3
        await make(core, 2, first=3)
        assert seqs(await listener.until(2)) == [4, 5]


@pytest.mark.parametrize("recent_kept", [1, 10, 1000])
async def test_what_was_before_comes_gap_free_from_memory_or_from_the_journal(tmp_path: Path, recent_kept: int) -> None:
    async with running_core(tmp_path, recent_kept=recent_kept) as core:
        await make(core, 500)
        listener = Listener()
        await subscribed(core, listener, after_seq=7)
        await make(core, 20, first=500)
        assert seqs(await listener.until(513)) == list(range(8, 521))


async def test_one_far_behind_does_not_hold_up_one_at_the_end(tmp_path: Path) -> None:
    async with running_core(tmp_path, recent_kept=10) as core:
        await make(core, 1000)
        behind, near = Listener(), Listener()
        await subscribed(core, near)
        await subscribed(core, behind, after_seq=0)
        await make(core, 1, first=1000)
        await near.until(1)
        assert len(behind.lines) < 1001
        assert seqs(await behind.until(1001)) == list(range(1, 1002))


async def test_kinds_select_facts_and_lines_without_any_are_passed_over(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        some, others = Listener(), Listener()
        await subscribed(core, some, kinds=("task.started", "report.*"))
        await subscribed(core, others, kinds=("nothing.*",))
        await make(core, 5)
        await core.ask("tasks", tasks.TaskStart(id="t00002"))
        await core.ask("reports", ask.ReportSave(data=1, id="r"))
        heard = await some.until(2)
        assert [one["events"][0]["kind"] for one in heard] == ["task.started", "report.saved"]
        assert not others.lines


async def test_who_unsubscribes_hears_no_more(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        listener, stranger, other = Listener(), Listener(), Listener()
        subscription = await subscribed(core, listener)
        with pytest.raises(NotFound):
            await core.ask("events", ask.EventUnsubscribe(subscription=subscription), listener=stranger)
        answer = await core.ask("events", ask.EventUnsubscribe(subscription=subscription), listener=listener)
        assert answer == {"subscription": subscription}
        await subscribed(core, other)
        await make(core, 1)
        await other.until(1)
        assert not listener.lines
        with pytest.raises(NotFound):
            await core.ask("events", ask.EventUnsubscribe(subscription=subscription), listener=listener)


async def test_a_connection_without_notifications_cannot_follow(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        with pytest.raises(Forbidden):
            await core.ask("events", ask.EventSubscribe())


async def test_a_slow_subscriber_loses_nothing_while_it_is_not_too_slow(tmp_path: Path) -> None:
    async with running_core(tmp_path, recent_kept=5, lag_lines_max=100) as core:
        slow, quick = Listener(), Listener()
        await subscribed(core, slow)
        await subscribed(core, quick)
        slow.answer = Delivery.SLOW
        await make(core, 50)
        await quick.until(50)
        slow.answer = Delivery.SENT
        core.clock.pass_s(1)
        core.wake("events")
        assert seqs(await slow.until(50)) == list(range(1, 51))


async def test_one_that_is_too_slow_is_told_which_lines_it_missed_and_goes_on(tmp_path: Path) -> None:
    async with running_core(tmp_path, lag_lines_max=10) as core:
        slow, quick = Listener(), Listener()
        subscription = await subscribed(core, slow)
        await subscribed(core, quick)
        await make(core, 3)
        await slow.until(3)
        slow.answer = Delivery.SLOW
        await make(core, 20, first=3)
        await quick.until(23)
        slow.answer = Delivery.SENT
        core.clock.pass_s(1)
        core.wake("events")
        await slow.until(4)
        assert slow.lines[3] == {
            "jsonrpc": "2.0",
            "method": "event.gap",
            "params": {"subscription": subscription, "from": 4, "to": 23},
        }
        await make(core, 1, first=23)
        assert seqs((await slow.until(5))[4:]) == [24]
        missed = await core.ask("events", ask.EventList(after_seq=3, limit=1000))
        assert [event["seq"] for event in missed["events"]] == list(range(4, 25))


async def test_a_closed_connection_is_dropped(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        gone = Listener(answer=Delivery.CLOSED)
        await subscribed(core, gone)
        assert len(core.subscriptions) == 1
        await make(core, 1)
        await core.until(lambda: len(core.subscriptions) == 0)


async def test_subscriptions_are_bounded_and_those_of_closed_connections_do_not_count(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        gone, alive = Listener(), Listener()
        for _ in range(SUBSCRIPTIONS_MAX):
            core.subscriptions.add(gone.notify, (), 1)
        with pytest.raises(Overloaded):
            await subscribed(core, alive)
        gone.answer = Delivery.CLOSED
        await subscribed(core, alive)
        assert len(core.subscriptions) == 1


async def test_a_subscriber_notices_no_crash_of_the_actor(tmp_path: Path) -> None:
    async with running_core(tmp_path, recent_kept=20) as core:
        listener = Listener()
        await subscribed(core, listener, after_seq=0)
        for number in range(5):
            await make(core, 40, first=40 * number)
            await core.restart("events")
        assert seqs(await listener.until(200)) == list(range(1, 201))


async def test_a_subscriber_notices_no_crash_of_the_writer(tmp_path: Path) -> None:
    async with running_core(tmp_path, recent_kept=20) as core:
        listener = Listener()
        await subscribed(core, listener, after_seq=0)
        await make(core, 100)
        for name in ("writer", "tasks", "sessions", "runs", "events", "reports"):
            await core.restart(name)
        await make(core, 10, first=100)
        heard = seqs([one for one in await listener.until(110) if one["seq"] is not None])
        assert heard == sorted(set(heard))
        listener.lines = [line for line in listener.lines if line["params"]["seq"] is not None]
        assert seqs(await listener.until(110)) == list(range(1, 111))


async def test_an_event_of_a_clients_own_is_a_fact_like_any_other(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        listener = Listener()
        await subscribed(core, listener, kinds=("event.recorded",))
        event = await core.ask("events", ask.EventRecord(type="deploy:done", message="live", detail={"version": 4}))
        (heard,) = await listener.until(1)
        assert heard["events"][0]["data"] == event
        listed = await core.ask("events", ask.EventList())
        assert listed["events"][0]["data"] == event
        assert listed["next_seq"] == 1


async def test_a_live_event_reaches_whoever_wants_it_and_has_no_seq(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        listener, other = Listener(), Listener()
        await subscribed(core, listener, kinds=("state:*",))
        await subscribed(core, other, kinds=("task.*",))
        core.refs["events"].tell(Live("state:saved", {"bytes": 7}))
        (heard,) = await listener.until(1)
        assert heard["seq"] is None
        assert heard["events"] == [{"kind": "state:saved", "id": None, "rev": None, "data": {"bytes": 7}}]
        assert not other.lines
        assert core.ledger.tables.seq == 0


async def test_a_live_event_that_is_to_be_recorded_becomes_a_fact(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        listener = Listener()
        await subscribed(core, listener, kinds=("actor:*", "event.recorded"))
        core.refs["events"].tell(Live("actor:crashed", {"actor": "tasks", "level": "error"}, recorded=True))
        live, recorded = await listener.until(2)
        assert live["seq"] is None
        assert recorded["seq"] == 1
        data = recorded["events"][0]["data"]
        assert (data["type"], data["level"], data["detail"]["actor"]) == ("actor:crashed", "error", "tasks")


async def test_what_is_to_be_recorded_waits_for_the_disk_and_survives_a_crash(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.until(lambda: core.ledger.room is not None)  # the look at the disk would judge the mode anew
        core.ledger.mode = Mode.READ_ONLY
        for number in range(3):
            core.refs["events"].tell(Live("alert:disk_low", {"n": number}, recorded=True))
        await core.until(lambda: len(core.subscriptions.unrecorded) == 3)
        await core.restart("events")
        assert core.ledger.tables.seq == 0
        core.ledger.mode = Mode.OK
        core.clock.pass_s(2)
        core.wake("events")
        await core.until(lambda: core.ledger.tables.seq == 3)
        found = await core.ask("events", ask.EventList())
        assert [event["data"]["detail"]["n"] for event in found["events"]] == [0, 1, 2]


@pytest.mark.parametrize("kept_from", [11, 99])
async def test_lines_that_are_not_kept_any_more_are_told_as_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_from: int
) -> None:
    async with running_core(tmp_path, recent_kept=5) as core:
        await make(core, 20)
        store = core.desk.store
        assert store is not None
        read = store.read_lines
        monkeypatch.setattr(
            store, "read_lines", lambda seq, lines_max: read(max(seq, kept_from), lines_max) if kept_from <= 20 else []
        )
        listener = Listener()
        subscription = await subscribed(core, listener, after_seq=3)
        first_seq = min(kept_from, 16)
        await listener.until(1 + 21 - first_seq)
        assert listener.lines[0]["method"] == "event.gap"
        assert listener.lines[0]["params"] == {"subscription": subscription, "from": 4, "to": first_seq - 1}
        assert [line["params"]["seq"] for line in listener.lines[1:]] == list(range(first_seq, 21))


async def test_a_journal_that_cannot_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_core(tmp_path, recent_kept=5) as core:
        await make(core, 20)
        failures = []

        def fail(*_: Any) -> Any:
            failures.append(1)
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(core.desk.store, "read_lines", fail)
        listener = Listener()
        await subscribed(core, listener, after_seq=0)
        await core.until(lambda: bool(failures))
        await make(core, 1, first=20)
        assert not listener.lines
        monkeypatch.undo()
        core.clock.pass_s(2)
        core.wake("events")
        assert seqs(await listener.until(21)) == list(range(1, 22))
