"""supervisor/chaos/checks*.py: every checker finds what is planted before it, and nothing in a clean history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from actors.model.facts import Fact
from supervisor.chaos.checks import CHECKS, Check
from supervisor.chaos.checks_commands import atomic, durable, invisible, once, told
from supervisor.chaos.checks_readers import fenced, followed, read
from supervisor.chaos.checks_runs import output
from supervisor.chaos.evidence import Line
from supervisor.chaos.verdict import Promise
from tests.kit.stores import SESSION, created
from tests.kit.trials import RUN, History, clean

Plant = Callable[[History], Any]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_clean_history_has_no_violation(check: Check) -> None:
    assert clean().found(check) == ()


def without_line(number: int) -> Plant:
    """The line of an exchange is not in the journal."""

    def plant(history: History) -> None:
        key = history.record[number - 1].key
        kept = [line for line in history.lines if line.key != key]
        history.lines[:] = [attrs.evolve(line, seq=seq) for seq, line in enumerate(kept, 1)]

    return plant


def with_gap(history: History) -> None:
    history.lines[-1] = attrs.evolve(history.lines[-1], seq=99)


def twice(history: History) -> None:
    line = history.lines[0]
    history.lines.append(Line(len(history.lines) + 1, 0, line.key, line.method, (created("other"),)))


def apart(history: History) -> None:
    """The batch is two lines."""
    line = history.lines[1]
    parts = [attrs.evolve(line, facts=line.facts[:1]), attrs.evolve(line, key=None, facts=line.facts[1:])]
    lines = [history.lines[0], *parts, *history.lines[2:]]
    history.lines[:] = [attrs.evolve(line, seq=seq) for seq, line in enumerate(lines, 1)]


def heard(change: Callable[[list[Any]], Any]) -> Plant:
    def plant(history: History) -> None:
        (lines,) = history.evidence().followed.values()
        told = list(lines)
        change(told)
        history.followed = {"all": tuple(told)}

    return plant


def swapped(told: list[Any]) -> None:
    told[1], told[2] = told[2], told[1]


def answered(number: int, **members: Any) -> Plant:
    return lambda history: history.change(number, **members)


def shown(number: int, **members: Any) -> Plant:
    """An answer shows other members."""
    return lambda history: history.change(number, result={**history.record[number - 1].result, **members})


def asks(method: str, result: Any = None, **members: Any) -> Plant:
    return lambda history: history.ask(method, result, **members)


def poison_that_took_effect(history: History) -> None:
    history.change(1, result=None, error="actor_crashed")
    history.blows_s = (1.1, 1.2)


PLANTED: list[tuple[str, Check, Plant]] = [
    ("an acknowledged row is not in the journal", durable, without_line(1)),
    ("an acknowledged batch is not in the journal", durable, without_line(3)),
    ("an acknowledged row is not live", durable, lambda history: history.live.pop(("tasks", "a"))),
    ("a live row went back", durable, lambda history: history.live["tasks", "a"].update(rev=1, status="pending")),
    ("a live row is another", durable, lambda history: history.live["tasks", "b-2"].update(description="x")),
    ("the answer was another row", durable, shown(1, description="x")),
    ("a message is lost", durable, lambda history: history.messages.update({SESSION: ()})),
    ("a text is lost", durable, lambda history: history.texts.update({SESSION: ""})),
    ("a line's number is missing", durable, with_gap),
    ("a batch is two lines", atomic, apart),
    ("a batch is not there", atomic, without_line(3)),
    ("part of a refused batch is there", atomic, lambda history: history.commit(created("never"))),
    ("a page shows part of a batch", atomic, lambda history: history.record[4].result["tasks"].__setitem__(
        slice(None), [{"description": "one"}, {"description": "batch-w0-1"}, {"description": "two"}])),
    ("a key has two lines", once, twice),
    ("a repeat is answered with another row", once, shown(9, id="other")),
    ("a repeat is answered with nothing, though the row is there", once, answered(9, result=None)),
    ("a key is taken for something else", once, answered(10, error=None, result={})),
    ("a message stands there twice", once, lambda history: history.messages.update({SESSION: ({"content": "m"},) * 2})),
    ("a text stands there twice", once, lambda history: history.texts.update({SESSION: "w0 says 2\nw0 says 2\n"})),
    ("a client sees an error", invisible, answered(2, result=None, error="internal")),
    ("a poison that met no crash", invisible, asks("task.create", error="actor_crashed")),
    ("a poison that took effect", invisible, poison_that_took_effect),
    ("a command is never answered", invisible, answered(2, answered_s=None)),
    ("told to be open, acknowledged, and not there", told, without_line(15)),
    ("told to be open, refused, and there", told, answered(15, result=None, error="not_found")),
    ("a query shows what never was", read, shown(2, description="x")),
    ("a query shows a rev that is lost", read, shown(2, rev=7)),
    ("a query shows less than was acknowledged", read, lambda history: (
        history.ask("task.get", {**history.live["tasks", "a"]}),
        history.ask("task.get", history.record[0].result))),
    ("a seq is told that the journal has not", read, shown(14, seq=99)),
    ("a seq goes back", read, asks("runtime.ping", {"seq": 1})),
    ("a follower is told twice", followed, heard(lambda lines: lines.insert(2, lines[1]))),
    ("a follower misses a line", followed, heard(lambda lines: lines.pop(2))),
    ("a follower is told out of order", followed, heard(swapped)),
    ("a follower is told otherwise", followed, heard(lambda lines: lines.__setitem__(1, {"seq": 1, "facts": []}))),
    ("a lease falls", fenced, lambda history: (shown(11, lease=5)(history), shown(12, lease=4)(history))),
    ("a lease is given twice", fenced, shown(12, lease=1)),
    ("an old lease is accepted", fenced, lambda history: (
        shown(12, id="b-0")(history),
        history.ask("task.complete", {"id": "b-0", "rev": 3}, params={"id": "b-0", "lease": 1}))),
    ("a byte of a log is another", output, lambda history: history.outputs.update(
        {RUN: history.outputs[RUN].replace(b"Bash", b"bash", 1)})),
    ("the end of a log is lost", output, lambda history: history.outputs.update({RUN: history.outputs[RUN][:-1]})),
    ("a log holds more than was printed", output, lambda history: history.outputs.update(
        {RUN: history.outputs[RUN] + b"x"})),
    ("a run ended twice", output, lambda history: history.commit(*history.lines[-3].facts)),
    ("a run is still under way", output, lambda history: history.live["runs", RUN].update(status="running")),
    ("a run's task is not over", output, lambda history: history.live["tasks", "a"].update(status="running")),
]  # fmt: skip


@pytest.mark.parametrize(("check", "plant"), [pytest.param(*row[1:], id=row[0]) for row in PLANTED])
def test_what_is_planted_is_found(check: Check, plant: Plant) -> None:
    history = clean()
    plant(history)
    assert history.found(check) != ()


def test_every_checker_has_controls() -> None:
    assert {check for _, check, _ in PLANTED} == set(CHECKS)


def test_what_met_two_crashes_and_did_not_take_effect_may_be_told_so() -> None:
    history = clean()
    one = history.ask("task.create", error="actor_crashed")
    history.blows_s = (one.sent_s + 0.1, one.sent_s + 0.2)
    assert history.found(invisible) == ()


def test_the_last_command_of_a_killed_client_may_stay_without_an_answer() -> None:
    history = clean()
    history.ask("task.create", answered_s=None)
    assert history.found(invisible) == ()


def test_a_repeat_of_what_was_deleted_since_is_answered_with_nothing() -> None:
    history = clean()
    history.commit(Fact(op="task.deleted", id="a", rev=3, data={}))
    history.change(9, result=None)
    assert history.found(once) == ()


def test_a_follower_of_some_kinds_is_owed_only_these() -> None:
    history = clean()
    (lines,) = history.evidence().followed.values()
    wanted = [
        {"seq": line["seq"], "facts": facts}
        for line in lines[1:]
        if (facts := [fact for fact in line["facts"] if fact[0].startswith("task.")])
    ]
    history.followed = {"tasks": ({"kinds": ("task.*",)}, *wanted)}
    assert history.found(followed) == ()
    assert followed([], history.evidence()).promise is Promise.FOLLOWED
