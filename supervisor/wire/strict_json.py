"""JSON from strangers: what is not allowed ends here and never reaches the journal.

orjson refuses most of it by itself (NaN, lone surrogates, bad UTF-8, a BOM, raw control characters, infinite numbers)
but silently keeps the last of duplicate keys, reads integers beyond 64 bits as floats, and nests deeper than others can
follow. Whether a line holds any of these is found out in three steps, the cheap ones first:

1. what was read, written again, is the same text: then nothing was lost in reading;
2. the text has exactly as many colons as what was read has members and colons in its strings, and no number looks
   like a rounded integer: then no member was dropped and no number changed;
3. otherwise a slower, exact parser looks at every member and number.

Each step only accepts what the next one would accept too, so the verdict does not depend on which of them gave it.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import orjson

from actors.model.errors import Overloaded, ParseError

NESTING_MAX: Final = 128
"""Arrays and objects inside one another: deeper than any honest command, shallower than any parser's limit."""

_INTEGER_MIN: Final = -(2**63)
_INTEGER_MAX: Final = 2**64 - 1
_ROUNDED_FROM: Final = 2.0**63
"""An integer that was read as a float is at least this far from zero."""

_DIGITS_MAX: Final = 20
"""2**64 - 1 has 20 digits; a longer number is not even converted (which takes quadratic time)."""

_NO_MEMORY: Final = "Not enough memory"
"""How orjson begins to say so: it is the same error as for what is no JSON, and no fault of the line."""

_RETRY_AFTER_S: Final = 1.0

_ESCAPED_COLON: Final = b"\\u003"
"""The beginning of an escaped colon: with one of these in the text, its colons cannot be compared."""


def loads(line: bytes, nesting_max: int = NESTING_MAX) -> Any:
    """Return the value that `line` holds; raise ParseError when it is not JSON that the protocol allows.

    Raises Overloaded when there is no memory for reading it.
    """
    brackets = line.count(b"{") + line.count(b"[")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if error.msg.startswith(_NO_MEMORY):
            raise Overloaded("there is no memory to read this line", retry_after_s=_RETRY_AFTER_S) from None
        if brackets > nesting_max:
            raise ParseError(f"not JSON, or nested deeper than {nesting_max}") from None
        raise ParseError(f"not JSON: {error}") from None
    if brackets <= nesting_max and orjson.dumps(value) == line:
        return value
    colons, rounded = _survey(value, nesting_max)
    if rounded or line.count(b":") != colons or _ESCAPED_COLON in line:
        _check_exactly(line)
    return value


def _survey(value: Any, nesting_max: int) -> tuple[int, bool]:
    """Return how many colons the value accounts for, and whether a number in it may be a rounded integer.

    Raises ParseError for a value that is nested too deeply. Goes level by level, so that depth costs no recursion.
    """
    colons = 0
    rounded = False
    depth = 0
    level = [value]
    while level:
        inner: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is dict:
                colons += len(item) + sum(key.count(":") for key in item)
                inner.extend(item.values())
            elif kind is list:
                inner.extend(item)
            elif kind is str:
                colons += item.count(":")
            elif kind is float and not -_ROUNDED_FROM < item < _ROUNDED_FROM:
                rounded = True
            if depth == nesting_max and (kind is dict or kind is list):
                raise ParseError(f"nested deeper than {nesting_max}")
        level = inner
        depth += 1
    return colons, rounded


def _check_exactly(line: bytes) -> None:
    """Read once more, judging every member and number; raise ParseError for what is not allowed."""
    json.loads(
        line,
        object_pairs_hook=_object,
        parse_int=_integer,
        parse_float=_float,
        parse_constant=_constant,
    )


def _object(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ParseError(f"the key {key[:100]!r} is there twice in one object")
        seen.add(key)


def _integer(digits: str) -> None:
    if len(digits) > _DIGITS_MAX + 1 or not _INTEGER_MIN <= int(digits) <= _INTEGER_MAX:
        raise ParseError(f"the number {digits[:40]} does not fit into 64 bits")


def _float(digits: str) -> None:
    if math.isinf(float(digits)):
        raise ParseError(f"the number {digits[:40]} does not fit into 64 bits")


def _constant(name: str) -> None:
    raise ParseError(f"{name} is not JSON")
