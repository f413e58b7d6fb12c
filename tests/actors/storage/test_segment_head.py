"""The head of a segment that was begun in a fallback directory: what it says, and that readers pass it over."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.storage.codec import seal
from actors.storage.fallback_recovery import head_maker
from actors.storage.files import Disk
from actors.storage.journal import Journal
from actors.storage.journal_scan import Scan
from actors.storage.layout import Layout
from actors.storage.segment_head import SegmentHead, begins_at, read_head
from tests.kit.spoiled import contents

HEAD = SegmentHead(epoch=7, base_seq=40, base_crc="0123abcd", daemon_id="who")
BODY = b'"ts":"t","cmd":{},"facts":[]'


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.make_directories(Disk())
    return layout


def journal(layout: Layout, *, preallocate_bytes: int = 0, segment_bytes_max: int = 1 << 20) -> Journal:
    return Journal(
        Disk(),
        layout,
        next_seq=41,
        last_crc=b"0123abcd",
        preallocate_bytes=preallocate_bytes,
        segment_bytes_max=segment_bytes_max,
        head=partial(head_maker, 7, "who"),
    )


@pytest.mark.parametrize("preallocate_bytes", [0, 1, 4096])
def test_it_says_on_which_line_the_segment_builds_and_readers_pass_it_over(
    layout: Layout, preallocate_bytes: int
) -> None:
    one = journal(layout, preallocate_bytes=preallocate_bytes)
    one.append([BODY, BODY])
    (segment,) = layout.segments(Disk())
    assert read_head(Disk(), segment) == SegmentHead(epoch=7, base_seq=40, base_crc="0123abcd", daemon_id="who")
    scan = Scan(Disk(), layout, 40)
    assert [(line.seq, line.prev) for line in scan][:1] == [(41, b"0123abcd")]
    assert (scan.report.next_seq, scan.report.damages, scan.report.torn) == (43, (), None)
    one.close()


def test_each_segment_has_its_own(layout: Layout) -> None:
    one = journal(layout, segment_bytes_max=1)
    for _ in range(3):
        one.append([BODY])
    one.close()
    found, base_seq = begins_at(Disk(), layout)
    assert base_seq == 40
    assert [head.base_seq for _, head in found] == [40, 41, 42]
    assert Scan(Disk(), layout, 40).read_all().missing == ()


def test_an_empty_one_is_not_rotated_and_may_be_begun_anew(layout: Layout) -> None:
    one = journal(layout, preallocate_bytes=512)
    one.rotate()
    one.close()
    assert len(layout.segments(Disk())) == 1
    journal(layout).close()


@pytest.mark.parametrize("content", [b"", b"\0\0", b"{}\n", b'{"v":1,"epoch":1}\n', b'{"v":1,"epoch":'])
def test_what_is_none_is_not_believed_and_the_name_says_where_the_segment_begins(
    layout: Layout, content: bytes
) -> None:
    layout.segment(9).write_bytes(content)
    (segment,) = layout.segments(Disk())
    assert read_head(Disk(), segment) is None
    assert begins_at(Disk(), layout)[1] == 8


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=contents([HEAD.encoded(), HEAD.encoded()[:-20] + b"}"]), is_sealed=st.booleans())
def test_any_content_is_a_head_or_none(layout: Layout, content: bytes, is_sealed: bool) -> None:
    line = content.replace(b"\n", b" ")
    is_object = line[:1] == b"{" and line[-1:] == b"}"
    layout.segment(9).write_bytes(seal(line) + b"\n" if is_sealed and is_object else content)
    (segment,) = layout.segments(Disk())
    head = read_head(Disk(), segment)
    assert head is None or head == SegmentHead(
        epoch=int(head.epoch), base_seq=int(head.base_seq), base_crc=str(head.base_crc), daemon_id=str(head.daemon_id)
    )
    assert begins_at(Disk(), layout)[1] == (8 if head is None else head.base_seq)
