"""Following an output under trio: every byte once and in order, whatever the connection does."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from actors.model.errors import NotFound
from supervisor.client import NotRunning
from supervisor.client.trio_output import OutputFollower
from tests.kit.scripted_server import Conversation, Script, scripted


def told(stream: str, offset: int, data: str, *, eof: bool = False) -> dict[str, Any]:
    params = {"subscription": "s", "stream": stream, "offset": offset, "data": data, "eof": eof}
    return {"jsonrpc": "2.0", "method": "output", "params": params}


def begin(conversation: Conversation, *streams: str, before: tuple[dict[str, Any], ...] = ()) -> None:
    """Answer the subscriptions to streams; some notifications overtake the last answer."""
    for stream in streams:
        request = conversation.request()
        assert (request["method"], request["params"]["stream"]) == ("output.subscribe", stream)
        if stream == streams[-1]:
            conversation.send(*before)
        conversation.reply(request, {"subscription": "s"})


def page(conversation: Conversation, printed: bytes, at_once: int = 1 << 20, *, is_over: bool = True) -> None:
    """Answer one `run.output`."""
    request = conversation.request()
    assert (request["method"], request["params"]["encoding"]) == ("run.output", "base64")
    offset = request["params"]["offset"]
    data = printed[offset : offset + at_once]
    end = offset + len(data)
    eof = is_over and end == len(printed)
    conversation.reply(request, {"data": base64.b64encode(data).decode(), "next_offset": end, "eof": eof})


async def collected(path: Path, timeout_s: float = 30.0, **offsets: int) -> dict[str, bytes]:
    found = dict.fromkeys(offsets, b"")
    async with OutputFollower(path, "r", offsets=offsets, timeout_s=timeout_s, wait_s=1.0) as pieces:
        async for piece in pieces:
            assert piece.offset == offsets[piece.stream] + len(found[piece.stream])
            found[piece.stream] += piece.data
    return found


async def followed(path: Path, *scripts: Script, **offsets: int) -> tuple[dict[str, bytes], list[Any]]:
    with scripted(path / "perdure.sock", scripts) as requests:
        return await collected(path, **offsets), list(requests)


async def test_both_streams_are_followed_to_their_ends_also_when_news_overtake_the_answer(tmp_path: Path) -> None:
    def talk(conversation: Conversation) -> None:
        begin(conversation, "stderr", "stdout", before=(told("stderr", 0, "oh", eof=True), told("stdout", 0, "hé")))
        conversation.send(told("stdout", 3, "llo"), told("stdout", 1, "élloW"), told("stdout", 7, "", eof=True))
        conversation.wait_until_closed()

    found, _requests = await followed(tmp_path, talk, stdout=0, stderr=0)
    assert found == {"stdout": "hélloW".encode(), "stderr": b"oh"}


async def test_bytes_that_are_no_text_are_read_as_they_are_page_by_page(tmp_path: Path) -> None:
    printed = b"a\xff\xfe\xc3\xa9b"

    def talk(conversation: Conversation) -> None:
        begin(conversation, "stdout")
        conversation.send(told("stdout", 0, "a\ufffd\ufffd"))
        page(conversation, printed, 2, is_over=False)
        page(conversation, printed, 3, is_over=False)
        page(conversation, printed, 1)
        conversation.send(told("stdout", 3, "éb"), told("stdout", 6, "\ufffd", eof=True))
        page(conversation, printed + b"\xc3")
        conversation.wait_until_closed()

    found, _requests = await followed(tmp_path, talk, stdout=0)
    assert found == {"stdout": printed + b"\xc3"}


async def test_after_a_lost_connection_it_goes_on_at_the_byte_where_it_was(tmp_path: Path) -> None:
    def first(conversation: Conversation) -> None:
        begin(conversation, "stderr", "stdout")
        conversation.send(told("stdout", 0, "abc"), told("stderr", 0, "", eof=True))

    def second(conversation: Conversation) -> None:
        begin(conversation, "stdout")
        conversation.send(told("stdout", 3, "d\ufffd"))
        conversation.request()  # lost while it reads

    def third(conversation: Conversation) -> None:
        assert conversation.request()["method"] == "output.subscribe"  # lost before the answer

    def fourth(conversation: Conversation) -> None:
        begin(conversation, "stdout")
        conversation.send(told("stdout", 3, "def", eof=True))
        conversation.wait_until_closed()

    found, requests = await followed(tmp_path, first, second, third, fourth, stdout=0, stderr=0)
    assert found == {"stdout": b"abcdef", "stderr": b""}
    asked = [(one["params"]["stream"], one["params"]["offset"]) for one in requests if "sub" in one["method"]]
    assert asked == [("stderr", 0), ("stdout", 0), ("stdout", 3), ("stdout", 3), ("stdout", 3)]


async def test_a_run_that_is_not_there_is_told(tmp_path: Path) -> None:
    def refuse(conversation: Conversation) -> None:
        conversation.refuse(conversation.request(), -32001, "not_found")
        conversation.wait_until_closed()

    with scripted(tmp_path / "perdure.sock", [refuse]), pytest.raises(NotFound):
        await collected(tmp_path, stdout=0)


async def test_a_perdure_that_does_not_come_back_is_told(tmp_path: Path) -> None:
    def leave(conversation: Conversation) -> None:
        begin(conversation, "stdout")
        (tmp_path / "perdure.sock").unlink()

    with scripted(tmp_path / "perdure.sock", [leave]), pytest.raises(NotRunning):
        await collected(tmp_path, timeout_s=0.2, stdout=0)
