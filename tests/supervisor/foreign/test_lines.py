"""supervisor/foreign/lines.py: what strangers wrote, line by line, and what of it cannot be read."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from supervisor.foreign import lines
from supervisor.foreign.lines import files_below, read_lines, read_object
from supervisor.foreign.values import File, Line, Skipped


def a_file(path: Path, content: bytes) -> File:
    path.write_bytes(content)
    return File(path=str(path), name=path.name, size_bytes=len(content))


def numbers(file: File) -> list[int]:
    return [line.number for line in read_lines(file) if isinstance(line, Line)]


def skipped(file: File) -> list[tuple[int | None, str]]:
    return [(one.line, one.reason) for one in read_lines(file) if isinstance(one, Skipped)]


def test_lines_end_at_the_newline_only_and_blank_ones_are_nothing(tmp_path: Path) -> None:
    file = a_file(tmp_path / "x", b'\xef\xbb\xbf{"a":"\xe2\x80\xa8"}\n\n  \r\n{"b":"\xc2\x85"}\r\n{"c":1}')
    assert [line.value for line in read_lines(file) if isinstance(line, Line)] == [
        {"a": "\u2028"},
        {"b": "\x85"},
        {"c": 1},
    ]
    assert numbers(file) == [1, 4, 5]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b'{"a":1}\n{"b"\n{"c":1}\n', 2, "not JSON"),
        (b'{"a":1}\n[1]\n', 2, "no JSON object"),
        (b'{"a":1}\n42\n', 2, "no JSON object"),
        (b'{"a":1}\n{"a":"\xff"}\n', 2, "not JSON"),
        (b'{"a":1}\n{"a":NaN}\n', 2, "not JSON"),
        (b'{"a":1}\n{"a":NaN,"b":"\\u0041"}\n', 2, "NaN"),
        (b'{"a":1}\n{"b":"half of a li', 2, "cut off"),
        (b'{"a":1}\n\x00\x00\x00\n', 2, "not JSON"),
    ],
)
def test_a_line_that_cannot_be_read_costs_itself_alone(tmp_path: Path, content: bytes, line: int, reason: str) -> None:
    file = a_file(tmp_path / "x", content)
    assert numbers(file)[0] == 1
    (told,) = skipped(file)
    assert told[0] == line
    assert reason in told[1]


def test_half_of_a_surrogate_pair_becomes_a_replacement_character(tmp_path: Path) -> None:
    file = a_file(tmp_path / "x", b'{"a":"cut \\ud83d","b":"whole \\ud83d\\ude00"}\n')
    (line,) = read_lines(file)
    assert isinstance(line, Line)
    assert line.value["a"].startswith("cut \ufffd")
    assert line.value["b"] == "whole \N{GRINNING FACE}"


def test_a_line_beyond_the_bound_is_passed_over_without_being_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LINE_BYTES_MAX", 1000)
    long = b'{"a":"' + b"x" * 5_000_000 + b'"}\n'
    file = a_file(tmp_path / "x", b'{"a":1}\n' + long + b'{"c":1}\n')
    tracemalloc.start()
    try:
        assert numbers(file) == [1, 3]
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert [line for line, _reason in skipped(file)] == [2]


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    gone = File(path=str(tmp_path / "gone"), name="gone", size_bytes=0)
    assert [reason for _line, reason in skipped(gone)] == ["it cannot be read: No such file or directory"]
    assert isinstance(read_object(gone), Skipped)


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (b"[]", "no JSON object"), (b'{\n"a":', "not JSON")])
def test_a_file_that_is_no_object_is_told(tmp_path: Path, content: bytes, reason: str) -> None:
    found = read_object(a_file(tmp_path / "x", content))
    assert isinstance(found, Skipped)
    assert reason in found.reason


def test_links_to_directories_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.jsonl").write_bytes(b"")
    (tmp_path / "a" / "circle").symlink_to(tmp_path)
    assert [file.name for file in files_below(tmp_path, ".jsonl")] == ["a/b.jsonl"]
    assert files_below(tmp_path, ".jsonl", depth_max=0) == []
