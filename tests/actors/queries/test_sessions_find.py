"""Finding sessions, and reading who descends from whom."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.messages import sessions as ask
from actors.model.errors import NotFound
from actors.model.session import Git
from actors.queries.sessions_find import find
from actors.queries.sessions_tree import tree
from tests.kit.decided import Bench
from tests.kit.rows import a_session


def session_id(number: int) -> str:
    return f"0190163d-8694-739b-aea5-{number:012x}"


@pytest.fixture
def bench() -> Bench:
    """Four sessions; the fourth was used last."""
    bench = Bench()
    rows: list[dict[str, Any]] = [
        {"alias": "login", "external_ids": ("claude-1",), "task_ids": ("t1",), "projects": ("web",)},
        {
            "title": "Grüße",
            "git": Git(branch="main", branch_at_start="feature"),
            "outcome": "merged",
            "parent_id": session_id(1),
        },
        {"first_prompt_preview": "Fix the LOGIN page", "cwd": "/home/me/project", "parent_id": session_id(1)},
        {
            "activity": "idle",
            "task_ids": ("t1", "t2"),
            "metadata": {"note": "web login main merged"},
            "parent_id": session_id(3),
        },
    ]
    for number, members in enumerate(rows, 1):
        accessed = f"2026-03-01T12:00:0{number}.000Z"
        created = f"2026-02-01T12:00:0{number}.000Z"
        row = a_session(session_id(number), last_accessed_at=accessed, created_at=created, **members)
        bench.tables.put_row("sessions", row)
    return bench


def found(bench: Bench, **asked: Any) -> list[int]:
    rows = msgspec.json.decode(find(bench.tables, ask.SessionFind(**asked), bench.at))["sessions"]
    return [int(row["id"][-12:], 16) for row in rows]


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({}, [4, 3, 2, 1]),
        ({"limit": 2}, [4, 3]),
        ({"id": session_id(2)}, [2]),
        ({"id": session_id(9)}, []),
        ({"alias": "login"}, [1]),
        ({"alias": "Login"}, []),
        ({"external_id": "claude-1"}, [1]),
        ({"external_id": "claude-1", "alias": "other"}, []),
        ({"task_id": "t1"}, [4, 1]),
        ({"task_id": "t"}, []),
        ({"project": "web"}, [1]),
        ({"branch": "main"}, [2]),
        ({"branch": "feature"}, [2]),
        ({"outcome": "merged"}, [2]),
        ({"outcome": "open"}, [4, 3, 1]),
        ({"activity": "idle"}, [4]),
        ({"cwd": "/home/me/../me/project/"}, [3]),
        ({"text": "login"}, [3, 1]),
        ({"text": "GRÜSSE"}, [2]),
        ({"text": "FIX the"}, [3]),
        ({"text": 'say "x'}, []),
        ({"cwd": "/home/me/project/deeper/.."}, [3]),
        ({"cwd": "/"}, []),
        ({"text": "login", "task_id": "t1"}, [1]),
        ({"text": "nothing of the kind"}, []),
    ],
)
def test_sessions_are_found_by_what_is_known_of_them(bench: Bench, asked: dict[str, Any], numbers: list[int]) -> None:
    assert found(bench, **asked) == numbers


def shape(node: dict[str, Any]) -> Any:
    return int(node["session"]["id"][-12:], 16), [shape(child) for child in node["children"]]


def drawn(bench: Bench, **asked: Any) -> Any:
    return [
        shape(node) for node in msgspec.json.decode(tree(bench.tables, ask.SessionTree(**asked), bench.at))["roots"]
    ]


def test_the_forest_shows_who_descends_from_whom(bench: Bench) -> None:
    assert drawn(bench) == [(1, [(2, []), (3, [(4, [])])])]
    assert drawn(bench, id=session_id(3)) == [(3, [(4, [])])]
    with pytest.raises(NotFound):
        drawn(bench, id=session_id(9))


def test_whose_parent_is_gone_is_a_root(bench: Bench) -> None:
    bench.tables.sessions.remove(session_id(1))
    assert drawn(bench) == [(3, [(4, [])]), (2, [])]
