"""Frames over a plain socket: batches, notifications, pieces; what is not allowed, and the connection that goes on."""

import base64
import json
from collections.abc import Iterator

import pytest

from tests.kit.perdure import Perdure, Wire, frame, perdure


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    """One Perdure for the whole module, with short limits: nothing here stops it."""
    with perdure(tmp_path_factory.mktemp("frames"), gateway__frame_bytes_max="65536") as one:
        one.start()
        yield one


@pytest.fixture
def wire(whole: Perdure) -> Iterator[Wire]:
    """A new connection for each test."""
    with whole.wire() as connection:
        yield connection


def test_a_notification_is_not_answered_and_takes_effect(wire: Wire) -> None:
    wire.send(frame("task.create", None, id="notified", description="wants no answer"))
    wire.send(frame("task.create", None, id="notified", description="would be refused, and nobody hears it"))
    assert wire.call("task.get", id="notified")["description"] == "wants no answer"


def test_a_batch_is_answered_by_one_array_with_every_wanted_reply(wire: Wire) -> None:
    wire.send(
        b"[%b]\n"
        % b",".join(
            [
                frame("task.create", "a", id="in-a-batch", description="first").strip(),
                frame("task.log", None, id="in-a-batch", message="a notification").strip(),
                frame("task.get", "b", id="in-a-batch").strip(),
                frame("task.get", "c", id="nowhere").strip(),
                b"1",
            ]
        )
    )
    replies = {reply["id"]: reply for reply in wire.reply()}
    assert replies.keys() == {"a", "b", "c", None}
    assert [entry["message"] for entry in replies["b"]["result"]["logs"]] == ["a notification"]
    assert (replies["c"]["error"]["code"], replies[None]["error"]["code"]) == (-32001, -32600)


def test_a_batch_of_notifications_is_not_answered_at_all(wire: Wire) -> None:
    wire.send(b"[" + frame("task.create", None, id="quietly", description="none").strip() + b"]\n")
    assert wire.call("task.get", id="quietly")["rev"] == 1


def test_an_empty_batch_is_an_invalid_request(wire: Wire) -> None:
    wire.send(b"[]\n")
    reply = wire.reply()
    assert (reply["id"], reply["error"]["code"]) == (None, -32600)
    assert wire.call("runtime.ping")["pong"] is True


def test_ids_of_requests_come_back_as_they_were(wire: Wire) -> None:
    for call_id in (0, -7, 2**53, 1.5, "", "a\u2028b", None):
        wire.send(json.dumps({"jsonrpc": "2.0", "id": call_id, "method": "runtime.ping"}).encode() + b"\n")
        reply = wire.reply()
        assert (reply["id"], reply["result"]["pong"]) == (call_id, True)


def test_a_request_may_come_in_pieces_and_two_may_come_at_once(wire: Wire) -> None:
    whole = frame("task.create", 1, id="in-pieces", description="a bit at a time")
    size = len(whole) // 10 + 1
    for start in range(0, len(whole), size):
        wire.send(whole[start : start + size])
    assert wire.reply()["result"]["id"] == "in-pieces"
    wire.send(frame("task.log", 2, id="in-pieces", message="both") + frame("task.get", 3, id="in-pieces"))
    assert [wire.reply()["id"] for _ in range(2)] == [2, 3]


def test_what_is_sent_is_carried_out_in_that_order(wire: Wire) -> None:
    wire.send(
        frame("task.create", 1, id="in-order", description="then")
        + b"".join(frame("task.log", 2 + n, id="in-order", message=f"{n}") for n in range(50))
        + frame("task.get", 99, id="in-order")
    )
    replies = [wire.reply() for _ in range(52)]
    assert [entry["message"] for entry in replies[-1]["result"]["logs"]] == [f"{n}" for n in range(50)]


@pytest.mark.parametrize(
    "text",
    [
        "\u2028\u2029\x85",
        "\r\n",
        "\x1c\x1d\x1e\x0b",
        "\ufeff",
        "\U0001f600",
        "\x00",
        base64.b64encode(b"x" * 9).decode(),
    ],
)
def test_any_text_of_a_string_comes_back_unchanged(text: str, wire: Wire) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "task.create", "params": {"description": f"<{text}>"}}
    wire.send(json.dumps(request, ensure_ascii=False).encode() + b"\n")
    task = wire.reply()["result"]
    assert task["description"] == f"<{text}>"
    assert wire.call("task.get", id=task["id"])["description"] == f"<{text}>"
