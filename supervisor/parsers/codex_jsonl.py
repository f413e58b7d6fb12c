"""Codex's `exec --json`.

`thread.started` names the session. The last word is `turn.completed`, its text the newest `agent_message`, or
`turn.failed`. A top-level `error` is a complaint ("Reconnecting… 2/5"), fatal only when `turn.failed` or the exit
status says so; an item of type `error` is a remark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from actors.messages.agents import Stream
from actors.running.parsing import Noticed, Reported, SessionNamed, Warned
from supervisor.parsers.json_lines import JsonLines, text_of


class CodexJsonl:
    """See `actors.running.parsing.Parser`."""

    def __init__(self) -> None:
        self._lines = JsonLines()
        self._said: str | None = None

    def feed(self, stream: Stream, data: bytes) -> Sequence[Noticed]:
        """Take bytes; what is told on stderr is for people."""
        if stream != "stdout":
            return ()
        return [noticed for line in self._lines.feed(data) for noticed in self._look(line)]

    def finish(self) -> Sequence[Noticed]:
        """Take the end."""
        return [noticed for line in self._lines.finish() for noticed in self._look(line)]

    def _look(self, line: dict[str, Any]) -> Iterator[Noticed]:
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
