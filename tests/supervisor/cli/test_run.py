"""supervisor/cli/run*.py: what `perdure run` asks for, prints and ends with."""

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from actors.model.errors import InvalidParams
from supervisor.cli.entry import run
from tests.kit.fake_server import Answer, FakeServer, Following
from tests.supervisor.cli.conftest import Serve
from tests.supervisor.cli.rows import run_row, task

Captured = pytest.CaptureFixture[bytes]

EXIT_3: dict[str, Any] = {"status": "exited", "exit_code": 3, "error": {"kind": "exit_code", "message": "3"}}
EXIT_0: dict[str, Any] = {"status": "exited", "exit_code": 0}


def one_run(end: dict[str, Any], stdout: bytes = b"", stderr: bytes = b"") -> dict[str, Answer]:
    """What a runtime answers about a run that prints this and ends so."""
    return runs_of_a_task({"r1": (end, stdout, stderr)})


def runs_of_a_task(runs: dict[str, tuple[dict[str, Any], bytes, bytes]]) -> dict[str, Answer]:
    """What a runtime answers about the attempts at one task, one after the other, until the last one is over."""
    over: list[str] = []

    def printed(params: dict[str, Any]) -> bytes:
        _, stdout, stderr = runs[params["id"]]
        return stdout if params["stream"] == "stdout" else stderr

    def subscribe(params: dict[str, Any]) -> Following:
        data, offset = printed(params), params["offset"]
        text = data[offset:].decode("utf-8", "replace")
        told = [{"offset": offset, "data": text, "eof": False}, {"offset": len(data), "data": "", "eof": True}]
        return Following(
            {"subscription": "s"}, [{"subscription": "s", "stream": params["stream"], **one} for one in told], "output"
        )

    def output(params: dict[str, Any]) -> dict[str, Any]:
        data = printed(params)[params["offset"] :]
        return {"data": base64.b64encode(data).decode(), "next_offset": params["offset"] + len(data), "eof": True}

    def get(params: dict[str, Any]) -> dict[str, Any]:
        over.append(params["id"])
        return run_row(params["id"], **runs[params["id"]][0])

    def listed(_: dict[str, Any]) -> dict[str, Any]:
        ids = list(runs)[: len(set(over)) + 1]
        return {"runs": [run_row(ids[-1], attempt=len(ids))], "next_cursor": None}

    return {
        "run.exec": lambda _: run_row(next(iter(runs))),
        "run.start": lambda _: run_row(next(iter(runs))),
        "run.get": get,
        "run.list": listed,
        "run.output": output,
        "output.subscribe": subscribe,
    }


def test_a_command_prints_what_it_prints_and_ends_with_its_status(
    serve: Serve, capfdbinary: Captured, tmp_path: Path
) -> None:
    server = serve(one_run(EXIT_3, b"hello\nhalf a line", b"oh\n"))
    assert run(["run", "--", "make", "-k", "test"]) == 3
    told = capfdbinary.readouterr()
    assert (told.out, told.err) == (b"hello\nhalf a line", b"oh\n")
    assert server.asked[0] == ("run.exec", {"argv": ["make", "-k", "test"], "cwd": str(tmp_path)})


def test_output_that_is_no_text_comes_byte_for_byte(serve: Serve, capfdbinary: Captured) -> None:
    printed = bytes(range(256)) * 100
    serve(one_run(EXIT_0, printed, printed[::-1]))
    assert run(["run", "cat", "picture.png"]) == 0
    told = capfdbinary.readouterr()
    assert (told.out, told.err) == (printed, printed[::-1])


def test_what_stands_behind_the_command_is_the_commands(serve: Serve, tmp_path: Path) -> None:
    server = serve(one_run(EXIT_0))
    assert run(["run", "make", "--json", "-d"]) == 0
    assert server.asked[0] == ("run.exec", {"argv": ["make", "--json", "-d"], "cwd": str(tmp_path)})


