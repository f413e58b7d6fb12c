"""What is noticed in the output of real agents, however it is cut, and in bytes that mean nothing."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.running.parsing import Noticed, Reported, SessionNamed, Warned
from supervisor.parsers import FORMATS, parser_of
from supervisor.parsers.json_lines import JsonLines

SAMPLES = Path(__file__).parents[2] / "samples" / "agent-streams"

CASES = [
    ("claude-stream-ok.jsonl", "claude-stream-json", "aa354c37-104d-4ceb-94b3-8366ba743e36", None),
    ("claude-stream-apierror.jsonl", "claude-stream-json", "4bbc3b9b-96fc-4c79-9e62-8b1a22fa5bd0", "API Error"),
    ("codex-exec-ok.jsonl", "codex-jsonl", "01a1fc9d-a082-7250-ba51-dce81d914763", None),
    ("codex-exec-tool-named-model.jsonl", "codex-jsonl", "01a1fca5-526a-7ea3-a24c-61d8860b42d8", None),
    ("codex-exec-tool-unknown-model.jsonl", "codex-jsonl", "01a1fca5-67a2-7993-ba88-6d6e35efe2c8", None),
]


def noticed_in(data: bytes, output_format: str, *cuts: int) -> list[Noticed]:
    parser = parser_of(output_format)
    found: list[Noticed] = []
    edges = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        found += parser.feed("stdout", data[start:end])
    return [*found, *parser.finish()]


def claude(**members: Any) -> bytes:
    return json.dumps({"type": "result", **members}).encode() + b"\n"


@pytest.mark.parametrize(("file", "output_format", "session", "error"), CASES)
def test_the_samples_give_the_session_and_the_outcome(
    file: str, output_format: str, session: str, error: str | None
) -> None:
    found = noticed_in((SAMPLES / file).read_bytes(), output_format)
    assert found[0] == SessionNamed(session)
    last = found[-1]
    assert isinstance(last, Reported)
    if error is None:
        assert last.error is None
        assert last.result["text"] == "All done."
    else:
        assert last.error is not None
        assert error in last.error


def test_reconnecting_is_a_complaint_and_no_failure() -> None:
    found = noticed_in((SAMPLES / "codex-exec-reconnecting.jsonl").read_bytes(), "codex-jsonl")
    assert [type(one) for one in found] == [SessionNamed, Warned, Warned, Warned, Warned]


@pytest.mark.parametrize(("file", "output_format"), [case[:2] for case in CASES])
def test_the_same_bytes_cut_at_every_place_give_the_same(file: str, output_format: str) -> None:
    data = (SAMPLES / file).read_bytes()
    whole = noticed_in(data, output_format)
    for cut in range(len(data)):
        assert noticed_in(data, output_format, cut) == whole


def test_an_error_with_the_subtype_success_is_a_failure() -> None:
    (found,) = noticed_in(claude(subtype="success", is_error=True, result="API Error: 529"), "claude-stream-json")
    assert found == Reported({"text": "API Error: 529", "subtype": "success"}, "API Error: 529")


def test_another_subtype_is_a_failure_even_without_words() -> None:
    (found,) = noticed_in(claude(subtype="error_during_execution", is_error=False), "claude-stream-json")
    assert isinstance(found, Reported)
    assert found.error == "the agent ended with error_during_execution"


def test_cost_and_usage_are_kept_where_given() -> None:
    line = claude(subtype="success", result="ok", total_cost_usd=0.5, usage={"input_tokens": 1}, secret="no")
    (found,) = noticed_in(line, "claude-stream-json")
    assert isinstance(found, Reported)
    assert found.result == {"text": "ok", "subtype": "success", "total_cost_usd": 0.5, "usage": {"input_tokens": 1}}


def test_a_failed_turn_says_why() -> None:
    data = b'{"type":"turn.failed","error":{"message":"no model"}}\n'
    assert noticed_in(data, "codex-jsonl") == [Reported({"text": None}, "no model")]


def test_a_last_line_without_its_newline_counts() -> None:
    assert noticed_in(b'{"type":"thread.started","thread_id":"t"}', "codex-jsonl") == [SessionNamed("t")]


def test_stderr_is_for_people() -> None:
    parser = parser_of("codex-jsonl")
    assert not parser.feed("stderr", b'{"type":"thread.started","thread_id":"t"}\n')


def test_a_line_beyond_the_limit_is_passed_over_and_the_next_is_read() -> None:
    lines = JsonLines(line_bytes_max=20)
    data = b'{"a":"' + b"x" * 100 + b'"}\n{"b":1}\n'
    assert [found for n in range(len(data)) for found in lines.feed(data[n : n + 1])] == [{"b": 1}]


@pytest.mark.parametrize("output_format", FORMATS)
@given(data=st.binary(max_size=300), cut=st.integers(0, 300))
def test_any_bytes_are_survived(output_format: str, data: bytes, cut: int) -> None:
    assert noticed_in(data, output_format, min(cut, len(data))) == noticed_in(data, output_format)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = st.sampled_from(
    ["type", "session_id", "thread_id", "result", "item", "error", "is_error", "errors", "message"]
)
KINDS = st.sampled_from(["result", "thread.started", "item.completed", "turn.failed", "turn.completed", "error"])


@pytest.mark.parametrize("output_format", FORMATS)
@given(line=st.dictionaries(MEMBERS, VALUES), kind=KINDS)
def test_members_of_any_type_are_survived(output_format: str, line: dict[str, Any], kind: str) -> None:
    for found in noticed_in(json.dumps({**line, "type": kind}).encode() + b"\n", output_format):
        assert not isinstance(found, Reported) or found.error is not None or found.result is not None
