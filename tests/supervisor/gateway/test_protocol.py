"""The protocol over a real socket: framing, batches, ids, errors that leave the connection open."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from supervisor.gateway.outbox import LocalHandler
from tests.kit.gateway_harness import call, create, serving


async def test_a_command_is_answered_under_its_id(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send(create("a", "Implement authentication"))
        reply = await client.reply()
        assert reply["id"] == "a"
        assert reply["result"]["params"]["description"] == "Implement authentication"


@pytest.mark.parametrize("call_id", [0, -1, 2**63, 1.5, "", "a\u2028b", None])
async def test_an_id_of_any_allowed_type_comes_back(tmp_path: Path, call_id: Any) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send(call(call_id=call_id))
        assert (await client.reply())["id"] == call_id


async def test_two_requests_in_one_send_are_both_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send(call(call_id=1), create(2))
        assert set(await client.replies(2)) == {1, 2}


async def test_a_request_may_arrive_one_byte_at_a_time(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        for byte in json.dumps(call()).encode() + b"\n":
            await client.send_bytes(bytes([byte]))
        assert (await client.reply())["id"] == 1


async def test_a_request_may_be_split_over_ten_writes(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        line = json.dumps(create(1, "y" * 2000)).encode() + b"\n"
        for start in range(0, len(line), len(line) // 10):
            await client.send_bytes(line[start : start + len(line) // 10])
            await trio.testing.wait_all_tasks_blocked()
        assert (await client.reply())["result"]["params"]["description"] == "y" * 2000


async def test_line_separators_of_unicode_do_not_split_a_line(tmp_path: Path) -> None:
    text = "a\u2028b\u2029c\x85d\x0be\x1cf\rg"
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send_bytes(json.dumps(create(1, text), ensure_ascii=False).encode() + b"\n")
        assert (await client.reply())["result"]["params"]["description"] == text


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"task.create","params":{"description":NaN}}',
        b'{"jsonrpc":"2.0","id":1,"method":"task.create","params":{"description":"a","description":"b"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"task.create","params":{"description":"\\ud800"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"task.create","params":{"description":"\x00"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"task.create","params":{"description":"a","metadata":{"n":1e999}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"task.create","params":{"description":"a","metadata":{"n":'
        + b"7" * 5000
        + b"}}}",
        b'{"jsonrpc":"2.0","id":1,"method":"task.create","params":{"description":"a","metadata":'
        + b'{"a":' * 130
        + b"1"
        + b"}" * 130
        + b"}}",
        b"[" * 100_000,
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"runtime.ping"}',
        '{"jsonrpc":"2.0","id":1,"method":"runtime.ping"}'.encode("utf-16-le").replace(b"\n", b""),
        b'{"jsonrpc":"2.0","id":1,"method":"runtime.ping"',
        b"\xff\xfe",
        b"hello",
    ],
)
async def test_what_is_not_allowed_json_is_answered_and_the_connection_goes_on(tmp_path: Path, line: bytes) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send_bytes(line + b"\n")
        assert await client.kind() == "parse_error"
        await client.send(call(call_id=2))
        assert (await client.reply())["id"] == 2
        assert not server.actors["tasks"].seen


async def test_all_violations_are_told_at_once_and_nothing_reaches_the_actor(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send(call("task.create", 1, descripton="x", priority="5", max_attempts=1.9))
        error = (await client.reply())["error"]
        paths = {one["path"] for one in error["data"]["violations"]}
        assert error["code"] == -32602
        assert paths == {"description", "descripton", "priority", "max_attempts"}
        assert not server.actors["tasks"].seen


async def test_an_unknown_method_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send(call("task.craete"))
        error = (await client.reply())["error"]
        assert error["code"] == -32601
        assert "task.create" in error["data"]["hint"]


@pytest.mark.parametrize("version", ["1.0", 2, None])
async def test_another_version_of_json_rpc_is_refused(tmp_path: Path, version: Any) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send({**call(call_id=3), "jsonrpc": version})
        reply = await client.reply()
        assert (reply["id"], reply["error"]["code"]) == (3, -32600)


async def test_a_batch_is_answered_as_one_array_without_its_notifications(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        notification = {"jsonrpc": "2.0", "method": "task.create", "params": {"description": "n"}}
        await client.send([create(1), notification, 7, call("no.such", 2), call(call_id=3), call("task.get", 4)])
        replies = await client.reply()
        by_id = {reply["id"]: reply for reply in replies}
        assert set(by_id) == {1, 2, 3, 4, None}
        assert by_id[None]["error"]["code"] == -32600
        assert by_id[2]["error"]["code"] == -32601
        assert by_id[4]["error"]["code"] == -32602
        assert [seen.method for seen in server.actors["tasks"].seen] == ["task.create", "task.create"]


async def test_a_batch_of_notifications_only_is_not_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        notification = {"jsonrpc": "2.0", "method": "task.create", "params": {"description": "n"}}
        await client.send([notification, notification], call(call_id="after"))
        assert (await client.reply())["id"] == "after"
        assert len(server.actors["tasks"].seen) == 2


async def test_an_empty_batch_is_one_error_and_no_array(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send([])
        assert (await client.reply())["error"]["code"] == -32600


async def test_a_batch_of_invalid_items_is_an_array_of_errors(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send([1, 2, 3])
        replies = await client.reply()
        assert [(reply["id"], reply["error"]["code"]) for reply in replies] == [(None, -32600)] * 3


async def test_a_notification_is_carried_out_and_not_answered_even_when_it_fails(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        good = {"jsonrpc": "2.0", "method": "task.create", "params": {"description": "n"}}
        await client.send(good, {**good, "params": {}}, {**good, "method": "no.such"}, call(call_id="after"))
        assert (await client.reply())["id"] == "after"
        assert len(server.actors["tasks"].seen) == 1


async def test_an_actors_error_is_told_with_its_kind(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send(create(1, "!somebody else holds it"))
        error = (await client.reply())["error"]
        assert (error["code"], error["message"]) == (-32004, "somebody else holds it")
        assert error["data"]["kind"] == "conflict"


async def test_a_defect_in_a_handler_is_internal_with_a_crash_id_and_the_connection_goes_on(tmp_path: Path) -> None:
    def broken(_request: object) -> None:
        raise RuntimeError("nobody foresaw this")

    local: dict[str, LocalHandler] = {"runtime.health": broken}
    async with serving(tmp_path, local=local) as server:
        client = await server.client()
        await client.send(call("runtime.health", 1), call(call_id=2))
        replies = await client.replies(2)
        error = replies[1]["error"]
        assert error["code"] == -32603
        assert "nobody foresaw this" not in json.dumps(error)
        assert [crash_id for crash_id, _ in server.crashes] == [error["data"]["crash_id"]]
        assert "result" in replies[2]


async def test_discover_describes_what_is_dispatched(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send(call("rpc.discover"))
        names = [method["name"] for method in (await client.reply())["result"]["methods"]]
        await client.send(*(call(name, name, no_such_parameter=1) for name in names))
        for reply in (await client.replies(len(names))).values():
            paths = {one["path"] for one in reply["error"]["data"]["violations"]}
            assert "no_such_parameter" in paths


async def test_what_was_answered_is_counted_by_method_and_outcome(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        client = await server.client()
        await client.send(create(1), create(2, "!no"), call("no.such", 3), call("task.get", 4))
        await client.replies(4)
        assert server.tally.outcomes == {
            ("task.create", "ok"): 1,
            ("task.create", "conflict"): 1,
            ("(unknown)", "unknown_method"): 1,
            ("task.get", "invalid_params"): 1,
        }
        assert server.tally.bytes_received > 0
        assert server.tally.bytes_sent > 0
