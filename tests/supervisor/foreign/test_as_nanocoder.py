"""supervisor/foreign/as_nanocoder.py: messages of any agent in nanocoder's form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from supervisor.foreign.as_nanocoder import as_nanocoder
from tests.kit.foreign import bodies, sample, sessions_in


def test_nanocoders_own_go_out_as_they_are() -> None:
    for session in sessions_in("nanocoder", sample("nanocoder")):
        kept = bodies(session)
        assert [one for body in kept for one in as_nanocoder(body)] == kept


def test_a_tool_that_claude_called_is_a_tool_call_and_its_result_a_message_of_the_tool() -> None:
    (session,) = [one for one in sessions_in("claude", sample("claude")) if one.file == "edge_cases.jsonl"]
    said = {body["uuid"]: as_nanocoder(body) for body in bodies(session)}
    (call,) = said["edge_004"]
    assert call["tool_calls"][0]["id"] == "tool_edge_001"
    assert call["tool_calls"][0]["function"]["name"] == "FailingTool"
    assert call["tool_calls"][0]["function"]["arguments"]["test_param"].startswith("This tool will fail")
    (result,) = said["edge_005"]
    assert (result["role"], result["tool_call_id"]) == ("tool", "tool_edge_001")
    assert result["content"].startswith("Error: Tool execution failed")


def test_what_codex_called_and_got_is_translated_too() -> None:
    (session,) = sessions_in("codex", sample("codex"))
    messages = [one for body in bodies(session) for one in as_nanocoder(body)]
    assert [one["role"] for one in messages] == ["user", "user", "assistant", "tool"]
    assert messages[2]["tool_calls"] == [{"id": "c1", "function": {"name": "shell", "arguments": {}}}]
    assert messages[3] == {"role": "tool", "content": "ok", "tool_call_id": "c1", "name": "tool"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}]},
        {"role": "user", "content": None},
        {"role": "user", "content": 7},
        {"type": "reasoning", "summary": []},
    ],
)
def test_what_says_nothing_becomes_nothing(body: dict[str, Any]) -> None:
    assert as_nanocoder(body) == []


@pytest.mark.parametrize("kind", ["claude", "codex", "nanocoder"])
def test_every_message_has_the_form_that_nanocoder_loads(kind: str) -> None:
    for session in sessions_in(kind, sample(kind)):
        for body in bodies(session):
            for message in as_nanocoder(body):
                assert message["role"] in {"user", "assistant", "system", "tool"}
                assert isinstance(message["content"], str)
                json.dumps(message)
