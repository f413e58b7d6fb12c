"""supervisor/cli/task*.py: what each command asks of the runtime, what it prints, and how it ends."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.model.errors import AlreadyExists, Conflict, InvalidParams, InvalidTransition, NotFound
from supervisor.cli.entry import run
from tests.supervisor.cli.conftest import Serve
from tests.supervisor.cli.rows import entry, run_row, task

Captured = pytest.CaptureFixture[str]


def answered_row(params: dict[str, Any]) -> dict[str, Any]:
    return task(**params)


def test_add_prints_the_id_alone_so_that_scripts_can_take_it(serve: Serve, capsys: Captured) -> None:
    server = serve({"task.create": lambda _: task("task_1")})
    assert run(["task", "add", "Fix the login"]) == 0
    assert capsys.readouterr().out == "task_1\n"
    assert server.asked == [("task.create", {"description": "Fix the login"})]


def test_add_tells_when_the_id_is_another_than_was_asked_for(serve: Serve, capsys: Captured) -> None:
    serve({"task.create": lambda _: task("ab")})
    assert run(["task", "add", "Fix the login", "--id", "a/b"]) == 0
    said = capsys.readouterr()
    assert said.out == "ab\n"
    assert "The task is called ab" in said.err


def test_add_says_everything_that_was_given(serve: Serve, capsys: Captured) -> None:
    server = serve({"task.create": answered_row})
    options = ["--id", "a", "--tool", "CODEX", "--priority", "0", "--session", "s", "--max-attempts", "5"]
    more = ["--depends-on", "b", "--depends-on", "c", "--metadata", '{"n": 1}', "--json"]
    assert run(["task", "add", "Do it", *options, *more]) == 0
    given: dict[str, Any] = {
        "description": "Do it",
        "id": "a",
        "tool": "CODEX",
        "priority": 0,
        "session_id": "s",
        "max_attempts": 5,
        "depends_on": ["b", "c"],
        "metadata": {"n": 1},
    }
    assert server.asked == [("task.create", given)]
    assert json.loads(capsys.readouterr().out) == task(**given)


def test_a_description_can_come_from_standard_input(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve({"task.create": answered_row})
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\n"))
    assert run(["task", "add", "-"]) == 0
    assert server.asked == [("task.create", {"description": "one\ntwo"})]


def test_list_asks_with_its_filters_and_shows_a_row_per_task(serve: Serve, capsys: Captured) -> None:
    rows = [task("a", status="running"), task("b", description="two\nlines\x1b[2J")]
    server = serve({"task.list": lambda _: {"tasks": rows, "next_cursor": None}})
    assert run(["task", "list", "--status", "running", "--tool", "CODEX", "--text", "log"]) == 0
    asked = {"status": "running", "tool": "CODEX", "text": "log", "limit": 100}
    assert server.asked == [("task.list", asked)]
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["ID", "STATUS", "AGE", "DESCRIPTION"]
    assert first.split()[:2] == ["a", "running"]
    assert second.endswith("two lines [2J")


def test_columns_appear_when_a_task_has_something_to_say_in_them(serve: Serve, capsys: Captured) -> None:
    serve({"task.list": lambda _: {"tasks": [task("a", tool="CODEX", priority=0)], "next_cursor": None}})
    assert run(["task", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["ID", "STATUS", "PRI", "TOOL", "AGE", "DESCRIPTION"]


def test_an_empty_list_says_so(serve: Serve, capsys: Captured) -> None:
    serve({"task.list": lambda _: {"tasks": [], "next_cursor": None}})
    assert run(["task", "list"]) == 0
    assert capsys.readouterr().out == "No tasks.\n"


def test_list_goes_on_to_the_next_pages_when_all_are_wanted(serve: Serve, capsys: Captured) -> None:
    pages = {None: ("c1", ["a"]), "c1": ("c2", ["b"]), "c2": (None, ["c"])}

    def page(params: dict[str, Any]) -> dict[str, Any]:
        following, ids = pages[params.get("cursor")]
        return {"tasks": [task(id_) for id_ in ids], "next_cursor": following}

    server = serve({"task.list": page})
    assert run(["task", "list", "--all", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert ([row["id"] for row in shown["tasks"]], shown["more"]) == (["a", "b", "c"], False)
    assert [params["limit"] for _, params in server.asked] == [1000, 1000, 1000]


def test_list_says_when_there_are_more_than_it_shows(serve: Serve, capsys: Captured) -> None:
    server = serve({"task.list": lambda _: {"tasks": [task("a"), task("b")], "next_cursor": "more"}})
    assert run(["task", "list", "--limit", "2"]) == 0
    assert server.asked == [("task.list", {"limit": 2})]
    assert "first 2; --limit N or --all" in capsys.readouterr().err


def test_show_tells_everything_and_the_log(serve: Serve, capsys: Captured) -> None:
    row = task(
        "a",
        status="failed",
        error={"kind": "tests", "message": "two failed"},
        logs=[entry("begun"), entry("it broke\nbadly", "error")],
        log_count=7,
        metadata={"branch": "main"},
        blocked_by=[],
    )
    server = serve({"task.get": lambda _: row})
    assert run(["task", "show", "a"]) == 0
    assert server.asked == [("task.get", {"id": "a"})]
    shown = capsys.readouterr().out
    for line in ("status       failed", "error        tests: two failed", '"branch": "main"', "attempts     0 of 3"):
        assert line in shown
    assert "Log (the newest 2; 5 older in logs/task_a.log)" in shown
    assert shown.splitlines()[-1].strip() == "badly"


def test_show_tells_what_became_of_each_try_of_a_task_that_a_tool_carries_out(serve: Serve, capsys: Captured) -> None:
    runs = [
        run_row(attempt=2, status="queued"),
        run_row(attempt=1, status="exited", exit_code=3, error={"kind": "exit_code", "message": "exit code 3"}),
    ]
    server = serve(
        {"task.get": lambda _: task("a", tool="CODEX"), "run.list": lambda _: {"runs": runs, "next_cursor": None}}
    )
    assert run(["task", "show", "a"]) == 0
    assert server.asked[-1] == ("run.list", {"task_id": "a", "limit": 5})
    waiting, failed = capsys.readouterr().out.splitlines()[-2:]
    assert waiting.split()[1:3] == ["2", "queued"]
    assert failed.split()[1:4] == ["1", "exited", "(3)"]
    assert failed.endswith("exit code 3")
    assert run(["task", "show", "a", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == task("a", tool="CODEX")


def test_a_task_that_waits_for_a_failed_one_says_so(serve: Serve, capsys: Captured) -> None:
    serve({"task.get": lambda _: task("a", blocked_by=["b"])})
    assert run(["task", "show", "a"]) == 0
    shown = capsys.readouterr().out
    assert "pending (blocked)" in shown
    assert "blocked by   b\n" in shown


@pytest.mark.parametrize(
    ("arguments", "method", "params"),
    [
        (["start", "a"], "task.start", {}),
        (["done", "a"], "task.complete", {}),
        (["done", "a", "--result", '{"n": 1}', "--lease", "7"], "task.complete", {"result": {"n": 1}, "lease": 7}),
        (["done", "a", "--result", "fine"], "task.complete", {"result": "fine"}),
        (["fail", "a", "it broke"], "task.fail", {"error": "it broke"}),
        (["fail", "a", "b", "--kind", "k"], "task.fail", {"error": {"kind": "k", "message": "b"}}),
        (["cancel", "a", "--reason", "why"], "task.cancel", {"reason": "why"}),
        (["reopen", "a"], "task.reopen", {}),
    ],
)
def test_a_change_asks_for_it_and_tells_the_new_status(
    serve: Serve, capsys: Captured, arguments: list[str], method: str, params: dict[str, Any]
) -> None:
    server = serve({method: lambda _: task("a", status="running")})
    assert run(["task", *arguments]) == 0
    assert server.asked == [(method, {"id": "a", **params})]
    assert capsys.readouterr().out == "a: running\n"


def test_rm_tells_what_is_gone(serve: Serve, capsys: Captured) -> None:
    serve({"task.delete": lambda params: {"id": params["id"], "rev": 2, "deleted": True}})
    assert run(["task", "rm", "a", "b"]) == 0
    assert capsys.readouterr().out == "a: deleted\nb: deleted\n"


def test_what_one_id_refuses_does_not_keep_the_others_from_it(serve: Serve, capsys: Captured) -> None:
    def start(params: dict[str, Any]) -> dict[str, Any]:
        if params["id"] == "b":
            raise NotFound("there is no task b")
        return task(params["id"], status="running")

    serve({"task.start": start})
    assert run(["task", "start", "a", "b", "c"]) == 4
    told = capsys.readouterr()
    assert told.out == "a: running\nc: running\n"
    assert told.err.startswith("perdure: there is no task b (not_found): ")


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [(NotFound("no"), 4), (AlreadyExists("no"), 5), (InvalidTransition("no"), 5), (InvalidParams.of("id", "no"), 2)],
)
def test_a_refusal_ends_with_the_code_of_its_kind(
    serve: Serve, capsys: Captured, error: Exception, exit_code: int
) -> None:
    def refuse(_: dict[str, Any]) -> None:
        raise error

    serve({"task.create": refuse})
    assert run(["task", "add", "x"]) == exit_code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1


def test_log_adds_an_entry(serve: Serve, capsys: Captured) -> None:
    server = serve({"task.log": lambda _: {"id": "a", "rev": 3, "log_count": 9}})
    assert run(["task", "log", "a", "half of it", "--level", "warning", "--type", "agent"]) == 0
    assert server.asked == [("task.log", {"id": "a", "message": "half of it", "level": "warning", "type": "agent"})]
    assert capsys.readouterr().out == "a: entry 9\n"


def test_log_without_a_message_shows_the_log(serve: Serve, capsys: Captured) -> None:
    serve({"task.get": lambda _: task("a", logs=[entry("begun")])})
    assert run(["task", "log", "a"]) == 0
    assert capsys.readouterr().out.endswith("info  user  begun\n")
    assert run(["task", "log", "a", "--level", "error"]) == 2


def test_edit_with_options_changes_the_members_named(serve: Serve, capsys: Captured) -> None:
    server = serve({"task.update": lambda params: task("a", rev=4)})
    options = ["--priority", "0", "--tool", "", "--depends-on", "", "--if-rev", "3", "--description", "new"]
    assert run(["task", "edit", "a", *options]) == 0
    changes: dict[str, Any] = {"priority": 0, "tool": None, "depends_on": [], "description": "new", "if_rev": 3}
    assert server.asked == [("task.update", {"id": "a", **changes})]
    assert capsys.readouterr().out == "a: rev 4\n"


def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Make a Python program the editor; `path` is the file to edit, `draft` what it holds."""
    script = tmp_path / "editor.py"
    head = "import json, pathlib, sys\npath = pathlib.Path(sys.argv[1])\ndraft = json.loads(path.read_text())\n"
    script.write_text(head + program)
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)


