"""Claude Code's `--output-format stream-json`.

Every line may carry `session_id`; it is taken from whichever comes first, for another line can precede `system/init`.
The last word is the line of type `result`. **`is_error: true` is a failure even with subtype `success`**: so an API
failure looks. Any other subtype than `success` is a failure too (`error_during_execution`: a missing resume id).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from actors.running.parsing import Noticed, Reported, SessionNamed
from supervisor.parsers.json_lines import JsonLinesParser, text_of

KEPT: Final = (
    "subtype",
    "session_id",
    "num_turns",
    "duration_ms",
    "total_cost_usd",
    "usage",
    "terminal_reason",
)
"""Members of the result line that the task's result keeps, beside its text."""


class ClaudeStreamJson(JsonLinesParser):
    """See `actors.running.parsing.Parser`."""

    def __init__(self) -> None:
        super().__init__()
        self._session: str | None = None

    def look(self, line: dict[str, Any]) -> Iterator[Noticed]:
        """See `JsonLinesParser`."""
        session = text_of(line.get("session_id"))
        if session is not None and session != self._session:
            self._session = session
            yield SessionNamed(session)
        if line.get("type") == "result":
            yield _reported(line)


def _reported(line: dict[str, Any]) -> Reported:
    text = text_of(line.get("result"))
    result: dict[str, Any] = {"text": text}
    result.update((name, line[name]) for name in KEPT if name in line)
    failed = line.get("is_error") is True or line.get("subtype") != "success"
    return Reported(result, (text or _why(line)) if failed else None)


def _why(line: dict[str, Any]) -> str:
    errors = line.get("errors")
    first = text_of(errors[0]) if isinstance(errors, list) and errors else None
    return first or f"the agent ended with {text_of(line.get('subtype')) or 'an error'}"
