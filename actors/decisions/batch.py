"""`batch.apply`: many commands, over several actors' rows, as one journal line; all or none (SPEC section 3.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from actors.decisions.decision import At, Decision, Handler, encode
from actors.model.draft import Draft
from actors.model.errors import InvalidParams, PerdureError
from actors.model.facts import Fact
from actors.model.state import Lookup

_WORD = re.compile(r"[A-Z][a-z]+")


class Step(msgspec.Struct, frozen=True):
    """One command of a batch, its parameters validated at the edge as those of any command."""

    method: str
    params: Any


class Steps(msgspec.Struct, frozen=True):
    """What `batch.apply` is asked to do once its edge has validated it."""

    commands: tuple[Step, ...]


def handler(handlers: Mapping[type, Handler]) -> Handler:
    """Return the handler of `batch.apply` for the commands that these handlers know."""
    replies = {method_of(params): found.reply for params, found in handlers.items()}

    def decide(draft: Draft, asked: Steps, at: At) -> Decision:
        """Decide one command after the other, each on what those before it leave."""
        upper = Draft(draft.tables, draft)
        facts: list[Fact] = []
        answers: list[str] = []
        for number, step in enumerate(asked.commands):
            found = handlers.get(type(step.params))
            if found is None:
                raise InvalidParams.of(f"commands[{number}].method", f"{step.method} cannot be part of a batch")
            decision = _numbered(number, found, upper, step, at)
            upper.stage(decision.facts)
            facts.extend(decision.facts)
            answers.append(encode([method_of(type(step.params)), *decision.ids]).decode())
        draft.lease_max = max(draft.lease_max, upper.lease_max)
        return Decision(tuple(facts), tuple(answers))

    def reply(lookup: Lookup, ids: tuple[str, ...]) -> bytes:
        """Answer with {results}: each command's own reply."""
        parts = []
        for answer in ids:
            method, *row_ids = msgspec.json.decode(answer, type=list[str])
            parts.append(replies[method](lookup, tuple(row_ids)))
        return b'{"results":[' + b",".join(parts) + b"]}"

    return Handler(decide, reply)


def method_of(params: type) -> str:
    """Return the method whose parameters a class holds: TaskCreate → task.create."""
    return ".".join(_WORD.findall(params.__name__)).lower()


def _numbered(number: int, found: Handler, draft: Draft, step: Step, at: At) -> Decision:
    """Decide one command; an error says which one of the batch it was."""
    try:
        return found.decide(draft, step.params, at)
    except PerdureError as error:
        error.details["command"] = number
        raise
