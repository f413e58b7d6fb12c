"""Contents that no decoder expects: arbitrary bytes, good samples with bytes changed, JSON of other shapes.

A decoder of what comes from a disk or a wire may refuse any of them in its own words; nothing else may come out of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

DEEP: Final = 100_000
"""Beyond every parser's nesting, and beyond Python's own."""

NASTY: Final = (
    b"",
    b"\0" * 64,
    b"\xff\xfe{\0}\0",
    b"\xef\xbb\xbf{}",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b"[" * 300 + b"]" * 300,
    b'{"a":' * 300 + b"1" + b"}" * 300,
    b"9" * 5000,
    b'{"a":' + b"9" * 5000 + b"}",
    b"1e999",
    b'{"a":NaN,"b":-Infinity}',
    b'{"a":"\\ud800","\\udfff":1}',
    b'{"a":"\xff"}',
    b'{"a":1,"a":2}',
    b"{" * 50 + b"\xe2\x80\xa8",
)
"""What has broken decoders elsewhere."""


def nested(depth: int) -> Any:
    """A list of a list of a list, so deep."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["", "\0", "../../x", "\ud83d", "9" * 400, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00", "1e999", "NaN"]
    )
)

VALUES: Final = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
) | st.just(nested(300))
"""Any JSON, and what Python's own reader takes for JSON."""


@st.composite
def changed_bytes(draw: st.DrawFn, sample: bytes) -> bytes:
    """A sample in which something was cut out, put in, doubled or flipped, up to three times."""
    content = sample
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(content)))
        end = min(len(content), begin + draw(st.integers(0, 40)))
        between = draw(st.binary(max_size=6) | st.sampled_from([content[begin:end] * 2, b"\xff", b"[" * 2000, b"\n"]))
        content = content[:begin] + between + content[end:]
    return content


@st.composite
def misshapen(draw: st.DrawFn, sample: bytes) -> bytes:
    """A sample of JSON, or of lines of it, in which members have other values, other names, or are gone."""
    lines = sample.split(b"\n") if _value(sample) is None else [sample]
    read = [_value(line) for line in lines]
    good = [number for number, value in enumerate(read) if isinstance(value, dict | list)]
    for number in draw(st.lists(st.sampled_from(good), min_size=1, max_size=3)) if good else ():
        read[number] = draw(_reshaped(read[number]))
        lines[number] = json.dumps(read[number]).encode()
    return b"\n".join(lines)


def contents(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Everything that may stand where one of these stood."""
    spoiled = st.sampled_from(samples).flatmap(lambda sample: changed_bytes(sample) | misshapen(sample))
    return st.binary(max_size=200) | VALUES.map(_dumped) | st.sampled_from(NASTY) | spoiled | spoiled


@st.composite
def _reshaped(draw: st.DrawFn, value: Any) -> Any:
    """The value with one of the values inside it replaced, renamed or taken out."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 4)) == 0:
        return draw(VALUES)
    if isinstance(value, list):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(_reshaped(value[at])), *value[at + 1 :]]
    name = draw(st.sampled_from(sorted(value)))
    rest = {other: member for other, member in value.items() if other != name}
    how = draw(st.sampled_from(["inside", "inside", "inside", "renamed", "gone"]))
    if how == "gone":
        return rest
    if how == "renamed":
        return {**rest, draw(st.text(max_size=6)): value[name]}
    return {**value, name: draw(_reshaped(value[name]))}


def _value(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()
