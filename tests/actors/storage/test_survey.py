"""What is known of a file without holding it: order, gaps, damage, the torn tail, and where each message lies."""

from __future__ import annotations

from actors.storage.codec import seal
from actors.storage.sealed_lines import Line, read_lines
from actors.storage.survey import MARK_EVERY, OUT_OF_ORDER, REJECTED_MAX, Survey

HEADER = seal(b'{"v":1,"id":"x"}') + b"\n"


def message(index: int) -> bytes:
    return Line.message(index, b'"m%d"' % index).sealed()


def meta(rev: int) -> bytes:
    return Line.meta(rev, b'"r%d"' % rev).sealed()


def test_an_empty_file_holds_nothing() -> None:
    assert Survey.of([]) == Survey()


def test_the_newest_metadata_and_the_rev_the_file_was_begun_at_are_known() -> None:
    survey = Survey.of([HEADER, meta(4), message(1), meta(6)])
    assert (survey.base_rev, survey.last_rev, survey.last_meta, survey.last_index) == (4, 6, b'"r6"', 1)
    assert Survey.of([HEADER, message(1), meta(6)]).base_rev == 0
    assert Survey.of([meta(3), meta(6)]).base_rev == 0


def test_gaps_are_known_by_their_first_and_last_index() -> None:
    survey = Survey.of([message(3), message(4), message(9)])
    assert survey.missing == [(1, 2), (5, 8)]
    assert [index for index in range(12) if survey.is_missing(index)] == [1, 2, 5, 6, 7, 8]


def test_a_good_line_out_of_order_is_passed_over_and_does_not_count_as_torn() -> None:
    survey = Survey.of([HEADER, message(1), message(2), message(1), HEADER, meta(2), meta(2)])
    assert [(bad.line, bad.reason) for bad in survey.rejected] == [
        (4, OUT_OF_ORDER),
        (5, OUT_OF_ORDER),
        (7, OUT_OF_ORDER),
    ]
    assert (survey.torn, survey.end, survey.last_index) == (None, survey.size_bytes, 2)


def test_bad_lines_are_damage_when_a_good_one_follows_and_torn_when_none_does() -> None:
    survey = Survey.of([message(1), b"x\n", message(2), b"y\n", b"z"])
    assert [(bad.line, bad.excerpt) for bad in survey.rejected] == [(2, "x")]
    assert survey.torn is not None
    assert (survey.torn.offset, survey.torn.length_bytes) == (survey.end, 3)
    assert survey.size_bytes == survey.end + 3


def test_of_very_many_bad_lines_some_are_described_and_all_are_counted() -> None:
    survey = Survey.of([b"x\n" * (REJECTED_MAX + 500), message(1), b"y\n" * 10, message(2), b"z\n" * 5])
    assert (len(survey.rejected), survey.rejected_count) == (REJECTED_MAX, REJECTED_MAX + 510)
    assert survey.torn is not None
    assert survey.torn.length_bytes == 10


def test_every_message_is_found_within_a_bounded_number_of_lines_of_its_mark() -> None:
    content = HEADER + b"".join(message(index) for index in range(5, 1000))
    survey = Survey.of([content])
    for index in range(1, 1001):
        start = survey.offset_before(index)
        numbers = [read.number for read in read_lines([content[start:]], start) if read.kind == "message"]
        assert min(index, 999) - numbers[0] < MARK_EVERY
        assert numbers[0] <= max(index, 5)
