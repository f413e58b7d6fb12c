"""Which calls of a counted workload are tried in the ordinary run: one of each place, and some more, by the seed.

A place is a kind of call on a kind of file: `rename state/tasks/*.json`. The long form takes every call.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from random import Random
from typing import Final, TypeVar

import pytest

from tests.kit.interposer import Seen
from tests.kit.tally import SEED

ONLY: Final = int(os.environ.get("PERDURE_AT", "0"))
"""Try nothing but this call: how a failure is tried again."""

SHARES: Final = 8
"""Into so many tests a long form is cut, so that each takes minutes."""

IN_PORTIONS: Final = [
    pytest.param(None, id="sampled"),
    *(pytest.param(share, id=f"share {share}", marks=pytest.mark.long) for share in range(SHARES)),
]
"""For parametrize: the sampled form, and the shares of the long one."""

T = TypeVar("T")

_VARYING: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d[\dTZ.-]*|\.tmp-\S*")


def place_of(seen: Seen) -> str:
    """Return the call's kind and its file's, without what differs from file to file."""
    return f"{seen.call.name.lower()} {_VARYING.sub('*', seen.path)}"


def sample(log: Sequence[Seen], number: int, share: int = 0, shares: int = 1) -> list[int]:
    """Return `number` call numbers of this share of the log: first one of each place, then any; sorted."""
    if ONLY:
        return [ONLY]
    random = Random(f"{SEED}/{share}/{shares}")
    mine = [seen for seen in log if hash_of(place_of(seen)) % shares == share]
    random.shuffle(mine)
    first = {place_of(seen): seen.number for seen in reversed(mine)}
    rest = [seen.number for seen in mine if first[place_of(seen)] != seen.number]
    return sorted([*first.values(), *rest][:number])


def every(log: Sequence[Seen], share: int, shares: int) -> list[int]:
    """Return every call number of this share of the log."""
    return [ONLY] if ONLY else [seen.number for seen in log if seen.number % shares == share]


def portion(numbers: Sequence[T], share: int | None, number: int) -> list[T]:
    """Return `number` of these by the seed when `share` is None; else that share, of SHARES, of all of them."""
    shuffled = Random(SEED).sample(numbers, len(numbers))
    return shuffled[:number] if share is None else shuffled[share::SHARES]


def hash_of(text: str) -> int:
    """Return a number that is the same in every process."""
    return sum(ord(letter) * (position + 1) for position, letter in enumerate(text))
