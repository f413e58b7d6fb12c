"""supervisor/cli/session*.py: what each command asks of the runtime, and what it prints."""

import json
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli.entry import run
from supervisor.cli.reach import follow
from supervisor.cli.session_view import message_text
from tests.kit.fake_server import Following
from tests.supervisor.cli.conftest import Serve
from tests.supervisor.cli.rows import SESSION_ID, STAMP, session

Captured = pytest.CaptureFixture[str]


def said(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": text}


def messages_of(*messages: dict[str, Any], page: int = 1000) -> Any:
    """The answer to session.messages for these messages, `page` of them at most at once."""

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        after = params["after"]
        shown = messages[after : after + page]
        end = after + len(shown)
        return {"messages": list(shown), "next": end if end < len(messages) else None}

    return answer


def test_list_shows_a_row_per_session(serve: Serve, capsys: Captured, tmp_path: Path) -> None:
    rows = [session(message_count=12), session(status="closed", outcome="done", title="日本語")]
    server = serve({"session.list": lambda _: {"sessions": rows, "next_cursor": None}})
    assert run(["session", "list", "--directory", ".", "--status", "open", "--order", "title"]) == 0
    asked = {"working_directory": str(tmp_path), "status": "open", "order": "title", "limit": 100}
    assert server.asked == [("session.list", asked)]
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["#", "ID", "STATUS", "USED", "MSGS", "MODEL", "TITLE"]
    assert first.startswith(f"1  {SESSION_ID}  open ")
    assert "closed (done)" in second
    assert second.endswith("日本語")


def test_show_leaves_out_what_says_nothing(serve: Serve, capsys: Captured) -> None:
    serve({"session.get": lambda _: session(task_ids=["a", "b"])})
    assert run(["session", "show", SESSION_ID]) == 0
    shown = capsys.readouterr().out
    assert "title      The login" in shown
    assert "tasks      a, b" in shown
    assert "alias" not in shown


def test_show_says_where_a_session_was_imported_from_and_leaves_the_importers_notes_out(
    serve: Serve, capsys: Captured
) -> None:
    notes = {"codex": {"at": "2026-11-21T13:07:35.845Z", "told": {"title": "40f3c47e6a11de96"}}}
    serve({"session.get": lambda _: session(metadata={"imported": notes, "mine": 1})})
    assert run(["session", "show", SESSION_ID]) == 0
    shown = capsys.readouterr().out
    assert "from codex, 2026-11-21" in shown
    assert '{"mine": 1}' in shown
    assert "40f3c47e6a11de96" not in shown


def test_links_are_told_apart(serve: Serve, capsys: Captured) -> None:
    serve({"session.link": lambda _: session(task_ids=["a", "b"], projects=["web"])})
    assert run(["session", "link", SESSION_ID, "--task", "b"]) == 0
    assert capsys.readouterr().out == f"{SESSION_ID}: tasks a, b; projects web\n"


def test_tail_shows_the_last_messages_with_their_index(serve: Serve, capsys: Captured) -> None:
    messages = [said(f"message {number}") for number in range(1, 31)]
    server = serve(
        {"session.get": lambda _: session(message_count=30), "session.messages": messages_of(*messages, page=2)}
    )
    assert run(["session", "tail", SESSION_ID, "-n", "3"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "28  user  message 28",
        "29  user  message 29",
        "30  user  message 30",
    ]
    assert [params["after"] for method, params in server.asked if method == "session.messages"] == [27, 29]


def test_tail_with_json_gives_a_message_per_line(serve: Serve, capsys: Captured) -> None:
    messages = [said("a"), said("b", "assistant")]
    serve({"session.get": lambda _: session(message_count=2), "session.messages": messages_of(*messages)})
    assert run(["session", "tail", SESSION_ID, "--json"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == messages


def test_tail_follows_what_comes_until_it_is_interrupted(serve: Serve, capsys: Captured) -> None:
    messages = [said("old")]

    def subscribe(params: dict[str, Any]) -> Following:
        assert params == {"kinds": ["session.*"], "after_seq": 4}
        messages.append(said("new"))
        changed = {"kind": "session.appended", "id": SESSION_ID, "rev": 2, "data": {}}
        event = {"subscription": "s1", "seq": 5, "ts": STAMP, "events": [changed]}
        return Following({"subscription": "s1", "seq": 5}, [event])

    serve(
        {
            "runtime.ping": lambda _: {"pong": True, "seq": 4},
            "session.get": lambda _: session(message_count=1),
            "session.messages": lambda params: messages_of(*messages)(params),  # noqa: PLW0108  messages grow
            "event.subscribe": subscribe,
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("supervisor.cli.session_reading.follow", _first_only)
        assert run(["session", "tail", "-f", SESSION_ID]) == 0
    assert capsys.readouterr().out.splitlines() == ["1  user  old", "2  user  new"]


def _first_only(perdure: Any, after_seq: int, kinds: list[str]) -> Any:
    """As a person who presses Ctrl-C after the first line."""
    lines = follow(perdure, after_seq, kinds)
    yield next(lines)
    lines.close()  # type: ignore[attr-defined] # it is a generator
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "method", "params", "told"),
    [
        (["rename", SESSION_ID, "New"], "session.rename", {"title": "New"}, "The login"),
        (["close", SESSION_ID, "--outcome", "done"], "session.close", {"outcome": "done"}, "open"),
        (["restore", SESSION_ID], "session.restore", {}, "open"),
        (["alias", SESSION_ID, "login"], "session.alias", {"alias": "login"}, "no alias"),
        (["alias", SESSION_ID, "--none"], "session.alias", {"alias": None}, "no alias"),
        (["parent", SESSION_ID, "--none"], "session.parent", {"parent_id": None}, "descends from nobody"),
        (["link", SESSION_ID, "--task", "a", "--task", "b"], "session.link", {"tasks": ["a", "b"]}, "no links"),
        (["unlink", SESSION_ID, "--project", "p"], "session.unlink", {"projects": ["p"]}, "no links"),
    ],
)
def test_a_change_asks_for_it_and_tells_what_came_of_it(
    serve: Serve, capsys: Captured, arguments: list[str], method: str, params: dict[str, Any], told: str
) -> None:
    server = serve({method: lambda _: session()})
    assert run(["session", *arguments]) == 0
    assert server.asked == [(method, {"id": SESSION_ID, **params})]
    assert capsys.readouterr().out == f"{SESSION_ID}: {told}\n"


def test_rm_tells_whether_there_was_anything(serve: Serve, capsys: Captured) -> None:
    other = SESSION_ID.replace("0190", "0191")
    serve({"session.delete": lambda params: {"id": params["id"], "deleted": params["id"] == SESSION_ID}})
    assert run(["session", "rm", SESSION_ID, other]) == 0
    assert capsys.readouterr().out == f"{SESSION_ID}: archived\n{other}: was not there\n"


def test_tree_draws_who_descends_from_whom(serve: Serve, capsys: Captured) -> None:
    def node(name: str, *children: Any) -> dict[str, Any]:
        return {"session": session(alias=name, title=f"title of {name}"), "children": list(children)}

    forest = {"roots": [node("a", node("b", node("c")), node("d")), node("e")]}
    serve({"session.tree": lambda _: forest})
    assert run(["session", "tree"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0].rstrip() for line in lines[1:2]] == ["a"]
    assert [line[: line.index(" ", 3)].rstrip() for line in lines[2:5]] == ["├─ b", "│  └─", "└─ d"]
    assert "└─ c" in lines[3]
    assert lines[5].startswith("e ")


def test_sweep_tells_what_it_labelled(serve: Serve, capsys: Captured) -> None:
    changed = [{"id": SESSION_ID, "from": "active", "to": "idle"}]
    server = serve({"session.sweep": lambda _: {"changed": changed}})
    assert run(["session", "sweep", "--idle-days", "3", "--dry-run"]) == 0
    assert server.asked == [("session.sweep", {"idle_days": 3.0, "dry_run": True})]
    assert capsys.readouterr().out == f"1 session would be labelled\n{SESSION_ID}  active → idle\n"


def test_find_asks_for_what_is_given_and_numbers_what_it_finds(serve: Serve, capsys: Captured) -> None:
    server = serve({"session.find": lambda _: {"sessions": [session()]}, "session.get": lambda _: session()})
    assert run(["session", "find", "login", "--task", "t1", "--branch", "main"]) == 0
    asked = {"text": "login", "task_id": "t1", "branch": "main", "limit": 100}
    assert server.asked == [("session.find", asked)]
    assert SESSION_ID in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["show"],
        ["show", "a", "b"],
        ["rename", "x"],
        ["rename", "--last"],
        ["alias", SESSION_ID],
        ["alias", SESSION_ID, "7"],
        ["link", SESSION_ID],
    ],
)
def test_what_is_missing_is_a_mistake_of_the_command_line(serve: Serve, capsys: Captured, arguments: list[str]) -> None:
    server = serve({})
    assert run(["session", *arguments]) == 2
    assert server.asked == []


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_tail_says_which_messages_are_lost_and_numbers_the_others_rightly(
    serve: Serve, capsys: Captured, options: list[str]
) -> None:
    page = {"messages": [{"content": "four"}, {"content": "seven"}], "next": None, "missing": [[5, 6], [8, 8]]}
    server = serve({"session.get": lambda _: session(message_count=8), "session.messages": lambda _: page})
    assert run(["session", "tail", SESSION_ID, "-n", "5", *options]) == 0
    assert server.asked[-1][1]["after"] == 3
    told = capsys.readouterr()
    lost = "lost: the session's file is damaged; perdure doctor tells more"
    assert told.err == f"messages 5 to 6 are {lost}\nmessage 8 is {lost}\n"
    if not options:
        assert [line.split()[0] for line in told.out.splitlines()] == ["4", "7"]
    else:
        assert len(told.out.splitlines()) == 2


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"role": "user", "content": "hello"}, "hello"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "tool_use", "name": "Bash"}]}, "a\n[tool_use Bash]"),
        ({"type": "user", "message": {"content": "inside"}}, "inside"),
        ({"role": "tool", "n": 1}, '{"n": 1}'),
        ({"content": ["plain", 5]}, "plain\n5"),
        ({"content": "\x1b]0;title\x07x"}, "]0;titlex"),
    ],
)
def test_a_message_of_any_form_has_a_text(message: dict[str, Any], text: str) -> None:
    assert message_text(message) == text
