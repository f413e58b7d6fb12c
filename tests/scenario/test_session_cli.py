"""`perdure session` against a real Perdure: sessions named in every way, related, drawn, swept, and brought back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kit.perdure import Perdure

MADE: dict[str, Any] = {"provider": "p", "model": "m", "working_directory": "/w"}


@pytest.fixture
def ids(running: Perdure) -> list[str]:
    """Three sessions, the first one used last."""
    return [running.call("session.create", title=f"number {n}", **MADE)["id"] for n in (3, 2, 1)][::-1]


def fine(whole: Perdure, *arguments: str) -> str:
    ended = whole.ended("session", *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def shown(whole: Perdure, *arguments: str) -> str:
    session_id: str = json.loads(fine(whole, "show", *arguments, "--json"))["id"]
    return session_id


def test_a_session_is_named_by_number_alias_part_or_as_the_last(running: Perdure, ids: list[str]) -> None:
    fine(running, "alias", ids[2], "third")
    listed = fine(running, "list").splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [[str(n), session_id] for n, session_id in enumerate(ids, 1)]
    assert [shown(running, str(number)) for number in (1, 2, 3)] == ids
    assert shown(running, "third") == ids[2]
    assert shown(running, ids[1][-12:]) == ids[1]
    assert shown(running, "--last") == ids[0]
    assert running.ended("session", "show", "9").returncode == 4
    assert running.ended("session", "alias", ids[0], "third").returncode == 5
    assert running.ended("session", "show", "nobody").returncode == 4


def test_sessions_are_related_drawn_found_and_unrelated(running: Perdure, ids: list[str]) -> None:
    fine(running, "alias", ids[0], "root")
    fine(running, "parent", ids[1], "root")
    fine(running, "parent", ids[2], ids[1])
    assert running.ended("session", "parent", "root", ids[2]).returncode == 5
    lines = fine(running, "tree").splitlines()
    assert lines[1].startswith("root ")
    assert lines[2].startswith("└─ ")
    assert lines[3].startswith("   └─ ")
    assert len(fine(running, "tree", ids[1]).splitlines()) == 3
    fine(running, "link", "root", "--task", "t1", "--project", "web")
    assert ids[0] in fine(running, "find", "--task", "t1")
    assert ids[0] in fine(running, "find", "NUMBER 1")
    fine(running, "unlink", "root", "--task", "t1")
    assert fine(running, "find", "--task", "t1") == "No sessions.\n"
    assert f"{ids[1]}: descends from nobody" in fine(running, "parent", ids[1], "--none")


def test_a_session_leaves_and_comes_back_with_what_it_was_called(running: Perdure, ids: list[str]) -> None:
    fine(running, "alias", ids[1], "second")
    fine(running, "rm", "second")
    ended = running.ended("session", "show", ids[1])
    assert ended.returncode == 4
    assert "archive" in ended.stderr
    assert "restore" in ended.stderr
    fine(running, "restore", ids[1])
    assert shown(running, "second") == ids[1]


def test_a_sweep_labels_and_a_list_shows_the_labelled(running: Perdure, ids: list[str]) -> None:
    assert "3 sessions would be labelled" in fine(running, "sweep", "--idle-days", "0", "--dry-run")
    assert json.loads(fine(running, "list", "--activity", "idle", "--json"))["sessions"] == []
    assert "3 sessions were labelled" in fine(running, "sweep", "--idle-days", "0")
    assert len(json.loads(fine(running, "list", "--activity", "idle", "--json"))["sessions"]) == 3
    assert "0 sessions were labelled" in fine(running, "sweep", "--idle-days", "0")


def test_the_numbers_of_a_list_are_kept_outside_of_the_state_directory(running: Perdure, ids: list[str]) -> None:
    before = {path for path in running.state_path.rglob("*") if "sessions" in path.name}
    fine(running, "list")
    assert {path for path in running.state_path.rglob("*") if "sessions" in path.name} == before
    assert [path.name for path in Path(running.folder / "cache").iterdir()] == ["perdure"]
    assert len(ids) == 3


def test_sessions_are_found_by_what_is_said_in_them(running: Perdure, ids: list[str]) -> None:
    said = {"role": "user", "content": 'why does the "redirect" loop?'}
    running.call("session.append", id=ids[1], messages=[said])
    for text in ('"redirect', "LOOP why", "redir"):
        found = json.loads(fine(running, "find", text, "--json"))
        assert ([row["id"] for row in found["sessions"]], found["messages"]) == ([ids[1]], "searched")
    assert fine(running, "find", "redirect").count("number 2") == 1
    assert json.loads(fine(running, "find", "OR", "--json"))["sessions"] == []
