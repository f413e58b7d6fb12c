"""The fault-free oracle: what clients submitted, what was acknowledged, and what must therefore be on the disk.

A model of a few lines says what each command does to what can be seen; nothing of the product's own code has a part in
it. After a fault (`oracle_disk`) the directory is recovered offline, and what it holds is compared: it must be what the
model shows after some number of commands, no fewer than were acknowledged, no more than were submitted, each whole.

The parts of one burst (commands sent in one frame, on different rows) may take effect one without the other; those that
were acknowledged must have.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, Final

from attrs import Factory, define, frozen

from supervisor.wire.names import MUTATING

Visible = dict[str, dict[str, Any]]
"""Noun → id → what is seen of it."""


@frozen
class Command:
    """One command, with the key under which it is repeated."""

    method: str
    params: Mapping[str, Any]
    key: str

    @property
    def with_key(self) -> tuple[str, dict[str, Any]]:
        """What a client is given; what changes no row takes no key."""
        key = {"idempotency_key": self.key} if self.method in MUTATING else {}
        return self.method, {**self.params, **key}


@frozen
class Step:
    """What a client sends in one frame: one command, or a burst of them."""

    commands: Sequence[Command]


def steps_of(*given: tuple[str, dict[str, Any]] | list[tuple[str, dict[str, Any]]], name: str = "step") -> list[Step]:
    """Give each command a key of its own, which begins with `name`; a list is a burst."""
    bursts = [one if isinstance(one, list) else [one] for one in given]
    return [
        Step([Command(method, params, f"{name}-{number}-{part}") for part, (method, params) in enumerate(burst)])
        for number, burst in enumerate(bursts)
    ]


class Broken(AssertionError):
    """A promise was not kept."""


@define
class Oracle:
    """See the module's text. Steps are numbered from 0; the n-th is under way while `submitted` is n + 1."""

    steps: Sequence[Step]
    start: Visible
    """What was there before the first step."""
    submitted: int = 0
    acknowledged: int = 0
    """Steps of which every command was acknowledged."""
    _shown: list[Visible] = Factory(list)
    _history: list[tuple[float, int, int]] = Factory(list)
    """When how many were submitted and acknowledged; monotonic, in seconds."""

    def __attrs_post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Take `start` as it is now; before the first step."""
        self._shown = [copy.deepcopy(self.start)]
        for step in self.steps:
            shown = copy.deepcopy(self._shown[-1])
            for command in step.commands:
                EFFECTS[command.method](shown, command.params)
            self._shown.append(shown)

    def submit(self) -> Step:
        """Note that the next step is about to be sent, and return it."""
        self.submitted += 1
        self._history.append((time.monotonic(), self.submitted, self.acknowledged))
        return self.steps[self.submitted - 1]

    def acknowledge(self) -> None:
        """Note that all of it was acknowledged."""
        self.acknowledged += 1
        self._history.append((time.monotonic(), self.submitted, self.acknowledged))

    @property
    def now(self) -> Visible:
        """What is there after everything that was acknowledged."""
        return self._shown[self.acknowledged]

    def check(self, found: Visible, at_s: float = inf) -> None:
        """Raise `Broken` when this cannot be what was left at that moment of what was submitted and acknowledged."""
        _, submitted, acknowledged = max((one for one in self._history if one[0] <= at_s), default=(0.0, 0, 0))
        if found in self._shown[acknowledged : submitted + 1]:
            return
        if submitted > acknowledged and self._is_part_of(found, acknowledged):
            return
        raise Broken(
            f"{acknowledged} steps were acknowledged, {submitted} submitted, and what is there is none of their"
            f" states; against step {acknowledged}: {difference(self._shown[acknowledged], found)}"
        )

    def _is_part_of(self, found: Visible, number: int) -> bool:
        """Whether some commands of a burst took effect, each whole."""
        step, before = self.steps[number], self._shown[number]
        if len(step.commands) == 1:
            return False
        candidates = [copy.deepcopy(before)]
        for command in step.commands:
            alone = copy.deepcopy(before)
            EFFECTS[command.method](alone, command.params)
            if any(alone[noun].get(row) == found[noun].get(row) for noun, row in changed(before, alone)):
                EFFECTS[command.method](candidates[0], command.params)
        return found == candidates[0]


def changed(before: Visible, after: Visible) -> list[tuple[str, str]]:
    """Return the rows that differ."""
    return [
        (noun, row)
        for noun in before
        for row in sorted({*before[noun], *after[noun]})
        if before[noun].get(row) != after[noun].get(row)
    ]


def difference(expected: Visible, found: Visible) -> str:
    """Say in words what differs."""
    rows = changed(expected, found)
    told = [f"{noun} {row}: {expected[noun].get(row)} / found {found[noun].get(row)}" for noun, row in rows]
    return "; ".join(told[:6]) or "nothing"


# What a command does, as SPEC section 6 has it


def _create(shown: Visible, params: Mapping[str, Any]) -> None:
    shown["tasks"][params["id"]] = {
        "rev": 1,
        "description": params["description"],
        "status": "pending",
        "logs": [],
    }


def _bump(row: dict[str, Any], **members: Any) -> None:
    row.update(members, rev=row["rev"] + 1)


def _task(**members: str) -> Callable[[Visible, Mapping[str, Any]], None]:
    return lambda shown, params: _bump(shown["tasks"][params["id"]], **members)


def _update(shown: Visible, params: Mapping[str, Any]) -> None:
    _bump(shown["tasks"][params["id"]], description=params["description"])


def _log(shown: Visible, params: Mapping[str, Any]) -> None:
    row = shown["tasks"][params["id"]]
    _bump(row, logs=[*row["logs"], params["message"]])


def _delete(shown: Visible, params: Mapping[str, Any]) -> None:
    del shown["tasks"][params["id"]]


def _batch(shown: Visible, params: Mapping[str, Any]) -> None:
    for one in params["commands"]:
        EFFECTS[one["method"]](shown, one["params"])


def _session(shown: Visible, params: Mapping[str, Any]) -> None:
    shown["sessions"][params["id"]] = {"rev": 1, "title": params["title"], "messages": len(params.get("messages", ()))}


def _append(shown: Visible, params: Mapping[str, Any]) -> None:
    row = shown["sessions"][params["id"]]
    _bump(row, messages=row["messages"] + len(params["messages"]))


def _save_session(shown: Visible, params: Mapping[str, Any]) -> None:
    _bump(shown["sessions"][params["id"]], messages=len(params["messages"]))


def _rename(shown: Visible, params: Mapping[str, Any]) -> None:
    _bump(shown["sessions"][params["id"]], title=params["title"])


def _delete_session(shown: Visible, params: Mapping[str, Any]) -> None:
    del shown["sessions"][params["id"]]


def _text(shown: Visible, params: Mapping[str, Any]) -> None:
    row = shown["logs"].setdefault(f"session_{params['session_id']}", {"bytes": 0})
    row["bytes"] += len(params["text"].encode())


def _report(shown: Visible, params: Mapping[str, Any]) -> None:
    row = shown["reports"].setdefault(params["id"], {"rev": 0})
    row["rev"] += 1


def _event(shown: Visible, params: Mapping[str, Any]) -> None:
    shown["events"][params["message"]] = {}


EFFECTS: Final[dict[str, Callable[[Visible, Mapping[str, Any]], None]]] = {
    "task.create": _create,
    "task.update": _update,
    "task.start": _task(status="running"),
    "task.complete": _task(status="completed"),
    "task.log": _log,
    "task.delete": _delete,
    "batch.apply": _batch,
    "session.create": _session,
    "session.append": _append,
    "session.save": _save_session,
    "session.rename": _rename,
    "session.delete": _delete_session,
    "log.append": _text,
    "report.save": _report,
    "event.record": _event,
    "state.save": lambda _shown, _params: None,
}
