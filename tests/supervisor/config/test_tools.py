"""[tools.NAME]: shipped ones, ones of the user's own, and everything that can be wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.running.tools import Tool
from supervisor.config import ConfigError, from_wire, load, to_wire
from supervisor.config.tools import not_installed, told, tools_of

NO_ENVIRONMENT: dict[str, str] = {}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load(written(tmp_path, text), environ=NO_ENVIRONMENT, cwd=tmp_path)
    return refused.value.message


def test_four_tools_are_shipped(tmp_path: Path) -> None:
    tools = tools_of(load(environ=NO_ENVIRONMENT, cwd=tmp_path).tools, NO_ENVIRONMENT)
    assert sorted(tools) == ["CLAUDECODE", "CODEX", "NANOCODER", "SHELL"]
    assert tools["CLAUDECODE"].names_its_sessions
    assert "--verbose" in tools["CLAUDECODE"].argv
    assert tools["SHELL"].needs_argv


def test_a_tool_whose_command_is_not_there_is_found_out_before_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("#!/bin/sh\n")
    (tmp_path / "there").chmod(0o755)
    (tmp_path / "plain").write_text("no program")
    tools = {
        "THERE": Tool(name="THERE", argv=("there",)),
        "ABSOLUTE": Tool(name="ABSOLUTE", argv=(str(tmp_path / "there"),)),
        "TASKS_OWN": Tool(name="TASKS_OWN", argv=("{argv}",)),
        "RELATIVE": Tool(name="RELATIVE", argv=("./gradlew",)),
        "ELSEWHERE": Tool(name="ELSEWHERE", argv=("there",), env={"PATH": "/nowhere"}),
        "PLAIN": Tool(name="PLAIN", argv=("plain",)),
        "GONE": Tool(name="GONE", argv=("/no/such/command",)),
    }
    missing = not_installed(tools, {"PATH": str(tmp_path)})
    assert missing == {"ELSEWHERE": "there", "GONE": "/no/such/command", "PLAIN": "plain"}
    assert told(missing) == "ELSEWHERE (there), GONE (/no/such/command), PLAIN (plain)"


def test_what_is_written_is_laid_over_what_is_shipped_key_by_key(tmp_path: Path) -> None:
    path = written(tmp_path, "[tools.CODEX.limits]\nwall_s = 5\n")
    codex = tools_of(load(path, environ=NO_ENVIRONMENT, cwd=tmp_path).tools, NO_ENVIRONMENT)["CODEX"]
    assert codex.limits.wall_s == 5
    assert codex.limits.silence_s == 600
    assert codex.output == "codex-jsonl"


def test_a_new_name_is_a_new_tool_and_reaches_the_runtime_unchanged(tmp_path: Path) -> None:
    path = written(tmp_path, '[tools.MINE]\nargv = ["mine", "{description}"]\nretry = { exit_codes = [75] }\n')
    config = load(path, environ=NO_ENVIRONMENT, cwd=tmp_path)
    handed_over = from_wire(to_wire(config))
    assert handed_over.tools == config.tools
    assert tools_of(handed_over.tools, NO_ENVIRONMENT)["MINE"].retry.exit_codes == frozenset({75})


def test_variables_are_passed_on_by_name(tmp_path: Path) -> None:
    tools = tools_of(load(environ=NO_ENVIRONMENT, cwd=tmp_path).tools, {"OPENAI_API_KEY": "s", "OTHER": "o"})
    assert tools["CODEX"].env == {"OPENAI_API_KEY": "s"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tools.X]\noutput = 'text'\n", "argv"),
        ("[tools.X]\nargv = []\n", "tools.X.argv"),
        ("[tools.X]\nargv = ['a']\nouptut = 'text'\n", "did you mean output?"),
        ("[tools.X]\nargv = ['a']\noutput = 'xml'\n", "tools.X.output"),
        ("[tools.X]\nargv = ['a', '{descripton}']\n", "did you mean description?"),
        ("[tools.X]\nargv = ['a']\nlimits = { wall_s = -1 }\n", "tools.X.limits.wall_s"),
        ("[tools.X]\nargv = ['a']\nlimits = { silence = 1 }\n", "limits.silence: there is no such key; did you mean"),
        ("[tools.X]\nargv = ['a']\nlimits = { silence = 1 }\n", "did you mean limits.silence_s?"),
        ("[tools.X]\nargv = 'a b'\n", "tools.X.argv"),
        ("[tools]\nX = 1\n", "is a tool: write [tools.X]"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[tools.X]\nargv = []\n", "mine.toml"),
        ("[tools.X]\noutput = 'text'\n", "mine.toml"),
        ("[tools.CODEX]\nlimits = { silence_s = -1 }\n", "mine.toml"),
        ("[tools.CODEX]\nlimits = { silent_s = 1 }\n", "mine.toml"),
    ],
)
def test_what_is_wrong_is_named_with_the_file_that_says_it(tmp_path: Path, text: str, place: str) -> None:
    assert refusal(tmp_path, text).startswith(f"{tmp_path / place}: tools.")


def test_braces_of_other_kinds_are_the_commands_own(tmp_path: Path) -> None:
    path = written(tmp_path, """[tools.X]\nargv = ['jq', '{a: .b}', '{foo}']\n""")
    assert load(path, environ=NO_ENVIRONMENT, cwd=tmp_path).tools["X"]["argv"] == ["jq", "{a: .b}", "{foo}"]
