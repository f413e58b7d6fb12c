"""Codex's `exec --json`.

`thread.started` names the session. The last word is `turn.completed`, its text the newest `agent_message`, or
`turn.failed`. A top-level `error` is a complaint ("Reconnecting… 2/5"), fatal only when `turn.failed` or the exit
status says so; an item of type `error` is a remark.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from actors.running.parsing import Noticed, Reported, SessionNamed, Warned
from supervisor.parsers.json_lines import JsonLinesParser, text_of


class CodexJsonl(JsonLinesParser):
    """See `actors.running.parsing.Parser`."""

    def __init__(self) -> None:
        super().__init__()
        self._said: str | None = None

    def look(self, line: dict[str, Any]) -> Iterator[Noticed]:
        """See `JsonLinesParser`."""
        match line.get("type"):
            case "thread.started":
                thread = text_of(line.get("thread_id"))
                if thread is not None:
                    yield SessionNamed(thread)
            case "item.completed":
                item = line.get("item")
                if isinstance(item, dict) and item.get("type") == "agent_message":
                    self._said = text_of(item.get("text")) or self._said
            case "turn.completed":
                yield Reported({"text": self._said, "usage": line.get("usage")})
            case "turn.failed":
                yield Reported({"text": self._said}, _message(line.get("error")) or "the turn failed")
            case "error":
                yield Warned(_message(line) or "the agent complained without saying why")


def _message(value: Any) -> str | None:
    return text_of(value.get("message")) if isinstance(value, dict) else text_of(value)
