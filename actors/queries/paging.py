"""Pages: a cursor is content, not a position, so it stays good over changes and restarts; to clients it is opaque."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

import msgspec

from actors.model.errors import InvalidParams
from actors.model.tables import Row

LOOKED_AT_MAX: Final = 20_000
"""Rows looked at for one page: with a filter on a text that is about 30 ms, in which nothing else happens."""

PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""A page ends early beyond this, so that a thousand long rows still fit one frame."""

R = TypeVar("R", bound=Row)

_encode = msgspec.json.Encoder().encode


def cursor_of(walk: str, place: tuple[str, ...]) -> str:
    """Return the cursor that says: this walk has come to this place."""
    return base64.urlsafe_b64encode(_encode([walk, *place])).decode().rstrip("=")


def place_of(walk: str, cursor: str | None, length: int) -> tuple[str, ...] | None:
    """Return the place that a cursor of this walk names, None without one; raises InvalidParams for any other text."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        of, *place = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[str])
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise InvalidParams.of("cursor", "this is no cursor: pass on what next_cursor said") from None
    if of != walk or len(place) != length:
        raise InvalidParams.of("cursor", "this cursor is of another list: begin without one")
    return tuple(place)


class Listing(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """What a page is made of."""

    noun: str
    """The member that holds the rows: tasks, sessions, runs."""
    walk: str
    """The walk's name, for its cursors."""
    rows: Iterable[R]
    """In the walk's order, from the cursor on."""
    fits: Callable[[R], bool]
    place: Callable[[R], tuple[str, ...]]
    """The place of a row in the walk."""
    show: Callable[[R], bytes]


def page(listing: Listing[R], limit: int) -> bytes:
    """Return one page: {<noun>, next_cursor}; next_cursor is null at the end."""
    found: list[bytes] = []
    size_bytes = 0
    last: R | None = None
    for looked_at, row in enumerate(listing.rows):
        if len(found) == limit or looked_at == LOOKED_AT_MAX or size_bytes > PAGE_BYTES_MAX:
            break
        last = row
        if listing.fits(row):
            found.append(listing.show(row))
            size_bytes += len(found[-1])
    else:
        last = None
    cursor = b"null" if last is None else _encode(cursor_of(listing.walk, listing.place(last)))
    return b'{"%b":[%b],"next_cursor":%b}' % (listing.noun.encode(), b",".join(found), cursor)
