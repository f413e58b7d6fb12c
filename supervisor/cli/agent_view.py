"""
What agents print as JSON lines, as people read it: what the agent says, a line for each tool and what came of it.

The lines are recognised by what stands in them, those of Claude Code (`stream-json`) and of Codex (`exec --json`); a
line that is neither is shown as it is. Pure functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from supervisor.cli.words import counted, dig, duration, one_line, prose

WIDTH_MAX: Final = 160
"""Characters of a line that tells of a tool; text that the agent says is never cut."""

LINE_BYTES_MAX: Final = 16 << 20
"""A longer line is not looked into."""

TOOL: Final = "▸ "
CAME: Final = "  ↳ "

_TELLING: Final = ("command", "file_path", "path", "pattern", "query", "url", "prompt", "description")
"""Members of a tool's input that say what it is about, the best first."""


class Readable:
    """Makes what an agent prints readable, piece by piece."""

    def __init__(self) -> None:
        self._half = b""
        self._said = ""
        """What the agent said last: its result mostly repeats it."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes; return what the lines that are complete with them tell."""
        *lines, self._half = (self._half + data).split(b"\n")
        told = b"".join(self._line(line, b"\n") for line in lines)
        if len(self._half) > LINE_BYTES_MAX:
            told, self._half = told + self._half, b""
        return told

    def finish(self) -> bytes:
        """Take the end: the last line may lack its newline."""
        half, self._half = self._half, b""
        return self._line(half, b"") if half else b""

    def _line(self, line: bytes, end: bytes) -> bytes:
        lines = self._told(line)
        if lines is None:
            return line + end
        return b"".join(text.encode(errors="replace") + b"\n" for text in lines)

    def _told(self, line: bytes) -> list[str] | None:
        """Return the lines that tell of it; None for what is no event of an agent."""
        if not line.startswith(b"{"):
            return None
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return None
        kind = event.get("type")
        teller = TELLERS.get(kind) if isinstance(kind, str) else None
        if teller is None:
            return None
        told = [text for text in teller(event) if text]
        if kind == "result" and told[:1] == [self._said]:
            del told[0]
        if kind == "assistant" and told:
            self._said = told[-1]
        return told


def _system(event: Mapping[str, Any]) -> Iterator[str]:
    if event.get("subtype") == "init":
        yield _short(f"session {event.get('session_id')}, {event.get('model')}")


def _assistant(event: Mapping[str, Any]) -> Iterator[str]:
    for part in _parts(event):
        if part.get("type") == "text":
            yield prose(str(part.get("text", "")))
        elif part.get("type") == "tool_use":
            yield _short(f"{TOOL}{part.get('name')}{_about(part.get('input'))}")


def _user(event: Mapping[str, Any]) -> Iterator[str]:
    for part in _parts(event):
        if part.get("type") == "tool_result":
            yield _outcome(_text(part.get("content")), is_error=part.get("is_error") is True)


def _result(event: Mapping[str, Any]) -> Iterator[str]:
    text = event.get("result")
    if isinstance(text, str):
        yield prose(text)
    failed = event.get("is_error") is True or event.get("subtype") != "success"
    took_ms, cost = event.get("duration_ms"), event.get("total_cost_usd")
    parts = [
        "failed" if failed else "done",
        f"{event['num_turns']} turns" if "num_turns" in event else "",
        duration(took_ms / 1000) if isinstance(took_ms, int | float) else "",
        f"${cost:.4f}" if isinstance(cost, int | float) else "",
    ]
    yield _short(", ".join(part for part in parts if part))


def _codex_begun(event: Mapping[str, Any]) -> Iterator[str]:
    yield _short(f"session {event.get('thread_id')}")


def _codex_started(event: Mapping[str, Any]) -> Iterator[str]:
    if dig(event, "item", "type") in _ITEMS_SAID:
        return
    yield _short(f"{TOOL}{dig(event, 'item', 'type')}{_about(event.get('item'))}")


def _codex_completed(event: Mapping[str, Any]) -> Iterator[str]:
    kind = dig(event, "item", "type")
    if kind == "error":
        yield _short(f"! {dig(event, 'item', 'message')}")
    elif kind in _ITEMS_SAID:
        yield prose(str(dig(event, "item", "text") or ""))
    else:
        code = dig(event, "item", "exit_code")
        output = dig(event, "item", "aggregated_output")
        yield _outcome(output if isinstance(output, str) else "", is_error=bool(code), code=code)


def _codex_failed(event: Mapping[str, Any]) -> Iterator[str]:
    yield _short(f"failed: {dig(event, 'error', 'message') or event.get('error')}")


def _codex_error(event: Mapping[str, Any]) -> Iterator[str]:
    yield _short(f"! {event.get('message')}")


def _nothing(_event: Mapping[str, Any]) -> Iterator[str]:
    """Tell nothing of an event that only machines want."""
    return iter(())


_ITEMS_SAID: Final = frozenset({"agent_message", "reasoning", "error"})

TELLERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]]] = {
    "system": _system,
    "assistant": _assistant,
    "user": _user,
    "result": _result,
    "stream_event": _nothing,
    "thread.started": _codex_begun,
    "turn.started": _nothing,
    "item.started": _codex_started,
    "item.updated": _nothing,
    "item.completed": _codex_completed,
    "turn.completed": _nothing,
    "turn.failed": _codex_failed,
    "error": _codex_error,
}
"""Type of event → what is told of it."""


def _parts(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    content = dig(event, "message", "content")
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list):
        yield from (part for part in content if isinstance(part, dict))


def _about(value: Any) -> str:
    """What a tool's input says in a few words."""
    if not isinstance(value, dict):
        return ""
    best = next((value[name] for name in _TELLING if isinstance(value.get(name), str)), None)
    return f": {best}" if best is not None else ""


def _outcome(text: str, *, is_error: bool, code: Any = None) -> str:
    """One line of what a tool gave back, and how much more there was."""
    first, *more = prose(text).split("\n")
    rest = f" (+{counted(len(more), 'line')})" if more else ""
    parts = ("failed" if is_error else "", f"({code})" if code else "", one_line(first))
    said = " ".join(part for part in parts if part)
    return f"{CAME}{_cut(said or 'nothing', len(CAME) + len(rest))}{rest}"


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def _short(text: str) -> str:
    indent = len(text) - len(text.lstrip())
    return " " * indent + _cut(one_line(text), indent)


def _cut(text: str, taken: int) -> str:
    width = WIDTH_MAX - taken
    return text if len(text) <= width else f"{text[: width - 1]}…"
