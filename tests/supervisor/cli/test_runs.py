"""supervisor/cli/{runs,logs,stop}.py and `task add --run`: what each asks of the runtime, and what it prints."""

import base64
import json
from typing import Any

import pytest

from actors.model.errors import NotFound
from supervisor.cli.entry import run
from tests.kit.fake_server import Following
from tests.supervisor.cli.conftest import Serve
from tests.supervisor.cli.rows import RUN_ID, run_row, task

Captured = pytest.CaptureFixture[str]
Bytes = pytest.CaptureFixture[bytes]


def test_runs_are_listed_by_task_and_status(serve: Serve, capsys: Captured) -> None:
    rows = [run_row("b", status="running"), run_row("a", status="exited", exit_code=3)]
    server = serve(
        {"run.list": lambda _: {"runs": rows, "next_cursor": None}, "task.get": lambda params: task(params["id"])}
    )
    assert run(["runs", "--task", "fix-login", "--status", "running", "--limit", "5"]) == 0
    assert server.asked[-1] == ("run.list", {"status": "running", "task_id": "fix-login", "limit": 5})
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["ID", "STATUS", "BEGUN", "TOOK", "TASK", "COMMAND"]
    assert first.split()[:2] == ["b", "running"]
    assert second.startswith("a   exited (3)")
    assert run(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": rows, "more": False}


def test_the_runs_of_a_task_that_was_removed_are_still_there(serve: Serve, capsys: Captured) -> None:
    def gone(_: dict[str, Any]) -> None:
        raise NotFound("there is no task t")

    server = serve({"run.list": lambda _: {"runs": [run_row("a")], "next_cursor": None}, "task.get": gone})
    assert run(["runs", "--task", "t"]) == 0
    assert server.asked[-1] == ("run.list", {"task_id": "t", "limit": 100})
    assert capsys.readouterr().out.splitlines()[1].startswith("a ")


def test_more_runs_than_are_shown_are_told(serve: Serve, capsys: Captured) -> None:
    serve({"run.list": lambda _: {"runs": [run_row("a")], "next_cursor": "more"}})
    assert run(["runs", "--limit", "1"]) == 0
    assert "first 1; --limit N or --all" in capsys.readouterr().err


def read(printed: bytes) -> Any:
    def output(params: dict[str, Any]) -> dict[str, Any]:
        data = printed[params["offset"] : params["offset"] + 5]
        offset = params["offset"] + len(data)
        return {"data": base64.b64encode(data).decode(), "next_offset": offset, "eof": offset >= len(printed)}

    return output


def test_logs_show_the_output_byte_for_byte(serve: Serve, capfdbinary: Bytes) -> None:
    server = serve({"run.get": lambda _: run_row(), "run.output": read(b"binary \xff\x00 and text\n")})
    assert run(["logs", RUN_ID]) == 0
    assert capfdbinary.readouterr().out == b"binary \xff\x00 and text\n"
    assert {params["stream"] for method, params in server.asked if method == "run.output"} == {"stdout"}


def test_logs_can_begin_later_and_show_the_errors(serve: Serve, capfdbinary: Bytes) -> None:
    server = serve({"run.get": lambda _: run_row(), "run.output": read(b"0123456789")})
    assert run(["logs", RUN_ID, "--stderr", "--offset", "4"]) == 0
    assert capfdbinary.readouterr().out == b"456789"
    assert {params["stream"] for method, params in server.asked if method == "run.output"} == {"stderr"}


def test_logs_follow_until_the_run_is_over(serve: Serve, capfdbinary: Bytes) -> None:
    pieces = [(3, "lo ", False), (6, "world\n", False), (12, "", True)]

    def subscribe(params: dict[str, Any]) -> Following:
        told = [
            {"subscription": "s", "stream": params["stream"], "offset": offset, "data": data, "eof": eof}
            for offset, data, eof in pieces
        ]
        return Following({"subscription": "s"}, told, "output")

    server = serve({"run.get": lambda _: run_row(status="running"), "output.subscribe": subscribe})
    assert run(["logs", "-f", "--offset", "3", RUN_ID]) == 0
    assert capfdbinary.readouterr().out == b"lo world\n"
    assert server.asked[-1] == ("output.subscribe", {"id": RUN_ID, "stream": "stdout", "offset": 3})


def no_task(params: dict[str, Any]) -> dict[str, Any]:
    raise NotFound(f"there is no task {params['id']}")


def test_the_end_of_an_id_names_a_run(serve: Serve, capfdbinary: Bytes) -> None:
    def get(params: dict[str, Any]) -> dict[str, Any]:
        if params["id"] != RUN_ID:
            raise NotFound(f"there is no run {params['id']}")
        return run_row()

    serve(
        {
            "run.get": get,
            "run.output": read(b"hi\n"),
            "run.list": lambda params: {"runs": [] if "task_id" in params else [run_row()], "next_cursor": None},
            "task.get": no_task,
        }
    )
    assert run(["logs", RUN_ID[-8:]]) == 0
    assert capfdbinary.readouterr().out == b"hi\n"
    assert run(["logs", "nope"]) == 4


def test_a_task_names_its_newest_run(serve: Serve, capfdbinary: Bytes) -> None:
    def get(params: dict[str, Any]) -> dict[str, Any]:
        raise NotFound(f"there is no run {params['id']}")

    server = serve(
        {
            "run.get": get,
            "run.output": read(b"hi\n"),
            "run.list": lambda _: {"runs": [run_row()], "next_cursor": None},
            "task.get": lambda params: {"id": params["id"]},
        }
    )
    assert run(["logs", "fix-login"]) == 0
    assert capfdbinary.readouterr().out == b"hi\n"
    assert ("run.list", {"task_id": "fix-login", "limit": 1}) in server.asked


def test_stop_waits_and_tells_how_each_run_ended(serve: Serve, capsys: Captured) -> None:
    server = serve({"run.stop": lambda params: run_row(params["id"], status="cancelled")})
    assert run(["stop", "a", "b", "--grace", "2"]) == 0
    assert capsys.readouterr().out == "a: cancelled\nb: cancelled\n"
    assert server.asked == [("run.stop", {"id": "a", "grace_s": 2.0}), ("run.stop", {"id": "b", "grace_s": 2.0})]


def test_a_task_can_be_added_and_run_in_one(serve: Serve, capsys: Captured) -> None:
    server = serve({"batch.apply": lambda _: {"results": [task("t1", tool="CODEX"), run_row("r1")]}})
    assert run(["task", "add", "Fix it", "--tool", "CODEX", "--id", "t1", "--run"]) == 0
    assert capsys.readouterr().out == "t1\n"
    assert server.asked == [
        (
            "batch.apply",
            {
                "commands": [
                    {"method": "task.create", "params": {"description": "Fix it", "tool": "CODEX", "id": "t1"}},
                    {"method": "run.start", "params": {"task_id": "t1"}},
                ]
            },
        )
    ]
    assert run(["task", "add", "Fix it", "--tool", "CODEX", "--run", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["task"]["id"], shown["run"]["id"]) == ("t1", "r1")


def test_a_task_without_a_tool_is_not_run(serve: Serve) -> None:
    server = serve({})
    assert run(["task", "add", "Fix it", "--run"]) == 2
    assert server.asked == []
