"""supervisor/cli/faults.py: the exit code of every kind of error, and one line with what to do next."""

import pytest

from actors.model.errors import ERRORS, InvalidParams, InvalidTransition, NotFound, PerdureError
from supervisor.cli.faults import EXIT_OF_KIND, CommandFailed, Exit, told, with_hint
from supervisor.client.errors import ConnectionLost, NotRunning, TimedOut
from supervisor.config import ConfigError, Violation
from supervisor.root.errors import AlreadyRunning, ExitCode, NotAStateDirectory


def test_every_kind_has_an_exit_code() -> None:
    of_the_client = {error.kind for error in (NotRunning, ConnectionLost, TimedOut)}
    assert set(EXIT_OF_KIND) == {error.kind for error in ERRORS} | of_the_client


def test_the_codes_are_those_of_the_root() -> None:
    shared = ("FINE", "FAILED", "USAGE", "INCOMPATIBLE", "NOT_A_STATE_DIRECTORY", "GAVE_UP")
    assert [int(ExitCode[name]) for name in shared] == [int(Exit[name]) for name in shared]
    assert int(ExitCode.LOCKED) == int(Exit.CONFLICT)


@pytest.mark.parametrize(
    ("error", "line", "exit_code"),
    [
        (NotFound("there is no task t1"), "perdure: there is no task t1 (not_found): check the id", 4),
        (
            InvalidTransition("it is pending", hint="start it"),
            "perdure: it is pending (invalid_transition): start it",
            5,
        ),
        (AlreadyRunning("process 5 already holds /s", pid=5), "perdure: process 5 already holds /s: perdure status", 5),
        (NotAStateDirectory("/s is not a directory"), "perdure: /s is not a directory: name another directory", 7),
        (
            CommandFailed("nothing runs", "perdure up starts it", Exit.NOTHING_RUNS),
            "perdure: nothing runs: perdure up",
            3,
        ),
        (
            ConfigError.of((Violation(source="f", key="a.b", problem="is wrong"),)),
            "perdure: f: a.b: is wrong: correct",
            2,
        ),
        (FileNotFoundError(2, "No such file", "/x"), "perdure: /x: No such file (FileNotFoundError)", 1),
        (
            PermissionError(13, "Permission denied", "/x"),
            "perdure: /x: Permission denied (PermissionError): do it as whom",
            1,
        ),
        (TimedOut("no answer"), "perdure: no answer (timed_out): it may still take effect: perdure status says", 1),
        (ZeroDivisionError("by zero"), "perdure: ZeroDivisionError: by zero (a defect in Perdure): repeat", 1),
    ],
)
def test_an_error_is_told_in_one_line_with_its_code(error: Exception, line: str, exit_code: int) -> None:
    said = told(error)
    assert said.line.startswith(line)
    assert said.exit_code == exit_code
    assert "\n" not in said.line


def test_a_guess_ends_the_sentence_before_the_hint() -> None:
    assert with_hint("there is no s; did you mean status?", "look") == "there is no s; did you mean status? look"
    assert with_hint("there is no s", "look") == "there is no s: look"


def test_a_hint_of_the_runtime_names_a_command_and_not_a_method() -> None:
    line = told(NotFound("there is no task t1", hint="task.list shows what there is")).line
    assert line.endswith("(not_found): perdure task list shows what there is")


@pytest.mark.parametrize(
    ("method", "typed"),
    [
        ("run.list", "perdure runs"),
        ("session.tree", "perdure session tree"),
        ("service.start", "perdure service start"),
    ],
)
def test_each_method_in_a_hint_is_told_as_the_command_of_it(method: str, typed: str) -> None:
    assert told(NotFound("there is none", hint=f"{method} does it")).line.endswith(f": {typed} does it")


def test_a_violation_that_the_message_tells_is_not_told_twice() -> None:
    error = InvalidParams("depends_on: no task x", violations=[{"path": "depends_on[0]", "message": "no task x"}])
    assert told(error).line == "perdure: depends_on: no task x (invalid_params): correct what is named"


def test_all_violations_are_listed() -> None:
    error = InvalidParams(
        "two parameters are wrong",
        violations=[{"path": "id", "message": "too long"}, {"path": "tool", "message": "is empty"}],
    )
    assert "id: too long; tool: is empty" in told(error).line


def test_a_message_from_a_stranger_stays_on_its_line() -> None:
    assert told(PerdureError("a\nb\x1b[2J", hint="c")).line == "perdure: a b [2J (internal): c"


def test_a_kind_of_a_newer_server_is_a_failure() -> None:
    class Newer(PerdureError):
        kind = "newer"

    assert told(Newer("what")).exit_code == Exit.FAILED
