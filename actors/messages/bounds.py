"""How much one parameter may hold. Every bound is far above honest use and far below one frame (16 MiB).

Some texts have to be more than texts: ids, and times. Their annotations carry the function that judges them, so that
what is wrong with them is told together with everything else that is wrong (`supervisor.wire.validation`).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from actors.model.ids import clean_id, given_session_id
from actors.model.stamps import given_stamp

INTEGER_MAX = 2**63 - 1
"""What every reader of the journal and of state.json can hold."""

TEXT_CHARACTERS_MAX = 1024 * 1024
"""A description, a log line, an error: text that people read."""

NAME_CHARACTERS_MAX = 4096
"""A path, a title, a worker's name."""

LIST_LENGTH_MAX = 1000
"""Rows in one answer (SPEC section 6), and members of a list that one row keeps."""

MESSAGES_MAX = 10_000
"""Messages of a session, or entries of a log, in one command."""

LEASE_S_MAX = 86_400.0
"""A worker that may be silent for longer than a day is no worker."""

READ_BYTES_MAX = 2 * 1024 * 1024
"""One answer of `log.read`: six times as long when every byte must be escaped, and still below one frame."""

READ_BYTES_DEFAULT = 64 * 1024

LIMIT_DEFAULT = 100

Text = Annotated[str, Meta(max_length=TEXT_CHARACTERS_MAX)]
FilledText = Annotated[str, Meta(min_length=1, max_length=TEXT_CHARACTERS_MAX)]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
Word = Annotated[str, Meta(min_length=1, max_length=200)]
Limit = Annotated[int, Meta(ge=1, le=LIST_LENGTH_MAX)]
Priority = Annotated[int, Meta(ge=0, le=9)]
Attempts = Annotated[int, Meta(ge=1, le=1000)]
Count = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
Rev = Annotated[int, Meta(ge=1, le=INTEGER_MAX)]
Seconds = Annotated[float, Meta(ge=1, le=LEASE_S_MAX)]
Words = Annotated[tuple[Word, ...], Meta(max_length=LIST_LENGTH_MAX)]
JUDGE = "judge"
"""Where an annotation's `extra` keeps a function of a text and its path that raises InvalidParams."""

GivenId = Annotated[str, Meta(extra={JUDGE: clean_id})]
"""An id that a client gives. It stays the text that it was: decisions clean it where rows are known (`model.ids`)."""

GivenSession = Annotated[str, Meta(extra={JUDGE: given_session_id})]
"""A session's id, or another tool's; it stays the text that it was, too."""

Ids = Annotated[tuple[GivenId, ...], Meta(max_length=LIST_LENGTH_MAX)]
Time = Annotated[str, Meta(min_length=1, max_length=200, extra={JUDGE: given_stamp})]
"""An ISO 8601 time, of whatever form; decisions make it one of ours."""

Object = dict[str, Any]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of one method; frozen, by name only, nothing unknown."""
