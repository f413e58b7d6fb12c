"""JSON from strangers: the three steps of judging a line agree, and what is not allowed is refused."""

import json

import hypothesis
import orjson
import pytest
from hypothesis import strategies as st

from actors.model.errors import ParseError
from supervisor.wire import strict_json
from supervisor.wire.strict_json import NESTING_MAX, loads

HOSTILE = {
    "not a number": b'{"a":NaN}',
    "infinity": b'{"a":-Infinity}',
    "an infinite number": b'{"a":1e400}',
    "a duplicate key": b'{"a":1,"a":1}',
    "a duplicate key after an escape": b'{"a":1,"\\u0061":2}',
    "a duplicate key deep inside": b'{"a":[{"b":{"c":1,"c":[{}]}}]}',
    "a duplicate key hidden by an escaped colon": b'{"a":"\\u003a","a":"\\u003a"}',
    "a duplicate key hidden by an escaped colon in upper case": b'{"a":1,"a":"\\u003A"}',
    "a lone high surrogate": b'{"a":"\\ud800"}',
    "a lone low surrogate": b'{"a":"\\udc00"}',
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "an integer of 65 bits": b'{"a":18446744073709551616}',
    "a negative integer of 65 bits": b'{"a":-9223372036854775809}',
    "an integer of 65 bits among spaces": b'{ "a" : [ 18446744073709551616 ] }',
    "an integer of 300 digits": b'{"a":' + b"9" * 300 + b"}",
    "an integer of 5000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "deep arrays": b"[" * 129 + b"]" * 129,
    "very deep arrays": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 129 + b"1" + b"}" * 129,
    "deep objects among spaces": b'{"a": ' * 129 + b"1" + b"}" * 129,
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a":1}'.encode("utf-16-le"),
    "Latin-1": b'{"a":"\xe9"}',
    "an overlong encoding": b'{"a":"\xc0\xaf"}',
    "a raw NUL": b'{"a":"\x00"}',
    "a raw control character": b'{"a":"\x1f"}',
    "a form feed as space": b'\x0c{"a":1}',
    "half an object": b'{"a":1',
    "two values": b"{} {}",
    "a comment": b'{"a":1}//',
    "single quotes": b"{'a':1}",
    "a trailing comma": b'{"a":1,}',
    "nothing": b"",
}

ALLOWED = {
    "U+2028 in a string": '{"a":"\u2028\u2029\x85"}'.encode(),
    "spaces": b' { "a" : [ 1 , 2.5 , null ] } \r',
    "the largest integer": b'{"a":18446744073709551615}',
    "the smallest integer": b'{"a": -9223372036854775808}',
    "a large float": b'{"a":1e300}',
    "a large float with spaces": b'{"a": 1.5E+30}',
    "an escaped NUL": b'{"a":"\\u0000"}',
    "a surrogate pair": b'{"a":"\\ud83d\\ude00"}',
    "colons in keys and strings": b'{"a:b": "c::d", "e": {"f:": ":"}}',
    "an escaped colon": b'{"a": "\\u003a", "b": 1}',
    "arrays at the limit": b"[" * 128 + b"]" * 128,
    "objects at the limit": b'{"a": ' * 128 + b"1:".strip(b":") + b"}" * 128,
    "equal keys in different objects": b'[{"a": 1}, {"a": 2}]',
    "negative zero": b'{"a":-0}',
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_not_allowed_is_refused(line: bytes) -> None:
    with pytest.raises(ParseError):
        loads(line)


@pytest.mark.parametrize("line", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_is_allowed_is_read_as_any_parser_reads_it(line: bytes) -> None:
    assert loads(line) == json.loads(line)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8") | st.sampled_from(':"\\'), max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", ":", ""]), inner),
    max_leaves=12,
)


def _acceptable(line: bytes) -> bool:
    """The exact parser alone, without the quick steps."""
    try:
        orjson.loads(line)
        strict_json._check_exactly(line)
    except (ParseError, orjson.JSONDecodeError):
        return False
    return True


@hypothesis.given(VALUES, st.sampled_from([(",", ":"), (", ", ": ")]), st.booleans())
def test_the_quick_steps_agree_with_the_exact_parser(value: object, separators: tuple[str, str], escaped: bool) -> None:
    line = json.dumps(value, separators=separators, ensure_ascii=escaped).encode()
    try:
        assert loads(line) == orjson.loads(line)
        accepted = True
    except ParseError:
        accepted = False
    assert accepted is _acceptable(line)


PIECES = st.sampled_from([b'"a"', b'"\\u0061"', b'":"', b'"\\u003a"', b"1", b"99999999999999999999", b"{}", b'{"a":1}'])


@hypothesis.given(st.lists(st.tuples(st.sampled_from([b'"a"', b'"b"', b'"\\u0061"', b'":"']), PIECES), max_size=4))
def test_objects_with_repeated_keys_never_pass(members: list[tuple[bytes, bytes]]) -> None:
    line = b"{" + b",".join(key + b": " + value for key, value in members) + b"}"
    try:
        loads(line)
        accepted = True
    except ParseError:
        accepted = False
    assert accepted is _acceptable(line)


def test_depth_is_judged_the_same_with_and_without_spaces() -> None:
    for space in (b"", b" "):
        loads((b"[" + space) * NESTING_MAX + b"]" * NESTING_MAX)
        with pytest.raises(ParseError):
            loads((b"[" + space) * (NESTING_MAX + 1) + b"]" * (NESTING_MAX + 1))


def test_brackets_inside_strings_are_no_depth() -> None:
    line = json.dumps({"a": "[" * 5000}).encode()
    assert loads(line) == {"a": "[" * 5000}
