"""Reading events: whole lines, from memory or from the journal, never beyond what is durable."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.ledger import Ledger
from actors.messages import records as ask
from actors.model.facts import Fact
from actors.model.keys import Command
from actors.model.recent_lines import RecentLines
from actors.model.state import Line, Tables
from actors.queries.events import lister, matcher
from tests.kit.decided import START, Bench

AT = Bench().at


def a_line(seq: int, *ops: str) -> Line:
    facts = tuple(Fact(op=op, id=f"{seq}.{n}", rev=1, data={"n": n}) for n, op in enumerate(ops))
    return Line(seq=seq, ts=START, cmd=Command(method="m"), facts=facts)


LINES = [
    a_line(1, "task.created"),
    a_line(2, "task.started", "session.created"),
    a_line(3),
    a_line(4, "session.created"),
    a_line(5, "task.created", "task.claimed", "task.completed"),
    a_line(6, "report.saved"),
]


class Store:
    """The journal, of which the lines before `first_seq` are not kept any more."""

    def __init__(self, first_seq: int = 1) -> None:
        self.first_seq = first_seq
        self.reads = 0

    def read_lines(self, from_seq: int, lines_max: int) -> list[Line]:
        self.reads += 1
        return [line for line in LINES if line.seq >= max(from_seq, self.first_seq)][:lines_max]


def ledger(recent_kept: int, durable: int = 6) -> Ledger:
    made = Ledger(recent=RecentLines(recent_kept), tables=Tables())
    made.tables.seq = durable
    for line in LINES[:durable]:
        made.recent.add(line)
    return made


def listed(recent_kept: int, durable: int = 6, store: Store | None = None, **asked: Any) -> tuple[list[str], int]:
    known = ledger(recent_kept, durable)
    answer = lister(known)(known.tables, ask.EventList(**asked), AT)
    encoded = answer if isinstance(answer, bytes) else answer(store or Store())
    found = msgspec.json.decode(encoded)
    return [event["id"] for event in found["events"]], found["next_seq"]


EVERY = ["1.0", "2.0", "2.1", "4.0", "5.0", "5.1", "5.2", "6.0"]
FROM = {"memory": 100, "the journal": 1}


@pytest.mark.parametrize("recent_kept", FROM.values(), ids=FROM)
def test_all_facts_of_all_lines_are_events_in_order(recent_kept: int) -> None:
    assert listed(recent_kept) == (EVERY, 6)


def test_an_event_says_where_when_what_and_of_which_row() -> None:
    known = ledger(100)
    answer = lister(known)(known.tables, ask.EventList(limit=1), AT)
    assert isinstance(answer, bytes)
    assert msgspec.json.decode(answer)["events"] == [
        {"seq": 1, "ts": START, "kind": "task.created", "id": "1.0", "rev": 1, "data": {"n": 0}}
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("recent_kept", FROM.values(), ids=FROM)
def test_pages_are_whole_lines_and_together_everything(recent_kept: int, limit: int) -> None:
    seen: list[str] = []
    after_seq = 0
    while after_seq < 6:
        ids, next_seq = listed(recent_kept, after_seq=after_seq, limit=limit)
        assert next_seq > after_seq
        assert len(ids) <= max(limit, 3)
        seen += ids
        after_seq = next_seq
    assert seen == EVERY


@pytest.mark.parametrize("recent_kept", FROM.values(), ids=FROM)
def test_kinds_are_exact_or_prefixes(recent_kept: int) -> None:
    assert listed(recent_kept, kinds=("task.*",))[0] == ["1.0", "2.0", "5.0", "5.1", "5.2"]
    assert listed(recent_kept, kinds=("task.created", "report.*"))[0] == ["1.0", "5.0", "6.0"]
    assert listed(recent_kept, kinds=("task",)) == ([], 6)


@pytest.mark.parametrize("recent_kept", FROM.values(), ids=FROM)
def test_what_is_not_durable_yet_is_no_event(recent_kept: int) -> None:
    assert listed(recent_kept, durable=4) == (["1.0", "2.0", "2.1", "4.0"], 4)


def test_at_the_end_there_is_nothing_and_the_place_stays() -> None:
    assert listed(100, after_seq=6) == ([], 6)
    assert listed(100, after_seq=99) == ([], 99)


def test_a_journal_that_is_not_kept_so_far_back_begins_where_it_does() -> None:
    assert listed(1, store=Store(first_seq=5)) == (["5.0", "5.1", "5.2", "6.0"], 6)


def test_a_journal_that_has_nothing_left_leads_to_the_end() -> None:
    assert listed(1, store=Store(first_seq=99)) == ([], 6)


def test_newer_events_are_answered_without_the_disk() -> None:
    known = ledger(2)
    assert isinstance(lister(known)(known.tables, ask.EventList(after_seq=4), AT), bytes)
    assert not isinstance(lister(known)(known.tables, ask.EventList(after_seq=3), AT), bytes)


def test_no_kinds_at_all_match_nothing_and_none_given_match_all() -> None:
    assert matcher(None)("task.created")
    assert not matcher(())("task.created")
    assert matcher(("*",))("task.created")
