"""What a relay remembers of a client, so that a runtime's death costs the client nothing but time."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from supervisor.root.conversation import OWN_ID, Conversation
from tests.kit.spoiled import contents


def line(method: str, call_id: Any = None, **params: Any) -> bytes:
    request = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(request if call_id is None else {**request, "id": call_id}).encode()


def result(call_id: Any, value: Any = None) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": call_id, "result": value}).encode()


def event(subscription: str, seq: int | None) -> bytes:
    params: dict[str, Any] = {"subscription": subscription, "seq": seq, "events": []}
    return json.dumps({"jsonrpc": "2.0", "method": "event", "params": params}).encode()


def output(subscription: str, stream: str, offset: int, data: str, *, eof: bool = False) -> bytes:
    params = {"subscription": subscription, "stream": stream, "offset": offset, "data": data, "eof": eof}
    params["next_offset"] = offset + len(data)
    return json.dumps({"jsonrpc": "2.0", "method": "output", "params": params}).encode()


def sent(conversation: Conversation) -> list[Any]:
    return [json.loads(one) for one in conversation.to_send().splitlines()]


@pytest.fixture
def conversation() -> Conversation:
    conversation = Conversation()
    conversation.connected()
    return conversation


def test_a_query_passes_unchanged_and_is_sent_again_until_it_is_answered(conversation: Conversation) -> None:
    query = b'{ "jsonrpc": "2.0", "id": 1, "method": "task.get", "params": {"id": "x"} }'
    conversation.take_request(query)
    assert conversation.to_send() == query + b"\n"
    assert conversation.to_send() == b""
    assert conversation.lost() == []
    conversation.connected()
    assert conversation.to_send() == query + b"\n"
    reply = result(1, {"id": "x"})
    assert conversation.take_reply(reply) == reply
    assert conversation.over
    assert conversation.unanswered_bytes == 0
    conversation.connected()
    assert conversation.to_send() == b""


def test_a_mutating_request_is_given_one_key_for_all_its_repeats(conversation: Conversation) -> None:
    conversation.take_request(line("task.create", 1, description="x"))
    first = sent(conversation)
    conversation.lost()
    conversation.connected()
    assert sent(conversation) == first
    assert len(first[0]["params"]["idempotency_key"]) == 32
    assert first[0]["params"]["description"] == "x"


def test_a_key_of_the_clients_own_is_kept(conversation: Conversation) -> None:
    request = line("task.create", 1, description="x", idempotency_key="mine")
    conversation.take_request(request)
    assert conversation.to_send() == request + b"\n"


def test_two_requests_have_two_keys(conversation: Conversation) -> None:
    conversation.take_request(line("task.create", 1, description="x"))
    conversation.take_request(line("task.create", 2, description="x"))
    one, other = sent(conversation)
    assert one["params"]["idempotency_key"] != other["params"]["idempotency_key"]


def test_what_is_not_answered_is_sent_again_in_the_order_asked(conversation: Conversation) -> None:
    for number in range(4):
        conversation.take_request(line("task.get", number, id="x"))
    conversation.to_send()
    conversation.take_reply(result(1))
    conversation.take_request(line("task.get", "late", id="x"))
    conversation.lost()
    conversation.connected()
    assert [request["id"] for request in sent(conversation)] == [0, 2, 3, "late"]


def test_two_requests_of_one_id_get_two_replies(conversation: Conversation) -> None:
    conversation.take_request(line("task.get", 1, id="a"))
    conversation.take_request(line("task.get", 1, id="b"))
    conversation.to_send()
    assert conversation.take_reply(result(1, "a")) is not None
    conversation.connected()
    assert [request["params"]["id"] for request in sent(conversation)] == ["b"]
    assert conversation.take_reply(result(1, "b")) is not None
    assert conversation.take_reply(result(1, "c")) is None


def test_a_mutating_notification_is_sent_until_it_is_known_to_have_arrived(conversation: Conversation) -> None:
    conversation.take_request(line("event.record", type="x", message="m"))
    (request,) = sent(conversation)
    assert request["id"].startswith(OWN_ID)
    assert "idempotency_key" in request["params"]
    conversation.connected()
    assert sent(conversation) == [request]
    assert conversation.take_reply(result(request["id"])) is None
    assert conversation.over


def test_a_notification_that_changes_nothing_is_sent_once(conversation: Conversation) -> None:
    notification = line("task.get", id="x")
    conversation.take_request(notification)
    assert conversation.to_send() == notification + b"\n"
    assert conversation.over


@pytest.mark.parametrize("nonsense", [b"nonsense", b'{"a":1,"a":2}', b"[]", b"17", b'{"jsonrpc":"2.0","id":null}'])
def test_what_is_no_request_is_the_runtimes_to_answer(conversation: Conversation, nonsense: bytes) -> None:
    conversation.take_request(nonsense)
    assert conversation.to_send() == nonsense + b"\n"
    reply = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}'
    assert conversation.take_reply(reply) == reply
    assert conversation.over


def test_a_refusal_that_nobody_asked_for_is_not_the_clients(conversation: Conversation) -> None:
    conversation.take_request(line("task.get", 1, id="x"))
    assert conversation.take_reply(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"full"}}') is None
    assert not conversation.over


def test_a_batch_is_kept_as_a_whole_and_its_mutations_are_keyed(conversation: Conversation) -> None:
    batch = [
        {"jsonrpc": "2.0", "id": 1, "method": "task.create", "params": {"description": "x"}},
        {"jsonrpc": "2.0", "method": "event.record", "params": {"type": "x", "message": "m"}},
        {"jsonrpc": "2.0", "id": "q", "method": "task.get", "params": {"id": "x"}},
    ]
    conversation.take_request(json.dumps(batch).encode())
    (first,) = sent(conversation)
    assert [("idempotency_key" in item["params"], item.get("id")) for item in first] == [
        (True, 1),
        (True, None),
        (False, "q"),
    ]
    conversation.connected()
    assert sent(conversation) == [first]
    reply = b"[" + result("q") + b"," + result(1) + b"]"
    assert conversation.take_reply(reply) == reply
    assert conversation.over


def test_a_batch_of_notifications_is_sent_until_it_is_known_to_have_arrived(conversation: Conversation) -> None:
    batch = [{"jsonrpc": "2.0", "method": "event.record", "params": {"type": "x", "message": m}} for m in "ab"]
    conversation.take_request(json.dumps(batch).encode())
    (items,) = sent(conversation)
    conversation.connected()
    assert sent(conversation) == [items]
    assert conversation.take_reply(b"[" + result(items[0]["id"]) + b"]") is None
    assert conversation.over


@pytest.mark.parametrize("method", ["runtime.shutdown", "actor.kill"])
def test_what_must_not_be_done_twice_is_told_lost(conversation: Conversation, method: str) -> None:
    conversation.take_request(line(method, 1))
    conversation.take_request(line("task.get", 2, id="x"))
    conversation.to_send()
    (told,) = conversation.lost()
    assert json.loads(told)["id"] == 1
    assert json.loads(told)["error"]["data"]["kind"] == "connection_lost"
    conversation.connected()
    assert [request["id"] for request in sent(conversation)] == [2]


def test_what_must_not_be_done_twice_and_was_not_sent_is_sent(conversation: Conversation) -> None:
    conversation.take_request(line("actor.restart", 1, name="tasks"))
    assert conversation.lost() == []
    conversation.connected()
    assert [request["id"] for request in sent(conversation)] == [1]


def test_a_subscription_goes_on_after_the_last_seq_seen_under_the_id_that_the_client_knows(
    conversation: Conversation,
) -> None:
    conversation.take_request(line("event.subscribe", 1, after_seq=4, kinds=["task.*"]))
    conversation.to_send()
    conversation.take_reply(result(1, {"subscription": "first", "seq": 9}))
    assert conversation.take_reply(event("first", 5)) == event("first", 5)
    assert conversation.take_reply(event("first", None)) == event("first", None)
    conversation.take_request(line("task.get", 2, id="x"))
    conversation.connected()
    resumed, asked = sent(conversation)
    assert resumed["params"] == {"after_seq": 5, "kinds": ["task.*"]}
    assert asked["id"] == 2
    assert conversation.take_reply(result(resumed["id"], {"subscription": "second", "seq": 9})) is None
    told = conversation.take_reply(event("second", 6))
    assert json.loads(told or b"") == json.loads(event("first", 6))
    conversation.connected()
    conversation.connected()
    assert [request["params"].get("after_seq") for request in sent(conversation)] == [6, None]


def test_a_gap_is_not_told_twice(conversation: Conversation) -> None:
    conversation.take_request(line("event.subscribe", 1))
    conversation.take_reply(result(1, {"subscription": "s", "seq": 9}))
    params = {"subscription": "s", "from": 10, "to": 500}
    conversation.take_reply(json.dumps({"jsonrpc": "2.0", "method": "event.gap", "params": params}).encode())
    conversation.connected()
    assert sent(conversation)[0]["params"]["after_seq"] == 500


def test_each_stream_of_an_output_goes_on_where_the_client_has_seen_it(conversation: Conversation) -> None:
    conversation.take_request(line("output.subscribe", 1, id="r"))
    conversation.to_send()
    conversation.take_reply(result(1, {"subscription": "first"}))
    assert conversation.take_reply(output("first", "stdout", 0, "abc")) == output("first", "stdout", 0, "abc")
    conversation.connected()
    stdout, stderr = sent(conversation)
    assert stdout["params"] == {"id": "r", "stream": "stdout", "offset": 3}
    assert stderr["params"] == {"id": "r", "stream": "stderr", "offset": 0}
    assert conversation.take_reply(result(stdout["id"], {"subscription": "second"})) is None
    assert conversation.take_reply(result(stderr["id"], {"subscription": "third"})) is None
    told = conversation.take_reply(output("third", "stderr", 0, "oh", eof=True))
    assert json.loads(told or b"") == json.loads(output("first", "stderr", 0, "oh", eof=True))
    conversation.take_reply(output("second", "stdout", 3, "d"))
    conversation.connected()
    (again,) = sent(conversation)
    assert again["params"] == {"id": "r", "stream": "stdout", "offset": 4}
    conversation.take_reply(result(again["id"], {"subscription": "fourth"}))
    conversation.take_reply(output("fourth", "stdout", 4, "", eof=True))
    conversation.connected()
    assert sent(conversation) == []


def test_an_output_that_is_wanted_no_more_is_ended_under_all_its_ids(conversation: Conversation) -> None:
    conversation.take_request(line("output.subscribe", 1, id="r"))
    conversation.take_reply(result(1, {"subscription": "first"}))
    conversation.connected()
    for number, resumed in enumerate(sent(conversation)):
        conversation.take_reply(result(resumed["id"], {"subscription": f"now-{number}"}))
    conversation.take_request(line("output.unsubscribe", 2, subscription="first"))
    asked = sent(conversation)
    assert sorted(request["params"]["subscription"] for request in asked) == ["now-0", "now-1"]
    replies = [conversation.take_reply(result(request["id"], {})) for request in asked]
    assert [json.loads(reply)["id"] for reply in replies if reply] == [2]
    conversation.connected()
    assert sent(conversation) == []


def test_an_ended_subscription_is_not_made_again(conversation: Conversation) -> None:
    conversation.take_request(line("event.subscribe", 1))
    conversation.take_reply(result(1, {"subscription": "first", "seq": 9}))
    conversation.connected()
    (resumed,) = sent(conversation)
    assert resumed["params"]["after_seq"] == 9
    conversation.take_reply(result(resumed["id"], {"subscription": "second", "seq": 9}))
    conversation.take_request(line("event.unsubscribe", 2, subscription="first"))
    (ended,) = sent(conversation)
    assert ended["params"] == {"subscription": "second"}
    conversation.take_reply(result(2))
    conversation.connected()
    assert sent(conversation) == []


def test_everybody_who_still_waits_is_answered_at_the_end(conversation: Conversation) -> None:
    conversation.take_request(line("task.get", 1, id="x"))
    conversation.take_request(line("event.record", type="x", message="m"))
    conversation.take_request(b"[" + line("task.get", 2, id="x") + b"," + line("task.get", 3, id="x") + b"]")
    single, batch = map(json.loads, conversation.give_up())
    assert (single["id"], single["error"]["data"]["kind"]) == (1, "shutting_down")
    assert [reply["id"] for reply in batch] == [2, 3]
    assert conversation.over


@given(
    st.lists(st.binary(max_size=60) | contents([line("event.subscribe", 1, after_seq=0), line("task.create", "a")])),
    st.lists(st.binary(max_size=60) | contents([result(1, {"subscription": "s", "seq": 1}), event("s", 2)])),
)
def test_no_line_of_either_side_breaks_it(requests: list[bytes], replies: list[bytes]) -> None:
    conversation = Conversation()
    conversation.connected()
    for request in requests:
        conversation.take_request(request)
    conversation.to_send()
    for reply in replies:
        conversation.take_reply(reply)
    conversation.lost()
    conversation.connected()
    conversation.give_up()
    assert conversation.over
    assert conversation.unanswered_bytes == 0
