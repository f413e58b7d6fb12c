"""supervisor/cli/service*.py: what each command asks of the runtime, and what it prints."""

import base64
import json
from typing import Any

import attrs
import pytest

from actors.model.errors import NotFound
from actors.model.service import Service
from supervisor.cli.entry import run
from tests.supervisor.cli.conftest import Serve
from tests.supervisor.cli.rows import STAMP, run_row

Captured = pytest.CaptureFixture[str]


def row(name: str = "codex", **members: Any) -> dict[str, Any]:
    """A service's record."""
    made = Service(id=name, name=name, command="codex", args=("app-server", "two words"))
    return {**json.loads(json.dumps(attrs.asdict(made))), **members}


def test_list_shows_a_row_per_service(serve: Serve, capsys: Captured) -> None:
    rows = [
        row(status="running", pid=4711, started_at=STAMP, endpoint="ws://here", restarts=2),
        row("lost", status="failed", exit_code=3, last_error={"kind": "exit_code", "message": "exit code 3"}),
    ]
    serve({"service.list": lambda _: {"services": rows}})
    assert run(["service", "list"]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["NAME", "STATUS", "PID", "SINCE", "RESTARTS", "ENDPOINT", "COMMAND", "LAST", "ERROR"]
    assert first.split()[:3] == ["codex", "running", "4711"]
    assert "ws://here" in first
    assert second.split()[:3] == ["lost", "failed", "(3)"]


def test_list_says_where_services_come_from_when_there_are_none(serve: Serve, capsys: Captured) -> None:
    serve({"service.list": lambda _: {"services": []}})
    assert run(["service", "list"]) == 0
    assert capsys.readouterr().out == "No services; [services.NAME] configures them.\n"


@pytest.mark.parametrize("word", ["start", "stop", "restart"])
def test_each_command_is_carried_out_for_every_name(serve: Serve, capsys: Captured, word: str) -> None:
    server = serve({f"service.{word}": lambda params: row(params["name"], status="running")})
    assert run(["service", word, "codex", "other"]) == 0
    asked = [(method, params["name"]) for method, params in server.asked]
    assert asked == [(f"service.{word}", "codex"), (f"service.{word}", "other")]
    assert capsys.readouterr().out == "codex: running\nother: running\n"


def test_one_that_is_given_up_fails_the_command_and_says_why(serve: Serve, capsys: Captured) -> None:
    error = {"kind": "failed_to_start", "message": "it did not start: no such command"}
    serve({"service.start": lambda _: row(status="failed", last_error=error)})
    assert run(["service", "start", "codex"]) == 1
    assert capsys.readouterr().out == "codex: failed: it did not start: no such command\n"
    assert run(["service", "start", "codex", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["last_error"] == error


def test_an_unknown_name_is_told_with_those_there_are(serve: Serve, capsys: Captured) -> None:
    def unknown(params: dict[str, Any]) -> dict[str, Any]:
        raise NotFound(f"there is no service {params['name']}", hint="configured are codex")

    serve({"service.stop": unknown, "service.list": lambda _: {"services": [row()]}})
    assert run(["service", "stop", "abcdef"]) == 4  # no id that could be written shorter
    assert "configured are codex" in capsys.readouterr().err
    assert run(["service", "logs", "abcdef"]) == 4
    assert "configured are codex" in capsys.readouterr().err


def test_logs_shows_what_the_present_life_printed(serve: Serve, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    def output(params: dict[str, Any]) -> dict[str, Any]:
        text = "hello\n"[params["offset"] :]
        return {"data": base64.b64encode(text.encode()).decode(), "next_offset": 6, "eof": True}

    server = serve(
        {
            "service.list": lambda _: {"services": [row(run_id="r")]},
            "run.get": lambda params: run_row(params["id"]),
            "run.output": output,
        }
    )
    assert run(["service", "logs", "codex"]) == 0
    assert capfdbinary.readouterr().out == b"hello\n"
    assert ("run.get", {"id": "r"}) in server.asked
