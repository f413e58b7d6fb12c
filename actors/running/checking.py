"""The edge where what agents say becomes ours: checked and bounded before it can reach the journal. Pure.

An agent may say anything: nesting that no reader follows, numbers that no table holds, text that is no Unicode, a
result of megabytes, a session id that is an option of its own command line. What is right is kept as it is, long text
is cut (its log has the whole of it), and what cannot be kept is left out by name, in the member `left_out`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from actors.running.parsing import Noticed, Reported, SessionNamed, Warned

NESTING_MAX: Final = 128
"""Arrays and objects inside one another, as for commands."""

TEXT_CHARACTERS_MAX: Final = 64 * 1024
"""Of the text of a result, which stands in the run's row, in the task's, and in two lines of the journal."""

MEMBER_BYTES_MAX: Final = 16 * 1024
"""Of every other member: usage and cost take some hundred bytes."""

MEMBERS_MAX: Final = 64

REASON_CHARACTERS_MAX: Final = 4000
"""Of an error or a complaint."""

_SESSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
"""What may stand on a command line where a session id is expected: never an option, a path or two words."""

_INTEGER_MIN: Final = -(2**63)
_INTEGER_MAX: Final = 2**64 - 1

_encode = msgspec.json.Encoder().encode


def checked(noticed: Iterable[Noticed]) -> list[Noticed]:
    """Return what may be believed of what a parser noticed; any value is taken, and nothing raises."""
    found: list[Noticed] = []
    for one in noticed:
        if isinstance(one, SessionNamed):
            if _SESSION.fullmatch(one.id):
                found.append(one)
        elif isinstance(one, Reported):
            error = None if one.error is None else _text(str(one.error), REASON_CHARACTERS_MAX)
            found.append(Reported(_result(one.result), error))
        else:
            found.append(Warned(_text(str(one.message), REASON_CHARACTERS_MAX)))
    return found


def text_result(data: bytes, size_bytes: int, path: str) -> dict[str, Any]:
    """Return the result that the bytes of a file make.

    `size_bytes` is how long the whole file is; one that is longer than what is given stays, and `path` says where.
    """
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    kept = _text(text, TEXT_CHARACTERS_MAX)
    whole = len(data) == size_bytes and kept == text
    return {"text": kept} if whole else {"text": kept, "bytes": size_bytes, "left_out": ["text"], "path": path}


def _result(value: Any) -> Any:
    """Return a result that every reader can hold: never None, which would mean that nothing was said."""
    if not isinstance(value, dict):
        value = {"text": value}
    kept: dict[str, Any] = {}
    left_out: list[str] = []
    for name, member in value.items():
        key = _text(str(name), 200)
        if len(kept) + len(left_out) >= MEMBERS_MAX:
            left_out.append("…")
            break
        if isinstance(member, str):
            kept[key] = _text(member, TEXT_CHARACTERS_MAX)
            if len(kept[key]) < len(member):
                left_out.append(key)
        elif _is_sound(member):
            kept[key] = member
        else:
            left_out.append(key)
    return {**kept, "left_out": left_out} if left_out else kept


def _is_sound(member: Any) -> bool:
    """Return whether a value is JSON that comes back as it was, and short."""
    depth = 1  # the result itself
    level = [member]
    while level:
        inner: list[Any] = []
        for item in level:
            match item:
                case None | bool():
                    pass
                case int() if _INTEGER_MIN <= item <= _INTEGER_MAX:
                    pass
                case float() if math.isfinite(item):
                    pass
                case str() if _is_text(item):
                    pass
                case dict() if depth < NESTING_MAX and all(isinstance(key, str) and _is_text(key) for key in item):
                    inner.extend(item.values())
                case list() if depth < NESTING_MAX:
                    inner.extend(item)
                case _:
                    return False
        level = inner
        depth += 1
    return len(_encode(member)) <= MEMBER_BYTES_MAX


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(text: str, characters_max: int) -> str:
    """Return text without lone surrogates, at most so long."""
    return text[:characters_max].encode("utf-8", "replace").decode()
