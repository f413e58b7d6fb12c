"""How a command is made of a template."""

from __future__ import annotations

import pytest

from actors.running.tools import SHELL_TOOL, Tool, expanded


def test_placeholders_are_replaced_in_one_pass_and_other_braces_stay() -> None:
    values = {"description": "say {task_id}", "task_id": "t"}
    template = ("do", "--json={}", '{"a":{}}', "{description}", "x{task_id}y{task_id}", "{other}")
    assert expanded(template, values) == ("do", "--json={}", '{"a":{}}', "say {task_id}", "xtyt", "{other}")


def test_the_tasks_own_command_takes_the_place_of_one_whole_argument() -> None:
    assert expanded(("nice", "{argv}"), {}, ("ls", "{task_id}", "")) == ("nice", "ls", "{task_id}", "")
    assert expanded(("a{argv}",), {}, ("ls",)) == ("a{argv}",)


def test_a_placeholder_without_a_value_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        expanded(("{session_id}",), {})


def test_a_tool_knows_what_it_needs() -> None:
    assert SHELL_TOOL.needs_argv
    assert not SHELL_TOOL.names_its_sessions
    assert Tool(name="T", argv=("t", "--id={session_id}")).names_its_sessions
