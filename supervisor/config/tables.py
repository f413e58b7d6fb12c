"""What tables of the user's own names (`[tools.NAME]`, `[services.NAME]`) have in common: laying over, and judging."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
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
    problems: list[Problem] = []
    known = _known(table, kind, "", problems)
    try:
        return msgspec.convert(known, kind), problems
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        return None, [*problems, (where.rstrip("`").removeprefix("."), what, "")]


def passed_on(names: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of `environ` that are named and set."""
    return {variable: environ[variable] for variable in names if variable in environ}


def _known(table: Mapping[str, Any], kind: type[msgspec.Struct], below: str, problems: list[Problem]) -> dict[str, Any]:
    """Return what has a name that there is, of tables inside it too, and note what has not."""
    kinds = {field.name: field.type for field in msgspec.structs.fields(kind)}
    found: dict[str, Any] = {}
    for name, value in table.items():
        inside = kinds.get(name)
        if name not in kinds:
            near = difflib.get_close_matches(name, kinds, n=1)
            problems.append((below + name, "there is no such key", below + near[0] if near else ""))
        elif isinstance(value, Mapping) and isinstance(inside, type) and issubclass(inside, msgspec.Struct):
            found[name] = _known(value, inside, f"{below}{name}.", problems)
        else:
            found[name] = value
    return found
