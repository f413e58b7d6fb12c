"""Stamps: ISO 8601 in UTC with milliseconds and `Z` (SPEC section 4), to and from POSIX seconds."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Final

from actors.model.errors import InvalidParams

_STAMP_CHARACTERS: Final = 24
_SECOND_CHARACTERS: Final = 19


def stamp_of(posix_s: float) -> str:
    """Return POSIX seconds as an ISO stamp: 2026-01-31T09:30:00.000Z."""
    whole_s, rest_us = divmod(round(posix_s * 1_000_000), 1_000_000)
    return f"{_second(whole_s)}.{rest_us // 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(posix_s: int) -> str:
    """Return the part of a stamp that all moments of one second share: laying it out costs as much as a decision."""
    return dt.datetime.fromtimestamp(posix_s, dt.UTC).isoformat()[:_SECOND_CHARACTERS]  # strftime writes year 500 short


def posix_of(stamp: str) -> float:
    """Return a stamp as POSIX seconds; raises ValueError when it is none."""
    if len(stamp) == _STAMP_CHARACTERS and stamp[-1] == "Z" and stamp[20:23].isdigit():
        return _posix_of_second(stamp[:19]) + int(stamp[20:23]) / 1000
    return dt.datetime.fromisoformat(stamp).timestamp()


@lru_cache(maxsize=64)
def _posix_of_second(text: str) -> float:
    return dt.datetime.fromisoformat(text + "Z").timestamp()


def normal(text: str) -> str:
    """Return another tool's ISO time as a stamp; one without a zone is UTC.

    Raises ValueError when it is no time, OverflowError when it is none of the years 1 to 9999 in UTC.
    """
    moment = dt.datetime.fromisoformat(text)
    utc = moment.astimezone(dt.UTC) if moment.tzinfo is not None else moment
    return f"{utc.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def given_stamp(text: str, path: str) -> str:
    """Return a client's time as a stamp; raises InvalidParams naming `path` when it is no time."""
    try:
        return normal(text)
    except (ValueError, OverflowError, OSError):
        raise InvalidParams.of(path, "this is no ISO 8601 time") from None


def later(stamp: str, seconds: float) -> str:
    """Return the stamp that lies so many seconds after this one."""
    return stamp_of(posix_of(stamp) + seconds)
