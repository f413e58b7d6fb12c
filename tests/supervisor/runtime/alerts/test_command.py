"""The alert command: real processes, their input and environment, and what they cannot do to anybody."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import msgspec
import trio

from supervisor.runtime.alerts.command import WAITING_MAX, AlertCommand, CommandSettings
from supervisor.runtime.alerts.standing import Alert

PATIENCE_S = 60.0

ALERT = Alert(name="lag", state="raised", level="warning", message="slow", hint="hurry", since="now")

NOTE = """
import json, os, sys
told = {"input": json.load(sys.stdin), "env": dict(os.environ)}
partial = sys.argv[1] + ".part"
with open(partial, "w") as file:
    json.dump(told, file)
os.rename(partial, sys.argv[1])
"""


@attrs.define
class Log:
    """What was told in the log."""

    told: list[dict[str, Any]] = attrs.field(factory=list)

    def warning(self, message: str, **details: Any) -> None:
        self.told.append({"message": message, **details})

    error = warning


@asynccontextmanager
async def running(log: Log, **environ: str) -> AsyncIterator[AlertCommand]:
    command = AlertCommand(log, {**os.environ, **environ})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(command.run)
        with trio.fail_after(PATIENCE_S):
            yield command
        nursery.cancel_scope.cancel()


def python(code: str, *arguments: str, timeout_s: float = PATIENCE_S) -> CommandSettings:
    return CommandSettings(argv=(sys.executable, "-c", code, *arguments), timeout_s=timeout_s)


async def until_there(path: Path) -> Any:
    there = trio.Path(path)
    while not await there.exists():  # noqa: ASYNC110 - another process makes it
        await trio.sleep(0.01)
    return json.loads(await there.read_text())


async def until_told(log: Log) -> dict[str, Any]:
    while not log.told:  # noqa: ASYNC110 - as above
        await trio.sleep(0.01)
    return log.told[0]


async def test_it_gets_the_alert_as_json_on_its_standard_input(tmp_path: Path) -> None:
    async with running(Log()) as command:
        command.post(ALERT, python(NOTE, str(tmp_path / "told")))
        assert (await until_there(tmp_path / "told"))["input"] == ALERT.as_json()


async def test_its_environment_holds_no_secrets(tmp_path: Path) -> None:
    async with running(Log(), MY_API_TOKEN="sesame", HARMLESS="yes") as command:
        command.post(ALERT, python(NOTE, str(tmp_path / "told")))
        environ = (await until_there(tmp_path / "told"))["env"]
        assert environ["HARMLESS"] == "yes"
        assert "sesame" not in str(environ)


async def test_no_shell_reads_its_arguments(tmp_path: Path) -> None:
    async with running(Log()) as command:
        hostile = str(tmp_path / "$(touch never); told")
        command.post(ALERT, python(NOTE, hostile))
        await until_there(Path(hostile))
        assert [path.name for path in await trio.Path(tmp_path).iterdir()] == ["$(touch never); told"]


async def test_one_that_hangs_is_killed_with_its_children_and_the_next_has_its_turn(tmp_path: Path) -> None:
    log = Log()
    hanging = "import os, sys, time\nos.fork() or open(sys.argv[1], 'w').write(str(os.getpid()))\ntime.sleep(1000)"
    async with running(log) as command:
        command.post(ALERT, python(hanging, str(tmp_path / "child"), timeout_s=1.0))
        command.post(ALERT, python(NOTE, str(tmp_path / "told")))
        await until_there(tmp_path / "told")
        assert "was killed" in (await until_told(log))["problem"]
        assert not _is_alive(int((tmp_path / "child").read_text()))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_one_that_cannot_be_started_or_fails_is_told_in_the_log_and_harms_nothing(tmp_path: Path) -> None:
    log = Log()
    async with running(log) as command:
        command.post(ALERT, CommandSettings(argv=(str(tmp_path / "nothing"),), timeout_s=PATIENCE_S))
        assert "cannot be started" in (await until_told(log))["problem"]
        log.told.clear()
        command.post(ALERT, python("import sys; sys.exit(3)"))
        assert "status 3" in (await until_told(log))["problem"]
        command.post(ALERT, python(NOTE, str(tmp_path / "told")))
        await until_there(tmp_path / "told")


async def test_one_that_does_not_read_its_input_is_no_problem(tmp_path: Path) -> None:
    log = Log()
    async with running(log) as command:
        long = msgspec.structs.replace(ALERT, message="x" * 1_000_000)
        command.post(long, python("import os; os.close(0)"))
        command.post(ALERT, python(NOTE, str(tmp_path / "told")))
        await until_there(tmp_path / "told")
        assert log.told == []


async def test_too_many_that_wait_are_dropped_oldest_first_and_that_is_told() -> None:
    log = Log()
    command = AlertCommand(log, {})
    for number in range(WAITING_MAX + 2):
        command.post(msgspec.structs.replace(ALERT, message=str(number)), python("pass"))
    assert [told["message"] for told in log.told] == ["the alert command is too slow: an alert did not reach it"] * 2
    assert [alert.message for alert, _ in command._waiting] == [str(number) for number in range(2, WAITING_MAX + 2)]


def test_without_a_command_nothing_waits() -> None:
    command = AlertCommand(Log(), {})
    command.post(ALERT, CommandSettings(argv=(), timeout_s=1.0))
    assert not command._waiting
