"""supervisor/cli/agent_view.py: what agents print as JSON lines, as people read it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.cli.agent_view import WIDTH_MAX, Readable
from tests.kit.foreign import SAMPLES

STREAMS = SAMPLES / "agent-streams"


def shown(data: bytes, piece_bytes: int | None = None) -> str:
    readable = Readable()
    size = piece_bytes or max(1, len(data))
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join([*(readable.feed(piece) for piece in pieces), readable.finish()]).decode()


def event(**members: Any) -> bytes:
    return json.dumps(members).encode() + b"\n"


def claude(*parts: dict[str, Any], kind: str = "assistant") -> bytes:
    return event(type=kind, message={"role": kind, "content": list(parts)})


def given_back(content: Any, **members: Any) -> bytes:
    return claude({"type": "tool_result", "content": content, **members}, kind="user")


@pytest.mark.parametrize("piece_bytes", [None, 1, 100])
def test_a_conversation_of_claude_reads_as_what_was_said_and_done(piece_bytes: int | None) -> None:
    assert shown((STREAMS / "claude-stream-ok.jsonl").read_bytes(), piece_bytes).splitlines() == [
        "session aa354c37-104d-4ceb-94b3-8366ba743e36, claude-opus-5-5",
        "▸ Bash: echo hi > out.txt; ls",
        "  ↳ claude_ok.err (+2 lines)",
        "All done.",
        "done, 2 turns, 205ms, $0.0004",
    ]


def test_a_conversation_of_codex_reads_as_what_was_said_and_done() -> None:
    lines = shown((STREAMS / "codex-exec-tool-unknown-model.jsonl").read_bytes()).splitlines()
    assert lines[0].startswith("session 01a1fca5")
    assert lines[1].startswith("! Model metadata for `gpt-5` not found.")
    assert lines[2:] == ["▸ command_execution: /bin/bash -lc 'echo hi'", "  ↳ hi", "All done."]


@pytest.mark.parametrize("name", sorted(path.name for path in STREAMS.glob("*.jsonl")))
def test_no_line_of_what_agents_really_print_is_shown_as_json(name: str) -> None:
    assert not [line for line in shown((STREAMS / name).read_bytes()).splitlines() if line.startswith("{")]


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        (claude({"type": "text", "text": "one\n\ntwo"}), "one\n\ntwo\n"),
        (claude({"type": "tool_use", "name": "TodoWrite", "input": {"todos": []}}), "▸ TodoWrite\n"),
        (claude({"type": "thinking", "thinking": "hm"}), ""),
        (given_back("no such file", is_error=True), "  ↳ failed no such file\n"),
        (given_back([{"type": "text", "text": "a\nb"}]), "  ↳ a (+1 line)\n"),
        (given_back(""), "  ↳ nothing\n"),
        (claude({"type": "text", "text": "x"}) + event(type="result", subtype="success", result="x"), "x\ndone\n"),
        (event(type="result", subtype="success", is_error=True, result="API Error"), "API Error\nfailed\n"),
        (event(type="turn.failed", error={"message": "no network"}), "failed: no network\n"),
        (event(type="error", message="Reconnecting... 2/5"), "! Reconnecting... 2/5\n"),
        (claude({"type": "text", "text": "\x1b]0;title\x07x"}), "]0;titlex\n"),
    ],
)
def test_each_kind_of_event_has_its_lines(printed: bytes, told: str) -> None:
    assert shown(printed) == told


@pytest.mark.parametrize(
    "printed",
    [
        b"plain text\n",
        b"half a line",
        b'{"type":"of another world"}\n',
        b'{"no":"type"}\n',
        b'{"type":"assistant"',
        b"{broken\n",
        b'{"type":["assistant"]}\n',
        b"\n\n",
    ],
)
def test_what_is_no_event_of_an_agent_is_shown_as_it_is(printed: bytes) -> None:
    assert shown(printed) == printed.decode()


def test_lines_about_tools_are_short_and_what_is_said_is_not_cut() -> None:
    text = "word " * 200
    printed = claude({"type": "tool_use", "name": "Bash", "input": {"command": text}}, {"type": "text", "text": text})
    tool, said = shown(printed).splitlines()
    assert len(tool) == WIDTH_MAX
    assert tool.endswith("…")
    assert said == text.strip()


ODD = [b'{"type":"assistant","message":7}\n', b'{"type":"user"}\n', b'{"type":"item.started","item":[]}\n']


@given(st.lists(st.binary(max_size=80) | st.sampled_from(ODD)))
def test_any_bytes_are_survived(pieces: list[bytes]) -> None:
    readable = Readable()
    for piece in pieces:
        readable.feed(piece)
    readable.finish()