SAVES = "draft['priority'] = 1\npath.write_text(json.dumps(draft))"


def test_edit_without_options_saves_what_the_editor_changed(
    serve: Serve, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(tmp_path, monkeypatch, SAVES)
    server = serve({"task.get": lambda _: task("a", rev=3), "task.update": lambda _: task("a", rev=4)})
    assert run(["task", "edit", "a"]) == 0
    assert server.asked[-1] == ("task.update", {"id": "a", "priority": 1, "if_rev": 3})
    assert capsys.readouterr().out == "a: rev 4\n"
    assert not list(tmp_path.glob("perdure-*"))


def test_an_editor_that_changes_nothing_changes_nothing(
    serve: Serve, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(tmp_path, monkeypatch, "pass")
    server = serve({"task.get": lambda _: task("a")})
    assert run(["task", "edit", "a"]) == 0
    assert [method for method, _ in server.asked] == ["task.get"]
    assert capsys.readouterr().out == "Nothing was changed.\n"


def test_a_change_by_somebody_else_is_told_and_the_text_is_kept(
    serve: Serve, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def conflict(_: dict[str, Any]) -> None:
        raise Conflict("task a has rev 4, not 3")

    editor(tmp_path, monkeypatch, SAVES)
    serve({"task.get": lambda _: task("a", rev=3), "task.update": conflict})
    assert run(["task", "edit", "a"]) == 5
    told = capsys.readouterr().err
    assert "somebody else changed task a while you edited it: nothing was changed; your text is kept in" in told
    kept = Path(told.split("kept in ")[1].strip())
    assert json.loads(kept.read_text())["priority"] == 1


@pytest.mark.parametrize(
    "program", ["path.write_text('{')", "path.write_text('[]')", 'path.write_text(\'{"status": "completed"}\')']
)
def test_a_text_that_is_no_task_is_kept(
    serve: Serve, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    editor(tmp_path, monkeypatch, program)
    serve({"task.get": lambda _: task("a")})
    assert run(["task", "edit", "a"]) == 2
    assert "your text is kept in" in capsys.readouterr().err


def test_an_editor_that_fails_changes_nothing(
    serve: Serve, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(tmp_path, monkeypatch, "sys.exit(3)")
    serve({"task.get": lambda _: task("a")})
    assert run(["task", "edit", "a"]) == 1
    assert "the editor ended with 3" in capsys.readouterr().err
    assert not list(tmp_path.glob("perdure-*"))


def test_without_an_editor_and_a_terminal_nothing_is_opened(
    serve: Serve, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve({"task.get": lambda _: task("login")})
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    assert run(["task", "edit", "login"]) == 2
    assert "name the members as options" in capsys.readouterr().err


def test_an_editor_that_is_not_there_is_told(serve: Serve, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "no-such-editor")
    serve({"task.get": lambda _: task("a")})
    assert run(["task", "edit", "a"]) == 2
    assert "set EDITOR" in capsys.readouterr().err
