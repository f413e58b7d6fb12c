"""supervisor/cli/session_names.py: every way in which a person can name a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.last_list import numbered, remember
from supervisor.cli.session_names import LAST, named_session
from tests.supervisor.cli.rows import session

FIRST = "0190163d-8694-739b-aea5-966c26f8ad91"
SECOND = "0190163d-9999-739b-aea5-96aaaaaaad91"
STATE = Path("/state")


class Runtime:
    """Two sessions; the second was used last and is called `deed`, and another tool calls it tool_7."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def call(self, method: str, /, **params: Any) -> Any:
        self.asked.append(method)
        rows = [session(SECOND, alias="deed", external_ids=["tool_7"]), session(FIRST)]
        if method == "session.list":
            return {"sessions": rows[: params["limit"]], "next_cursor": None}
        assert method == "session.find"
        alias, external_id = params.get("alias"), params.get("external_id")
        name = alias or external_id
        return {"sessions": [row for row in rows if name in (row["alias"], *row["external_ids"])]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (FIRST, FIRST),
        ("0190163d-0000-0000-0000-000000000000", "0190163d-0000-0000-0000-000000000000"),
        (LAST, SECOND),
        ("deed", SECOND),
        ("tool_7", SECOND),
        ("0190163d-8", FIRST),
        ("6c26f8ad91", FIRST),
        ("…6c26f8ad91", FIRST),
        ("..6c26f8ad91", FIRST),
    ],
)
def test_a_session_is_found_by_whatever_names_it(text: str, found: str) -> None:
    assert named_session(Runtime(), STATE, text) == found


@pytest.mark.parametrize("text", ["nobody", "ffff"])
def test_what_names_no_session_is_not_found(text: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        named_session(Runtime(), STATE, text)
    assert caught.value.exit_code == Exit.NOT_FOUND
    assert caught.value.message == f"no session is called {text}"


@pytest.mark.parametrize("text", ["../../etc/passwd", "/etc", "a\\b"])
def test_a_path_is_refused_as_no_name(text: str) -> None:
    with pytest.raises(click.UsageError, match="is a path"):
        named_session(Runtime(), STATE, text)


def test_a_whole_id_is_not_looked_up() -> None:
    runtime = Runtime()
    named_session(runtime, STATE, FIRST)
    assert runtime.asked == []


@pytest.mark.parametrize("text", ["0190163d", "ad91", "…ad91"])
def test_a_part_that_several_have_names_none_and_says_whose_it_is(text: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        named_session(Runtime(), STATE, text)
    assert caught.value.exit_code == Exit.USAGE
    assert FIRST in caught.value.message
    assert SECOND in caught.value.message


def test_numbers_are_those_of_the_last_list_of_this_state_directory() -> None:
    remember(STATE, [SECOND, FIRST])
    remember(Path("/other"), [])
    assert [named_session(Runtime(), STATE, number) for number in ("1", "2")] == [SECOND, FIRST]
    for state, number in ((STATE, "3"), (STATE, "0"), (Path("/other"), "1"), (Path("/never"), "1")):
        with pytest.raises(CommandFailed, match="the last list"):
            named_session(Runtime(), state, number)


def test_digits_that_no_list_had_may_begin_an_id() -> None:
    remember(STATE, [SECOND])
    with pytest.raises(CommandFailed, match="2 sessions"):
        named_session(Runtime(), STATE, "0190")


def test_a_cache_that_is_broken_or_cannot_be_written_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    remember(STATE, [FIRST])
    assert numbered(STATE, 1) is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    remember(STATE, [FIRST])
    (kept,) = (tmp_path / "perdure").iterdir()
    kept.write_text("{")
    assert numbered(STATE, 1) is None
