"""
Ids that a person can read and type: the last characters instead of all 41.

Generated ids are UUIDs of version 7: what begins them is the time, alike in all of an hour; what ends them is random.
So a narrow terminal shows `…dd81af3386d6`, and a command takes that, or its last six characters and more, wherever it
takes an id. An id that is there as it was written is always the one that is meant. Programs get and should give
whole ids. Sessions have more names: `session_names`.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.reach import Runtime, listing
from supervisor.cli.words import GENERATED_ID

T = TypeVar("T")

_SHORT: Final = re.compile(r"(?P<mark>…|\.{2,3})?(?P<ending>[0-9a-f]{6,12})")

_LISTS: Final = {
    "task": ("task.list", "tasks"),
    "run": ("run.list", "runs"),
}
"""Nouns whose ids are generated; whatever else is named has the name that somebody gave it."""


def do_with_id(perdure: Runtime, noun: str, text: str, do: Callable[[str], T]) -> T:
    """
    Do it with the id that `text` names, `noun` being what it is an id of.

    Raises what `do` raises, and CommandFailed when several ids end so.
    """
    short = _SHORT.fullmatch(text) if noun in _LISTS else None
    if short is None:
        return do(text)
    if short["mark"]:
        return do(_the_one(perdure, noun, short["ending"]) or text)

    from actors.model.errors import InvalidParams, NotFound

    try:
        return do(text)
    except (NotFound, InvalidParams):
        found = _the_one(perdure, noun, short["ending"])
        if found is None:
            raise
        return do(found)


def _the_one(perdure: Runtime, noun: str, ending: str) -> str | None:
    """The generated id that ends so; None when there is none. Raises CommandFailed when there are several."""
    method, member = _LISTS[noun]
    rows: list[dict[str, Any]] = listing(perdure, method, member, {}, None).rows
    found = [str(row["id"]) for row in rows if GENERATED_ID.fullmatch(row["id"]) and row["id"].endswith(ending)]
    if len(found) > 1:
        raise CommandFailed(f"{len(found)} {noun}s end with {ending}", "write more of the id", Exit.USAGE)
    return found[0] if found else None
