"""Values as people read them: ages, sizes, durations, and text that cannot disturb a terminal. Pure functions."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))

_DISTURBING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
"""Control characters, line ends beyond ours, and what turns the direction of writing: text from strangers has them."""

_DISTURBING_IN_PROSE: Final = re.compile(f"(?!\n){_DISTURBING.pattern[:-1]}")

GENERATED_ID: Final = re.compile(r"(?:[a-z]+_)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
"""An id that Perdure made: a UUID, for tasks with the noun before it."""

SHORT_ID_LENGTH: Final = 12
"""The last group of a UUID: 48 random bits."""


def one_line(text: str) -> str:
    """`text` on one line: whatever would move the cursor, change colours or end the line becomes a blank."""
    return " ".join(_DISTURBING.sub(" ", _encodable(text)).split())


def prose(text: str) -> str:
    """`text` with its own line ends and nothing else that would disturb a terminal."""
    return _DISTURBING_IN_PROSE.sub("", _encodable(text).replace("\r\n", "\n").replace("\t", "    ")).rstrip()


def moment(stamp: object) -> datetime | None:
    """The moment that a time stamp of ours names; None where it names none."""
    if not isinstance(stamp, str):
        return None
    try:
        found = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def shortened(id_: str) -> str:
    """How a narrow terminal shows an id; one that a person chose stays as it is."""
    return f"…{id_[-SHORT_ID_LENGTH:]}" if GENERATED_ID.fullmatch(id_) else id_


def age(stamp: object, now: datetime) -> str:
    """How long ago `stamp` was, in its largest unit: `5m`; `-` where there is none, `now` for what the clock denies."""
    then = moment(stamp)
    if then is None:
        return "-"
    seconds = (now - then).total_seconds()
    return "now" if seconds < 1 else duration(seconds)


def ago(stamp: object, now: datetime) -> str:
    """`5m ago`, or `just now`."""
    said = age(stamp, now)
    return {"now": "just now", "-": "-"}.get(said, f"{said} ago")


def when(stamp: object, now: datetime) -> str:
    """The moment of `stamp` in this machine's time zone: the clock alone for today, with the day for others."""
    then = moment(stamp)
    if then is None:
        return "-"
    local = then.astimezone()
    return local.strftime("%H:%M:%S" if local.date() == now.astimezone().date() else "%Y-%m-%d %H:%M")


def duration(seconds: float) -> str:
    """A length of time in its largest unit, rounded down: `3d`, `12m`, `40s`, `8ms`."""
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{seconds * 1000:.0f}ms"


def local_time(stamp: object) -> str:
    """The moment of `stamp` in this machine's time zone, to the second; `-` where there is none."""
    then = moment(stamp)
    return "-" if then is None else then.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def size(count: object) -> str:
    """A number of bytes: `812 B`, `1.4 MB`."""
    if not isinstance(count, int | float):
        return "-"
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:  # noqa: PLR2004  what the units are made of
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"  # noqa: PLR2004
        number /= 1000
    return f"{number:.1f} TB"


def counted(number: int, noun: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def scalar(value: object) -> str:
    """A JSON value in a few characters: texts as they are, nothing as `-`, the rest as JSON."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return str(value)
    import json

    return one_line(json.dumps(value, ensure_ascii=False))


def dig(value: object, *path: str) -> Any:
    """The member of nested objects at `path`; None where one of them is missing: older and newer runtimes differ."""
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _encodable(text: str) -> str:
    """Lone surrogates, which no stream takes, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
