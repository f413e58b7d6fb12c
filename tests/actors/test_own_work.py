"""What an actor has to get into the journal: in order per subject, until the disk takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field

from actors.decisions.decision import NOTHING
from actors.messages.request import Done, Failed, Outcome
from actors.model.errors import ReadOnly
from actors.own_work import RETRY_S, OwnWork
from tests.kit.core import HandClock


@define(eq=False)
class Writer:
    """Takes proposals, and answers when the test says so."""

    has_room: bool = True
    methods: list[str] = field(factory=list)
    under_way: list[Callable[[Outcome], None]] = field(factory=list)

    def propose(self, method: str, _decide: Any, reply: Callable[[Outcome], None]) -> bool:
        if self.has_room:
            self.methods.append(method)
            self.under_way.append(reply)
        return self.has_room

    def answer(self, outcome: Outcome) -> None:
        self.under_way.pop(0)(outcome)


def decide(_draft: Any, _at: Any) -> Any:
    return NOTHING


def made() -> tuple[OwnWork, Writer, HandClock]:
    writer, clock = Writer(), HandClock()
    return OwnWork(writer.propose, clock, lambda: None), writer, clock


def test_the_next_piece_of_a_subject_waits_for_the_one_before_and_other_subjects_do_not() -> None:
    own, writer, _clock = made()
    for subject, method in (("a", "a1"), ("a", "a2"), ("b", "b1")):
        own.add(subject, method, decide)
    own.push()
    own.push()
    assert sorted(writer.methods) == ["a1", "b1"]
    for _ in range(2):
        writer.answer(Done(b"null"))
    own.push()
    assert writer.methods[2:] == ["a2"]
    writer.answer(Done(b"null"))
    assert "a" not in own
    assert own.due_in_s() == float("inf")


def test_subjects_are_proposed_in_the_order_in_which_they_came() -> None:
    own, writer, _clock = made()
    subjects = [f"run-{number}" for number in (7, 3, 9, 1, 5)]
    for subject in subjects:
        own.add(subject, subject, decide)
    own.push()
    assert writer.methods == subjects


def test_what_failed_is_tried_again_later_and_keeps_its_place() -> None:
    own, writer, clock = made()
    own.add("a", "a1", decide)
    own.add("a", "a2", decide)
    own.push()
    writer.answer(Failed(ReadOnly("the disk is full")))
    own.push()
    assert writer.methods == ["a1"]
    assert own.due_in_s() == RETRY_S
    clock.pass_s(RETRY_S)
    own.push()
    assert writer.methods == ["a1", "a1"]


def test_where_there_is_no_room_it_is_tried_again_later() -> None:
    own, writer, clock = made()
    writer.has_room = False
    own.add("a", "a1", decide)
    own.push()
    writer.has_room = True
    clock.pass_s(RETRY_S)
    own.push()
    assert writer.methods == ["a1"]
