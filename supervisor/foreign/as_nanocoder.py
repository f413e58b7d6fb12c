"""
A message as nanocoder has it: `{role, content, tool_calls?, tool_call_id?, name?}`, content being a text.

Messages that are of this form go out as they are, with whatever else they hold. Those of Claude Code and Codex are
translated: a tool that was called becomes a tool call of the assistant, what it gave a message of the tool; what
nanocoder has no place for (thinking, pictures) is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from supervisor.foreign.content import text_of

ROLES: Final = frozenset({"user", "assistant", "system", "tool"})

_CALLS: Final = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_OUTPUTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})


def as_nanocoder(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the messages that one message becomes; none when it says nothing that nanocoder could show."""
    kind, role = _word(body.get("type")), _word(body.get("role"))
    if kind in _CALLS:
        return [_message("assistant", "", [_call(body.get("call_id"), body.get("name"), _arguments(body))])]
    if kind in _OUTPUTS:
        return [_result(body.get("call_id"), body.get("output"))]
    content = body.get("content")
    if "type" not in body and "uuid" not in body and isinstance(content, str) and role in ROLES:
        return [dict(body)]
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    results = [_result(part.get("tool_use_id"), part.get("content")) for part in parts if _is(part, "tool_result")]
    calls = [_call(part.get("id"), part.get("name"), part.get("input")) for part in parts if _is(part, "tool_use")]
    text = text_of(content)
    said = [_message(role if role is not None and role in ROLES else "system", text, calls)] if text or calls else []
    return results + said


def _message(role: str, text: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": role, "content": text}
    if calls:
        message["tool_calls"] = calls
    return message


def _call(call_id: Any, name: Any, arguments: Any) -> dict[str, Any]:
    return {"id": str(call_id or ""), "function": {"name": str(name or "tool"), "arguments": arguments or {}}}


def _result(call_id: Any, output: Any) -> dict[str, Any]:
    text = text_of(output) or ("" if output is None or isinstance(output, list) else _as_text(output))
    return {"role": "tool", "content": text, "tool_call_id": str(call_id or ""), "name": "tool"}


def _arguments(body: Mapping[str, Any]) -> Any:
    """Codex writes arguments as a text that holds JSON, or as an input, or as an action."""
    for name in ("arguments", "input", "action"):
        found = body.get(name)
        if isinstance(found, str):
            try:
                parsed = json.loads(found)
            except (ValueError, RecursionError):
                return {"input": found}
            return parsed if isinstance(parsed, dict) else {"input": found}
        if found is not None:
            return found
    return {}


def _word(value: Any) -> str | None:
    """A member that names something; None when it is no text."""
    return value if isinstance(value, str) else None


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is(part: Mapping[str, Any], kind: str) -> bool:
    return part.get("type") == kind