def test_options_say_where_how_long_and_with_what(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "a=b")
    server = serve(one_run(EXIT_0))
    options = [
        "--cwd",
        "sub",
        "--env",
        "A=1",
        "--env",
        "B=",
        "--env",
        "OURS",
        "--timeout",
        "2.5",
        "--max-attempts",
        "2",
    ]
    assert run(["run", *options, "true"]) == 0
    given = {"env": {"A": "1", "B": "", "OURS": "a=b"}, "timeout_s": 2.5, "max_attempts": 2}
    assert server.asked[0] == ("run.exec", {"argv": ["true"], "cwd": str(tmp_path / "sub"), **given})


def test_detached_it_prints_the_id_alone(serve: Serve, capfdbinary: Captured) -> None:
    server = serve(one_run(EXIT_0, b"never seen"))
    assert run(["run", "--detach", "sleep", "60"]) == 0
    assert capfdbinary.readouterr().out == b"r1\n"
    assert [method for method, _ in server.asked] == ["run.exec"]
    assert run(["run", "--detach", "--json", "sleep", "60"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["id"] == "r1"


def test_a_tool_carries_out_a_description_as_task_and_run_in_one(
    serve: Serve, capfdbinary: Captured, tmp_path: Path
) -> None:
    batch: Answer = lambda _: {"results": [task("t1"), run_row("r1")]}  # noqa: E731
    server = serve({**one_run(EXIT_0, b"done\n"), "batch.apply": batch})
    assert run(["run", "--tool", "CODEX", "--env", "A=1", "Fix the login"]) == 0
    assert capfdbinary.readouterr().out == b"done\n"
    create, start = server.asked[0][1]["commands"]
    metadata = {"called_from": str(tmp_path), "env": {"A": "1"}}
    id_ = create["params"].pop("id")
    assert create["params"] == {"description": "Fix the login", "tool": "CODEX", "metadata": metadata}
    assert start == {"method": "run.start", "params": {"task_id": id_}}


def test_a_tool_works_where_it_is_told_to(serve: Serve, tmp_path: Path) -> None:
    server = serve({**one_run(EXIT_0), "batch.apply": lambda _: {"results": [task("t1"), run_row("r1")]}})
    assert run(["run", "--tool", "CODEX", "--cwd", "sub", "Fix the login"]) == 0
    assert server.asked[0][1]["commands"][0]["params"]["metadata"] == {"cwd": str(tmp_path / "sub")}


def test_a_task_that_is_there_can_be_run(serve: Serve) -> None:
    server = serve(one_run(EXIT_3))
    assert run(["run", "--task", "fix-login"]) == 3
    assert server.asked[0] == ("run.start", {"task_id": "fix-login"})


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--json", "true"],
        ["--tool", "CODEX"],
        ["--tool", "CODEX", "two", "words"],
        ["--task", "t", "true"],
        ["--task", "t", "--cwd", "/"],
        ["--env", "=x", "true"],
        ["--env", "PERDURE_NOT_SET_HERE", "true"],
        ["--timeout", "0", "true"],
    ],
)
def test_a_wrong_command_line_starts_nothing(serve: Serve, arguments: list[str]) -> None:
    server = serve({})
    assert run(["run", *arguments]) == 2
    assert server.asked == []


def test_further_attempts_are_followed_and_the_last_one_counts(serve: Serve, capfdbinary: Captured) -> None:
    attempts = {"r1": (EXIT_3, b"first\n", b""), "r2": (EXIT_0, b"second\n", b"")}
    serve(runs_of_a_task(attempts))
    assert run(["run", "--max-attempts", "2", "flaky"]) == 0
    assert capfdbinary.readouterr().out == b"first\nsecond\n"


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ({"status": "exited", "signal": 11, "error": {"kind": "signal", "message": "SIGSEGV"}}, 139, b""),
        (
            {"status": "failed_to_start", "error": {"kind": "failed_to_start", "message": "nope is missing"}},
            125,
            b"perdure: run r1 could not start: nope is missing\n",
        ),
        (
            {"status": "timed_out", "signal": 9, "error": {"kind": "wall_time", "message": "5 s"}},
            137,
            b"perdure: run r1 took too long: 5 s\n",
        ),
    ],
)
def test_an_end_that_was_not_the_agents_own_is_told(
    serve: Serve, capfdbinary: Captured, end: dict[str, Any], code: int, said: bytes
) -> None:
    serve(one_run(end))
    assert run(["run", "x"]) == code
    assert capfdbinary.readouterr().err == said


