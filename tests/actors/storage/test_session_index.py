"""The index of the sessions is a cache: whatever is wrong with it, it is rebuilt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.storage.session_files import SessionLine, session_header
from tests.kit.behind import Behind, behind

ONE = "0191d5a0-0000-7000-8000-000000000001"
TWO = "0191d5a0-0000-7000-8000-000000000002"


def row(session_id: str, rev: int = 1) -> bytes:
    return json.dumps({"id": session_id, "title": f"t{rev}", "rev": rev}, separators=(",", ":")).encode()


def a_session(b: Behind, session_id: str, rev: int = 1) -> None:
    header = session_header(session_id, "2026-01-01T00:00:00.000Z")
    b.sessions.append(session_id, header, [SessionLine.meta(rev, row(session_id, rev))])


def test_a_good_index_is_taken_as_it_is(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        a_session(b, ONE)
        b.index.write([row(ONE), row(TWO)])
        before = (tmp_path / "sessions" / "sessions.json").read_bytes()
        assert b.index.read().problem is None
        assert b.index.load() == {ONE: row(ONE), TWO: row(TWO)}
        assert (tmp_path / "sessions" / "sessions.json").read_bytes() == before
    assert len(json.loads(before)) == 2


def test_an_empty_index_where_there_are_no_sessions_is_good(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.index.write([])
        assert b.index.load() == {}
        assert b.index.read().problem is None


PROBLEMS = [
    (None, "missing"),
    (b"", "not JSON"),
    (b'[{"id":', "not JSON"),
    (b'{"sessions":[]}', "not a list"),
    (b'[1, null, {"id":"x","rev":1}, {"id":5}]', "no row in it is valid"),
    (b"[]", "it hides sessions"),
    (b"[" + row(TWO) + b"]", "it hides sessions"),
    (b"[" + row(TWO) + b"," + row(ONE).replace(b"1}", b'"1"}') + b"]", "it hides sessions"),
]


@pytest.mark.parametrize(("content", "problem"), PROBLEMS)
def test_an_index_with_something_wrong_is_rebuilt_from_the_sessions_files(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    with behind(tmp_path) as b:
        a_session(b, ONE, rev=4)
        if content is not None:
            (tmp_path / "sessions" / "sessions.json").write_bytes(content)
        found = b.index.read()
        assert (found.problem or "").startswith(problem)
        assert found.hidden == (ONE,)
        assert b.index.load()[ONE] == row(ONE, 4)
        assert b.index.read().problem is None
        assert (TWO in b.index.load()) == (TWO.encode() in (content or b""))


def test_rebuilding_keeps_whichever_row_has_the_higher_rev(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        a_session(b, ONE, rev=4)
        a_session(b, TWO, rev=4)
        assert b.index.rebuild({ONE: row(ONE, 9), TWO: row(TWO, 2)}) == {ONE: row(ONE, 9), TWO: row(TWO, 4)}


def test_a_file_that_holds_no_row_of_its_session_is_no_reason_to_fail(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.sessions.append(ONE, None, [SessionLine.message(1, b"1")])
        b.sessions.append(TWO, None, [SessionLine.meta(3, row(ONE, 3))])
        (tmp_path / "sessions" / "not-a-session.jsonl").write_bytes(b"\0" * 100)
        assert b.index.load() == {}
