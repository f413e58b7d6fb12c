"""Sealing: a record carries its own checksum, and any single wrong byte shows."""

from __future__ import annotations

import json
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.storage.codec import Bad, crc_hex, excerpt, salt_of, seal, unseal

OBJECTS = st.dictionaries(st.text().filter(lambda name: name != "crc"), st.integers() | st.text(), max_size=5).map(
    lambda value: json.dumps(value, separators=(",", ":")).encode()
)


@given(OBJECTS, st.sampled_from([0, salt_of("tasks")]))
def test_what_was_sealed_comes_back_and_is_json_with_the_crc_last(body: bytes, salt: int) -> None:
    line = seal(body, salt)
    assert unseal(line, salt) == body
    value = json.loads(line)
    assert list(value)[-1] == "crc"
    assert len(value["crc"]) == 8


def test_the_crc_covers_every_byte_before_its_member() -> None:
    assert seal(b'{"a":1}') == b'{"a":1,"crc":"%08x"}' % crc32(b'{"a":1')
    assert crc_hex(b'{"a":1') == b"%08x" % crc32(b'{"a":1')


@pytest.mark.parametrize("body", [b'{"id":"task_1","rev":12}', b"{}"])
def test_every_flipped_bit_is_found(body: bytes) -> None:
    line = seal(body)
    for at in range(len(line)):
        for bit in range(8):
            damaged = bytearray(line)
            damaged[at] ^= 1 << bit
            assert isinstance(unseal(bytes(damaged)), Bad)


def test_a_record_of_one_section_is_not_valid_in_another() -> None:
    line = seal(b'{"id":"x"}', salt_of("runs"))
    assert unseal(line, salt_of("tasks")) is Bad.CRC
    assert unseal(line) is Bad.CRC


@pytest.mark.parametrize("body", [b"", b"[]", b'{"a":1', b'"a":1}', b'{"a":\n1}'])
def test_only_an_object_on_one_line_is_sealed(body: bytes) -> None:
    with pytest.raises(ValueError, match="JSON object"):
        seal(body)


@pytest.mark.parametrize(
    ("line", "reason"),
    [(b"", Bad.EMPTY), (b"\0" * 9, Bad.EMPTY), (b'{"a":1}', Bad.SHORT), (b'{"a":1,"b":"0123456789"}', Bad.UNSEALED)],
)
def test_why_a_line_is_not_believed_is_told(line: bytes, reason: Bad) -> None:
    assert unseal(line) is reason


@given(st.binary(max_size=80))
def test_no_bytes_make_unsealing_raise(data: bytes) -> None:
    assert isinstance(unseal(data), bytes | Bad)


@given(st.binary(max_size=400))
def test_an_excerpt_is_printable_on_one_line_and_bounded(data: bytes) -> None:
    text = excerpt(data)
    assert text.isprintable()
    assert len(text) <= 120 * 10 + 1
