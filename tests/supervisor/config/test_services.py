"""[services.NAME]: what a service may be told, and everything that can be wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.running.tools import Limits
from supervisor.config import ConfigError, from_wire, live_changes, load, masked, to_wire
from supervisor.config.schema import Config
from supervisor.config.services import services_of

NO_ENVIRONMENT: dict[str, str] = {}

WHOLE = """
[services.codex]
command = "codex"
args = ["app-server", "--port", "4711"]
cwd = "/work"
env = { RUST_LOG = "info", API_TOKEN = "t" }
pass_env = ["OPENAI_API_KEY", "NOT_SET"]
mode = "websocket"
endpoint = "ws://127.0.0.1:4711"
strategy = "shared"
restart = "transient"
stop_grace_s = 3
limits = { output_bytes = 1000, files = 64 }
"""


def loaded(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return load(path, environ=NO_ENVIRONMENT, cwd=tmp_path)


def test_none_is_shipped(tmp_path: Path) -> None:
    assert load(environ=NO_ENVIRONMENT, cwd=tmp_path).services == {}


def test_what_is_written_reaches_the_runtime_unchanged(tmp_path: Path) -> None:
    config = loaded(tmp_path, WHOLE)
    handed_over = from_wire(to_wire(config))
    assert handed_over.services == config.services
    codex = services_of(handed_over.services, {"OPENAI_API_KEY": "s", "OTHER": "o"})["codex"]
    assert (codex.command, codex.args, codex.cwd) == ("codex", ("app-server", "--port", "4711"), "/work")
    assert codex.env == {"RUST_LOG": "info", "API_TOKEN": "t", "OPENAI_API_KEY": "s"}
    assert (codex.mode, codex.endpoint, codex.strategy) == ("websocket", "ws://127.0.0.1:4711", "shared")
    assert (codex.restart, codex.stop_grace_s) == ("transient", 3.0)
    assert codex.limits == Limits(linger_s=None, output_bytes=1000, files=64)
    assert codex.tool.argv == ("codex", "app-server", "--port", "4711")


def test_a_command_is_enough(tmp_path: Path) -> None:
    config = loaded(tmp_path, '[services.one]\ncommand = "one"\n')
    one = services_of(config.services, NO_ENVIRONMENT)["one"]
    assert (one.restart, one.stop_grace_s, one.mode, one.endpoint, one.strategy) == (
        "permanent",
        10.0,
        "stdio",
        None,
        "managed",
    )


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    shown = masked(loaded(tmp_path, WHOLE))["services"]["codex"]
    assert (shown["env"]["API_TOKEN"], shown["env"]["RUST_LOG"]) == ("***", "info")


def test_a_change_waits_for_a_restart(tmp_path: Path) -> None:
    assert live_changes(Config(), loaded(tmp_path, WHOLE))[1][-1] == "services"
    assert live_changes(Config(), Config()) == ((), ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[services.x]\nrestart = 'permanent'\n", "command"),
        ("[services.x]\ncommand = ''\n", "services.x.command"),
        ("[services.x]\ncommand = 'a'\nrestrat = 'permanent'\n", "did you mean restart?"),
        ("[services.x]\ncommand = 'a'\nrestart = 'always'\n", "services.x.restart"),
        ("[services.x]\ncommand = 'a'\nargs = 'b'\n", "services.x.args"),
        ("[services.x]\ncommand = 'a'\nstop_grace_s = -1\n", "services.x.stop_grace_s"),
        ("[services.x]\ncommand = 'a'\nlimits = { wall_s = 1 }\n", "services.x.limits"),
        ('[services.x]\ncommand = "a\\u0000"\n', "services.x.command: must not hold NUL"),
        ('[services.x]\ncommand = "a"\nenv = { "A=B" = "c" }\n', "services.x.env.A=B"),
        ("[services.'a b']\ncommand = 'a'\n", "letters, digits, - and _ only"),
        ("[services]\nx = 1\n", "is a service: write [services.x]"),
        ("[service.x]\ncommand = 'a'\n", "did you mean services?"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, text)
    assert said in refused.value.message
