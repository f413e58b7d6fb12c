"""From any line that an agent prints to the journal and back: what becomes a fact is written, read and replayed."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from actors.decisions.runs_ends import Ending, ended
from actors.decisions.runs_life import identified, order, reported, started
from actors.messages import runs as ask
from actors.model.state import Tables, rows_after
from actors.running.checking import checked
from actors.running.parsing import Reported, SessionNamed
from actors.storage.journal_decoding import decode_body, encode_body
from supervisor.parsers import parser_of
from supervisor.wire.strict_json import loads
from tests.kit.decided import Bench
from tests.kit.decided_runs import own

NUMBERS = st.one_of(
    st.integers().map(str),
    st.integers(60, 70).map(lambda bits: str(2**bits)),
    st.integers(60, 70).map(lambda bits: str(-(2**bits))),
    st.floats().map(str),
    st.sampled_from(["1e999", "-0", "-0.0", "1E400", "5e-324", "1" * 400, "NaN", "-Infinity"]),
)
STRINGS = st.one_of(
    st.text(max_size=20).map(json.dumps),
    st.sampled_from(['"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"\\ud83d\\ude00"', '"--resume"', '"\u2028"', '""']),
    st.integers(1, 3).map(lambda times: json.dumps("long" * 30_000 * times)),
)
PLAIN = st.one_of(st.sampled_from(["null", "true", "false", "{}", "[]"]), NUMBERS, STRINGS)
DEEP = st.tuples(st.sampled_from([2, 120, 127, 128, 129, 400, 1100]), st.sampled_from(["[", '{"a":']), PLAIN).map(
    lambda given: given[1] * given[0] + given[2] + ("]" if given[1] == "[" else "}") * given[0]
)
VALUES = st.one_of(PLAIN, DEEP, st.lists(PLAIN, max_size=3).map(lambda items: f"[{','.join(items)}]"))
NAMES = st.one_of(
    st.sampled_from(
        ["type", "subtype", "is_error", "result", "session_id", "usage", "total_cost_usd", "thread_id", "item", "error"]
    ).map(json.dumps),
    STRINGS,
)
TYPES = st.sampled_from(
    [
        '"type":"result","subtype":"success"',
        '"type":"result","subtype":"error","is_error":true',
        '"type":"thread.started"',
        '"type":"turn.completed"',
        '"type":"turn.failed"',
        '"type":"item.completed","item":{"type":"agent_message","text":"said"}',
        '"type":"error"',
    ]
)
MEMBERS = st.lists(st.tuples(NAMES, VALUES).map(":".join), max_size=5)
LINES = st.one_of(
    st.tuples(TYPES, MEMBERS).map(lambda given: "{" + ",".join([given[0], *given[1]]) + "}"),
    st.tuples(TYPES, MEMBERS).map(lambda given: "{" + ",".join([*given[1], given[0]]) + "}"),
    st.text(max_size=30),
).map(lambda text: text.encode("utf-8", "surrogatepass"))
PRINTED = st.lists(st.one_of(LINES, st.binary(max_size=30)), max_size=6).map(b"\n".join)


@given(st.sampled_from(["claude-stream-json", "codex-jsonl"]), PRINTED)
@example("claude-stream-json", b'{"type":"result","subtype":"success","usage":' + b"[" * 900 + b"]" * 900 + b"}")
def test_facts_made_of_any_output_are_written_read_and_replayed(output_format: str, printed: bytes) -> None:
    bench = Bench()
    run_id = bench.do(ask.RunExec(argv=("true",)))["id"]
    own(bench, order, run_id=run_id)
    own(bench, started, run_id=run_id, pid=1, pid_started=2)
    parser = parser_of(output_format)
    for one in checked([*parser.feed("stdout", printed), *parser.finish()]):
        if isinstance(one, SessionNamed):
            own(bench, identified, run_id=run_id, vendor_session_id=one.id)
        elif isinstance(one, Reported):
            own(bench, reported, run_id=run_id, said=one)
    own(bench, ended, run_id=run_id, ending=Ending(happening="exit", exit_code=0))

    replayed = Tables()
    for line in bench.lines:
        body = encode_body(line.ts, line.cmd, line.facts)
        assert b"\n" not in body
        loads(b"{%b}" % body, nesting_max=200)  # no number, no text and no name that a strict reader refuses
        read = decode_body(body, line.seq)
        replayed.absorb(read, rows_after(replayed, read.facts))
    assert encoded(replayed) == encoded(bench.tables)


def encoded(tables: Tables) -> dict[str, Any]:
    return {row.id: row.encoded for name in ("runs", "tasks") for row in tables.by_name[name].rows.values()}
