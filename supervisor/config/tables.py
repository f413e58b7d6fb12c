"""What tables of the user's own names (`[tools.NAME]`, `[services.NAME]`) have in common: laying over, and judging."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)

Problem = tuple[str, str, str]
"""(key below the table, what is wrong, nearest right name)"""


def merged(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with another laid over it, key by key, tables inside it too."""
    found = dict(lower)
    for name, value in upper.items():
        before = found.get(name)
        inside = isinstance(value, Mapping) and isinstance(before, Mapping)
        found[name] = merged(before, value) if inside and isinstance(before, Mapping) else value
    return found


def judged(table: Mapping[str, Any], kind: type[S]) -> tuple[S | None, list[Problem]]:
    """Return the table as a struct (None when it is none), and what is wrong with it: unknown keys, wrong types."""
    known = {field.name for field in msgspec.structs.fields(kind)}
    problems = list(_unknown(table, known))
    try:
        return msgspec.convert({name: table[name] for name in table if name in known}, kind), problems
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        return None, [*problems, (where.rstrip("`").removeprefix("."), what, "")]


def passed_on(names: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of `environ` that are named and set."""
    return {variable: environ[variable] for variable in names if variable in environ}


def _unknown(table: Mapping[str, Any], known: set[str]) -> Iterator[Problem]:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            yield name, "there is no such key", near[0] if near else ""
