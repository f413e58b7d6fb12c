"""Whatever bytes arrive, the wire answers with a typed error or a call; nothing else escapes."""

import json

import hypothesis
from hypothesis import strategies as st

from actors.decisions.batch import Steps
from actors.model.errors import PerdureError
from supervisor.wire import jsonrpc, strict_json, validation
from supervisor.wire.methods import METHODS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@hypothesis.given(st.binary(max_size=60))
def test_any_bytes_are_json_or_a_parse_error(line: bytes) -> None:
    try:
        value = strict_json.loads(line)
    except PerdureError:
        return
    assert value == json.loads(line)


@hypothesis.given(st.sampled_from(sorted(METHODS)), st.data())
def test_any_parameters_become_the_struct_or_violations(name: str, data: st.DataObject) -> None:
    row = METHODS[name]
    names = st.sampled_from([*row.example, *row.params.__struct_fields__, "idempotency_key", "x"])
    params = data.draw(st.dictionaries(names, JSON, max_size=5))
    frame = json.dumps({"jsonrpc": "2.0", "id": 1, "method": name, "params": {**row.example, **params}}).encode()
    try:
        call = jsonrpc.parse(strict_json.loads(frame))
        assert isinstance(call, jsonrpc.Call)
        validation.take_key(row, call.params)
        assert isinstance(validation.validate(row, call.params), row.params | Steps)
    except PerdureError as error:
        refused = json.loads(jsonrpc.failure(b"1", error))["error"]["data"]
    else:
        return
    assert refused["kind"] == "parse_error" or refused["violations"]
