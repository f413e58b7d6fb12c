"""supervisor/client/output.py: every byte of a run's output, once and in order, whatever the connection does."""

import base64
from pathlib import Path
from typing import Any

import pytest

from actors.model.errors import NotFound
from supervisor.client import Client
from supervisor.client.output import follow_output, read_output
from tests.kit.fake_server import Answer, FakeServer, Following
from tests.kit.scripted_server import Conversation, scripted


def told(stream: str, offset: int, data: str, *, eof: bool = False) -> dict[str, Any]:
    return {"subscription": "s", "stream": stream, "offset": offset, "data": data, "eof": eof}


def following(*notifications: dict[str, Any]) -> Answer:
    """Answer a subscription with those of the notifications that are its stream's."""

    def answer(params: dict[str, Any]) -> Following:
        mine = [one for one in notifications if one["stream"] == params["stream"]]
        return Following({"subscription": "s"}, mine, method="output")

    return answer


def output(printed: bytes) -> Answer:
    """Answer `run.output` from what is printed."""

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        begin, end = params["offset"], params["offset"] + params["limit"]
        data = base64.b64encode(printed[begin:end]).decode()
        return {"data": data, "next_offset": min(end, len(printed)), "eof": end >= len(printed)}

    return answer


def collected(client: Client, **offsets: int) -> dict[str, bytes]:
    found = dict.fromkeys(offsets, b"")
    for piece in follow_output(client, "r", offsets):
        assert piece.offset == offsets[piece.stream] + len(found[piece.stream])
        found[piece.stream] += piece.data
    return found


def test_both_streams_are_followed_to_their_ends(tmp_path: Path) -> None:
    answers = {
        "output.subscribe": following(
            told("stdout", 0, "hé"), told("stdout", 3, "llo"), told("stderr", 0, "oh", eof=True),
            told("stdout", 6, "", eof=True),
        )
    }  # fmt: skip
    with FakeServer(tmp_path, answers) as server, Client(tmp_path) as client:
        assert collected(client, stdout=0, stderr=0) == {"stdout": "héllo".encode(), "stderr": b"oh"}
        assert {method for method, _ in server.asked} == {"output.subscribe"}


def test_bytes_that_are_no_text_are_read_as_they_are(tmp_path: Path) -> None:
    printed = b"a\xff\xfe\xc3\xa9b"
    answers = {
        "output.subscribe": following(
            told("stdout", 0, "a\ufffd\ufffd"), told("stdout", 3, "éb"), told("stdout", 6, "", eof=True)
        ),
        "run.output": output(printed),
    }
    with FakeServer(tmp_path, answers), Client(tmp_path) as client:
        assert collected(client, stdout=0) == {"stdout": printed}


def test_a_replacement_character_that_was_printed_stays_one(tmp_path: Path) -> None:
    printed = "x\ufffdy".encode()
    answers = {"output.subscribe": following(told("stdout", 0, "x\ufffdy", eof=True)), "run.output": output(printed)}
    with FakeServer(tmp_path, answers), Client(tmp_path) as client:
        assert collected(client, stdout=0) == {"stdout": printed}


def test_half_a_character_at_the_end_is_half_a_character(tmp_path: Path) -> None:
    printed = b"ab\xc3"
    answers = {
        "output.subscribe": following(told("stdout", 0, "ab"), told("stdout", 2, "\ufffd", eof=True)),
        "run.output": output(printed),
    }
    with FakeServer(tmp_path, answers), Client(tmp_path) as client:
        assert collected(client, stdout=0) == {"stdout": printed}


def test_after_a_lost_connection_it_goes_on_at_the_byte_where_it_was(tmp_path: Path) -> None:
    def notify(*params: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"jsonrpc": "2.0", "method": "output", "params": one} for one in params]

    def begin(conversation: Conversation) -> None:
        asked = conversation.request()
        replies = [{"jsonrpc": "2.0", "id": one["id"], "result": {"subscription": "s"}} for one in asked]
        conversation.send(replies)

    def first(conversation: Conversation) -> None:
        begin(conversation)
        conversation.send(*notify(told("stdout", 0, "abc"), told("stderr", 0, "", eof=True)))

    def second(conversation: Conversation) -> None:
        begin(conversation)
        conversation.send(*notify(told("stdout", 3, "def"), told("stdout", 6, "", eof=True)))
        conversation.wait_until_closed()

    with scripted(tmp_path / "perdure.sock", [first, second]) as requests, Client(tmp_path) as client:
        assert collected(client, stdout=0, stderr=0) == {"stdout": b"abcdef", "stderr": b""}
        assert [[one["params"] for one in request] for request in requests] == [
            [{"id": "r", "stream": "stderr", "offset": 0}, {"id": "r", "stream": "stdout", "offset": 0}],
            [{"id": "r", "stream": "stdout", "offset": 3}],
        ]


def test_what_was_told_twice_is_given_once(tmp_path: Path) -> None:
    answers = {
        "output.subscribe": following(
            told("stdout", 0, "abc"), told("stdout", 1, "bcd"), told("stdout", 0, "ab"), told("stdout", 4, "", eof=True)
        )
    }
    with FakeServer(tmp_path, answers), Client(tmp_path) as client:
        assert collected(client, stdout=0) == {"stdout": b"abcd"}


def test_a_run_that_is_not_there_is_told(tmp_path: Path) -> None:
    def refuse(_: dict[str, Any]) -> None:
        raise NotFound("there is no run r")

    with (
        FakeServer(tmp_path, {"output.subscribe": refuse}),
        Client(tmp_path) as client,
        pytest.raises(NotFound, match="there is no run r"),
    ):
        collected(client, stdout=0)


def test_reading_gives_what_is_there_now_in_as_many_pages_as_it_takes(tmp_path: Path) -> None:
    printed = bytes(range(256)) * 5000
    with FakeServer(tmp_path, {"run.output": output(printed)}) as server, Client(tmp_path) as client:
        assert b"".join(piece.data for piece in read_output(client, "r", "stderr", 10)) == printed[10:]
        assert len(server.asked) == 3
