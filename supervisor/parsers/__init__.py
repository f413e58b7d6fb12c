"""What agents print, read as it comes: pure, incremental, harmless whatever the bytes are.

One module per format; `FORMATS` is the table. A parser only notices: the vendor's session id, the last word,
complaints. The bytes themselves are kept elsewhere, whole, whether anything was noticed in them or not.
"""

from __future__ import annotations

from typing import Final

from actors.running.parsing import Parser, ParserOf, TextParser
from supervisor.parsers.claude_stream_json import ClaudeStreamJson
from supervisor.parsers.codex_jsonl import CodexJsonl

FORMATS: Final[dict[str, ParserOf]] = {
    "text": lambda _format: TextParser(),
    "claude-stream-json": lambda _format: ClaudeStreamJson(),
    "codex-jsonl": lambda _format: CodexJsonl(),
}
"""Output format, as the configuration names it → its parser."""


def parser_of(output_format: str) -> Parser:
    """Return a new parser; plain text when the format is not known (the configuration refuses such names)."""
    return FORMATS.get(output_format, FORMATS["text"])(output_format)