def test_125_is_for_whatever_is_not_the_agents(serve: Serve, capfdbinary: Captured, tmp_path: Path) -> None:
    assert run(["run", "--state-path", str(tmp_path), "true"]) == 125
    assert b"nothing runs in" in capfdbinary.readouterr().err

    def refuse(_: dict[str, Any]) -> None:
        raise InvalidParams.of("task_id", "no such tool")

    serve({"batch.apply": refuse})
    assert run(["run", "--tool", "NOPE", "x"]) == 125
    told = capfdbinary.readouterr()
    assert told.out == b""
    assert told.err.count(b"\n") == 1
    assert b"no such tool" in told.err


def test_ctrl_c_where_nobody_can_be_asked_stops_the_run(serve: Serve, capfdbinary: Captured) -> None:
    stopped: list[bool] = []
    end = {"status": "cancelled", "signal": 15, "error": {"kind": "stopped", "message": "somebody stopped it"}}
    answers = one_run(end, b"begun, ended")

    def subscribe(params: dict[str, Any]) -> Any:
        whole = answers["output.subscribe"](params)
        if stopped:
            return whole
        if params["stream"] == "stdout":
            os.kill(os.getpid(), signal.SIGINT)
        whole.notifications = []
        return whole

    def stop(_: dict[str, Any]) -> dict[str, Any]:
        stopped.append(True)
        return run_row("r1", **end)

    server: FakeServer = serve({**answers, "output.subscribe": subscribe, "run.stop": stop})
    assert run(["run", "sleep", "60"]) == 143
    told = capfdbinary.readouterr()
    assert told.out == b"begun, ended"
    assert told.err == b"perdure: run r1 was stopped: somebody stopped it\n"
    assert ("run.stop", {"id": "r1"}) in server.asked


def test_a_reader_that_goes_away_leaves_the_run_going(
    serve: Serve, capfdbinary: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(one_run(EXIT_0, b"x" * 1_000_000))
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert run(["run", "yes"]) == 141
        monkeypatch.undo()
    assert b"the run goes on: perdure logs -f r1" in capfdbinary.readouterr().err
    assert "run.stop" not in [method for method, _ in server.asked]


SAID = b'{"type":"assistant","message":{"content":[{"type":"text","text":"All done."}]}}\n'


@pytest.mark.parametrize(
    ("tool", "options", "told"),
    [
        ("CLAUDECODE", [], b"All done.\r\nno JSON\r\n"),
        ("CLAUDECODE", ["--raw"], SAID.replace(b"\n", b"\r\n") + b"no JSON\r\n"),
        ("SHELL", [], SAID.replace(b"\n", b"\r\n") + b"no JSON\r\n"),
    ],
)
def test_at_a_terminal_what_a_tool_prints_is_made_readable(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tool: str, options: list[str], told: bytes
) -> None:
    answers = one_run(EXIT_0, SAID + b"no JSON\n")
    serve({**answers, "run.start": lambda _: run_row("r1", tool=tool), "task.get": lambda _: task("t1")})
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal, os.fdopen(theirs, "w") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert run(["run", *options, "--task", "t1"]) == 0
        monkeypatch.undo()
        assert terminal.read(4096) == told


def test_in_a_pipe_what_a_tool_prints_comes_as_it_is(serve: Serve, capfdbinary: Captured) -> None:
    answers = one_run(EXIT_0, SAID)
    serve({**answers, "run.start": lambda _: run_row("r1", tool="CLAUDECODE"), "task.get": lambda _: task("t1")})
    assert run(["run", "--task", "t1"]) == 0
    assert capfdbinary.readouterr().out == SAID
