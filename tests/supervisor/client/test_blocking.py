"""The blocking client: errors by kind, keys, and what it does when the connection is lost."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.model.errors import ERRORS, Conflict, Overloaded, PerdureError
from supervisor.client import Client, ConnectionLost, NotRunning, TimedOut
from supervisor.wire.faults import UnknownFault
from tests.kit.scripted_server import Conversation, scripted


def answer(result: Any) -> Any:
    """A script: answer one call, then wait for the client to go."""

    def script(conversation: Conversation) -> None:
        conversation.reply(conversation.request(), result)
        conversation.wait_until_closed()

    return script


def hang_up(conversation: Conversation) -> None:
    """A script: take one call and close without an answer."""
    conversation.request()


def test_a_call_returns_its_result(tmp_path: Path) -> None:
    with scripted(tmp_path / "perdure.sock", [answer({"a": 1})]) as requests, Client(tmp_path) as client:
        assert client.call("task.get", id="x") == {"a": 1}
        assert requests[0]["method"] == "task.get"
        assert requests[0]["params"] == {"id": "x"}


def test_a_mutating_call_gets_a_key_and_keeps_its_own(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> None:
        for _ in range(3):
            conversation.reply(conversation.request(), None)
        conversation.wait_until_closed()

    with scripted(tmp_path / "perdure.sock", [script]) as requests, Client(tmp_path) as client:
        client.call("task.create", description="x")
        client.call("task.create", description="x")
        client.call("task.create", description="x", idempotency_key="mine")
        keys = [request["params"]["idempotency_key"] for request in requests]
        assert keys[2] == "mine"
        assert len(set(keys)) == 3


@pytest.mark.parametrize("error", ERRORS, ids=[error.kind for error in ERRORS])
def test_each_kind_of_error_raises_its_own_class(tmp_path: Path, error: type[PerdureError]) -> None:
    def script(conversation: Conversation) -> None:
        conversation.refuse(conversation.request(), error.code, error.kind, extra=1)
        conversation.wait_until_closed()

    with scripted(tmp_path / "perdure.sock", [script]), Client(tmp_path) as client:
        with pytest.raises(error) as caught:
            client.call("task.get", id="x")
        assert caught.value.details["extra"] == 1


def test_a_kind_of_a_newer_server_raises_a_general_error(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> None:
        conversation.refuse(conversation.request(), -32099, "brand_new", retryable=True)
        conversation.wait_until_closed()

    with scripted(tmp_path / "perdure.sock", [script]), Client(tmp_path) as client:
        with pytest.raises(UnknownFault) as caught:
            client.call("task.get", id="x")
        assert (caught.value.kind, caught.value.retryable) == ("brand_new", True)


def test_after_a_lost_connection_the_call_is_sent_again_with_the_same_key(tmp_path: Path) -> None:
    with (
        scripted(tmp_path / "perdure.sock", [hang_up, hang_up, answer("done")]) as requests,
        Client(tmp_path) as client,
    ):
        assert client.call("task.create", description="x") == "done"
        assert len(requests) == 3
        assert requests[0] == requests[1] == requests[2]


def test_half_an_answer_is_no_answer(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send_bytes(b'{"jsonrpc":"2.0","id":1,"res')

    with scripted(tmp_path / "perdure.sock", [script, answer("done")]), Client(tmp_path) as client:
        assert client.call("task.create", description="x") == "done"


def test_what_is_no_json_ends_the_connection_and_the_call_is_sent_again(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send_bytes(b"hello\n")
        conversation.wait_until_closed()

    with scripted(tmp_path / "perdure.sock", [script, answer("done")]), Client(tmp_path) as client:
        assert client.call("task.create", description="x") == "done"


@pytest.mark.parametrize("method", ["actor.kill", "runtime.shutdown"])
def test_what_takes_no_key_and_does_something_is_not_sent_twice(tmp_path: Path, method: str) -> None:
    with scripted(tmp_path / "perdure.sock", [hang_up]) as requests, Client(tmp_path) as client:
        with pytest.raises(ConnectionLost) as caught:
            client.call(method)
        assert isinstance(caught.value, ConnectionError)
        assert len(requests) == 1


def test_a_query_is_sent_again(tmp_path: Path) -> None:
    with scripted(tmp_path / "perdure.sock", [hang_up, answer([])]), Client(tmp_path) as client:
        assert client.call("task.list") == []


def test_nobody_there_is_told_soon(tmp_path: Path) -> None:
    with Client(tmp_path, wait_s=0.05) as client, pytest.raises(NotRunning) as caught:
        client.call("runtime.ping")
    assert str(tmp_path) in caught.value.message


def test_a_socket_that_nobody_listens_on_is_nobody_there(tmp_path: Path) -> None:
    with scripted(tmp_path / "perdure.sock", []):
        pass
    with Client(tmp_path, wait_s=0.05) as client, pytest.raises(NotRunning):
        client.call("runtime.ping")


def test_who_was_connected_waits_for_the_next_server(tmp_path: Path) -> None:
    socket_path = tmp_path / "perdure.sock"
    with Client(tmp_path, wait_s=0.0) as client:
        with scripted(socket_path, [answer(1), hang_up]):
            assert client.call("runtime.ping") == 1
            client.close()
            with pytest.raises(TimedOut):
                client.timeout_s = 0.0
                client.call("runtime.ping")
            client.timeout_s = 30.0
            client.notify("runtime.ping")
        socket_path.unlink()
        with scripted(socket_path, [answer(2)]):
            assert client.call("runtime.ping") == 2
            client.close()


def test_no_answer_in_time_is_told_with_the_key(tmp_path: Path) -> None:
    with scripted(tmp_path / "perdure.sock", [Conversation.wait_until_closed]), Client(tmp_path) as client:
        client.timeout_s = 0.1
        with pytest.raises(TimedOut) as caught:
            client.call("task.create", description="x", idempotency_key="mine")
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.details["idempotency_key"] == "mine"


def test_a_late_answer_is_not_taken_for_the_next_ones(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> None:
        request = conversation.request()
        conversation.send({"jsonrpc": "2.0", "id": request["id"] - 1, "result": "late"})
        conversation.reply(request, "right")
        conversation.wait_until_closed()

    with scripted(tmp_path / "perdure.sock", [script]), Client(tmp_path) as client:
        assert client.call("runtime.ping") == "right"


def test_a_connection_that_is_turned_away_raises_why(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> None:
        conversation.refuse(None, Overloaded.code, "overloaded", retry_after_s=1.0)

    with scripted(tmp_path / "perdure.sock", [script]), Client(tmp_path) as client:
        with pytest.raises(Overloaded) as caught:
            client.call("runtime.ping")
        assert caught.value.details["retry_after_s"] == 1.0


def test_a_batch_gives_results_and_errors_in_the_order_of_its_commands(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> None:
        first, second = conversation.request()
        error = {"code": -32004, "message": "m", "data": {"kind": "conflict"}}
        conversation.send(
            [
                {"jsonrpc": "2.0", "id": second["id"], "error": error},
                {"jsonrpc": "2.0", "id": first["id"], "result": 1},
            ]
        )
        conversation.wait_until_closed()

    with scripted(tmp_path / "perdure.sock", [hang_up, script]) as requests, Client(tmp_path) as client:
        one, two = client.batch([("task.create", {"description": "x"}), ("task.start", {"id": "a"})])
        assert one == 1
        assert isinstance(two, Conflict)
        assert requests[0] == requests[1]


def test_an_empty_batch_is_refused_here(tmp_path: Path) -> None:
    with Client(tmp_path) as client, pytest.raises(ValueError, match="at least one"):
        client.batch([])


def test_a_notification_is_sent_and_not_waited_for(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.reply(conversation.request(), "after")
        conversation.wait_until_closed()

    with scripted(tmp_path / "perdure.sock", [script]) as requests, Client(tmp_path) as client:
        client.notify("task.create", description="x")
        assert client.call("runtime.ping") == "after"
        assert "id" not in requests[0]


def line(seq: int | None) -> dict[str, Any]:
    """A notification of one journal line."""
    return {"jsonrpc": "2.0", "method": "event", "params": {"subscription": "s", "seq": seq, "ts": "t", "events": []}}


def test_a_subscription_goes_on_after_the_last_line_seen(tmp_path: Path) -> None:
    def first(conversation: Conversation) -> None:
        conversation.reply(conversation.request(), {"subscription": "s", "seq": 4})
        conversation.send(line(5), line(None), line(6))

    def second(conversation: Conversation) -> None:
        conversation.reply(conversation.request(), {"subscription": "s", "seq": 6})
        conversation.send(line(7), {"jsonrpc": "2.0", "method": "event.gap", "params": {"from": 8, "to": 9}}, line(10))
        conversation.wait_until_closed()

    def third(conversation: Conversation) -> None:
        request = conversation.request()
        conversation.send(line(8))  # may overtake the reply
        conversation.reply(request, {"subscription": "s", "seq": 7})
        conversation.wait_until_closed()

    with scripted(tmp_path / "perdure.sock", [first, second, third]) as requests, Client(tmp_path) as client:
        lines = client.subscribe(kinds=["task.*"])
        assert [next(lines)["seq"] for _ in range(5)] == [5, None, 6, 7, 8]
        lines.close()
        assert [request["params"].get("after_seq") for request in requests] == [None, 6, 7]
        assert all(request["params"]["kinds"] == ["task.*"] for request in requests)


def test_a_path_that_is_too_long_is_found_by_the_file_that_names_it(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    (folder / "perdure.sock.path").write_text(f"{tmp_path}/short.sock\n")
    with scripted(tmp_path / "short.sock", [answer("found")]), Client(folder) as client:
        assert client.call("runtime.ping") == "found"


def test_a_socket_may_be_named_itself(tmp_path: Path) -> None:
    with scripted(tmp_path / "any.sock", [answer("found")]), Client(str(tmp_path / "any.sock")) as client:
        assert client.call("runtime.ping") == "found"


@pytest.mark.parametrize("module", ["trio", "attrs", "attr", "cattrs", "msgspec", "orjson", "tenacity", "pathlib"])
def test_the_blocking_client_does_not_load(module: str) -> None:
    # Without site: what the environment's own start-up files load is not the client's doing.
    code = (
        f"import sys; sys.path[:0] = ['.']; from supervisor.client import Client; sys.exit({module!r} in sys.modules)"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-S", "-c", code], check=False, timeout=60, cwd=root).returncode == 0
