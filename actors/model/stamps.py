"""Stamps: ISO 8601 in UTC with milliseconds and `Z` (SPEC section 4), to and from POSIX seconds."""

from __future__ import annotations

import datetime as dt

from actors.model.errors import InvalidParams


def stamp_of(posix_s: float) -> str:
    """Return POSIX seconds as an ISO stamp: 2026-01-31T09:30:00.000Z."""
    moment = dt.datetime.fromtimestamp(posix_s, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def posix_of(stamp: str) -> float:
    """Return a stamp as POSIX seconds; raises ValueError when it is none."""
    return dt.datetime.fromisoformat(stamp).timestamp()


def normal(text: str) -> str:
    """Return another tool's ISO time as a stamp; one without a zone is UTC. Raises ValueError when it is no time."""
    moment = dt.datetime.fromisoformat(text)
    return stamp_of((moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)).timestamp())


def given_stamp(text: str, path: str) -> str:
    """Return a client's time as a stamp; raises InvalidParams naming `path` when it is no time."""
    try:
        return normal(text)
    except (ValueError, OverflowError, OSError):
        raise InvalidParams.of(path, "this is no ISO 8601 time") from None


def later(stamp: str, seconds: float) -> str:
    """Return the stamp that lies so many seconds after this one."""
    return stamp_of(posix_of(stamp) + seconds)
