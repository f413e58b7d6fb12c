"""The table of methods, and what is made from it."""

import json
import subprocess
import sys

import msgspec
import pytest

from actors.messages import records, runs, runtime, services, sessions, tasks
from actors.messages.bounds import Params
from supervisor.wire import openrpc
from supervisor.wire.methods import METHODS
from supervisor.wire.names import MUTATING


def test_the_clients_know_exactly_the_methods_that_mutate() -> None:
    assert {row.name for row in METHODS.values() if row.mutates} == MUTATING


def test_a_method_and_its_struct_have_the_same_name() -> None:
    for row in METHODS.values():
        assert row.params.__name__ == "".join(part.capitalize() for part in row.name.split("."))


def test_every_struct_of_parameters_has_its_row() -> None:
    structs = {
        value
        for module in (tasks, sessions, records, runs, services, runtime)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Params) and value is not Params
    }
    assert structs == {row.params for row in METHODS.values()}


def test_the_openrpc_document_holds_every_method_and_its_parameters() -> None:
    document = json.loads(openrpc.encoded("1.2.3"))
    assert [method["name"] for method in document["methods"]] == list(METHODS)
    for method in document["methods"]:
        row = METHODS[method["name"]]
        names = {param["name"] for param in method["params"]}
        fields = {field.encode_name for field in msgspec.structs.fields(row.params)}
        assert names == fields | ({"idempotency_key"} if row.mutates else set())


def test_every_reference_in_the_openrpc_document_leads_somewhere() -> None:
    document = json.loads(openrpc.encoded("1.2.3"))
    text = json.dumps(document)
    for kind in ("schemas", "errors"):
        for reference in {part.split('"')[0] for part in text.split(f"#/components/{kind}/")[1:]}:
            assert reference in document["components"][kind]


@pytest.mark.parametrize("module", ["trio", "tenacity", "asyncio"])
def test_the_wire_does_not_import(module: str) -> None:
    code = (
        "import sys, supervisor.wire.validation, supervisor.wire.jsonrpc, supervisor.wire.openrpc\n"
        f"sys.exit({module!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
