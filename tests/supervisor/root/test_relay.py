"""`--stdio` with real processes: one client on standard input and output, to whom a runtime's death is latency only."""

import array
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.roots import RunningRoot, eventually, running_root


class Talk:
    """The spawning program's end."""

    def __init__(self, root: RunningRoot) -> None:
        self.root = root
        assert root.process.stdin is not None
        assert root.process.stdout is not None
        self.stdin = root.process.stdin
        self.stdout = root.process.stdout

    def say(self, *lines: bytes) -> None:
        self.stdin.write(b"".join(one + b"\n" for one in lines))
        self.stdin.flush()

    def ask(self, method: str, call_id: Any = 1, **params: Any) -> None:
        self.say(json.dumps({"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}).encode())

    def hear(self) -> Any:
        line = self.stdout.readline()
        assert line, f"standard output ended: {self.root.errors}"
        return json.loads(line)

    def rest(self) -> list[Any]:
        return [json.loads(line) for line in self.stdout.read().splitlines()]


@contextlib.contextmanager
def talking(state_path: Path, **options: Any) -> Iterator[Talk]:
    with running_root(state_path, stdio=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options) as root:
        yield Talk(root)


@pytest.fixture
def state_path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def recorded(state_path: Path) -> list[dict[str, str]]:
    """What the fake runtime was made to remember."""
    return [json.loads(line) for line in (state_path / "recorded").read_text().splitlines()]


def test_requests_are_answered_on_standard_output_and_nothing_else_is_there(state_path: Path) -> None:
    with talking(state_path) as talk:
        talk.ask("fake.print", text="chatter of a library")
        talk.ask("fake.echo", call_id="two", x="\u2028")
        assert talk.hear()["id"] == 1
        assert talk.hear()["result"] == {"method": "fake.echo", "params": {"x": "\u2028"}}
        talk.stdin.close()
        assert talk.rest() == []
        assert talk.root.wait() == 0
        assert "chatter of a library" in talk.root.errors


def test_the_end_of_input_stops_everything_after_the_last_answer(state_path: Path) -> None:
    with talking(state_path) as talk:
        for number in range(50):
            talk.ask("event.record", call_id=number, message=str(number))
        talk.stdin.close()
        assert [reply["id"] for reply in talk.rest()] == list(range(50))
        assert talk.root.wait() == 0
        assert len(recorded(state_path)) == 50
        assert (state_path / "saved").exists(), "the runtime was stopped in order"


def test_input_may_be_a_file(state_path: Path, tmp_path: Path) -> None:
    requests = tmp_path / "requests"
    requests.write_bytes(b'{"jsonrpc":"2.0","id":1,"method":"fake.echo","params":{}}\n')
    with (
        requests.open("rb") as file,
        running_root(state_path, stdio=True, stdin=file.fileno(), stdout=subprocess.PIPE) as root,
    ):
        assert root.process.stdout is not None
        assert json.loads(root.process.stdout.read())["id"] == 1
        assert root.wait() == 0


def test_a_runtime_killed_between_commit_and_reply_is_latency_only_and_the_command_is_applied_once(
    state_path: Path,
) -> None:
    with talking(state_path) as talk:
        talk.ask("event.record", message="die")
        reply = talk.hear()
        assert reply["result"]["message"] == "die"
        assert [line["message"] for line in recorded(state_path)] == ["die"]
        assert talk.root.lock().restarts == 1


def test_requests_asked_while_the_runtime_is_down_are_answered_by_the_next_one(state_path: Path) -> None:
    with talking(state_path) as talk:
        talk.ask("fake.who")
        first = talk.hear()["result"]["pid"]
        os.kill(first, signal.SIGSTOP)
        talk.ask("fake.who", call_id=2)
        talk.ask("event.record", call_id=3, message="x")
        os.kill(first, signal.SIGKILL)
        assert talk.hear()["result"]["incarnation"] == 2
        assert talk.hear()["id"] == 3
        assert len(recorded(state_path)) == 1


def test_a_subscription_is_gapless_over_a_runtimes_death(state_path: Path) -> None:
    with talking(state_path) as talk:
        talk.ask("event.subscribe", after_seq=10)
        subscription = talk.hear()["result"]["subscription"]
        seqs = [talk.hear()["params"]["seq"] for _ in range(2)]
        os.kill(int(subscription.removeprefix("sub-")), signal.SIGKILL)
        told = [talk.hear()["params"] for _ in range(2)]
        assert seqs + [one["seq"] for one in told] == [11, 12, 13, 14]
        assert {one["subscription"] for one in told} == {subscription}


def test_a_frame_beyond_the_limit_is_answered_and_ends_the_conversation(state_path: Path) -> None:
    with talking(state_path, settings={"gateway.frame_bytes_max": 2000}) as talk:
        talk.ask("fake.echo")
        talk.say(b"x" * 3000)
        talk.stdin.close()
        kinds = [reply.get("error", {}).get("data", {}).get("kind") for reply in talk.rest()]
        assert sorted(kinds, key=str) == [None, "too_large"]
        assert talk.root.wait() == 0


def test_half_a_line_at_the_end_of_input_is_answered(state_path: Path) -> None:
    with talking(state_path) as talk:
        talk.stdin.write(b'{"jsonrpc"')
        talk.stdin.close()
        (reply,) = talk.rest()
        assert reply["error"]["data"]["kind"] == "parse_error"
        assert talk.root.wait() == 0


def test_a_client_that_is_gone_stops_everything(state_path: Path) -> None:
    with talking(state_path) as talk:
        talk.ask("fake.echo")
        talk.hear()
        talk.stdout.close()
        talk.ask("fake.echo")
        assert talk.root.wait() == 0
        with contextlib.suppress(BrokenPipeError):
            talk.stdin.close()


def test_a_signal_answers_everybody_who_waits(state_path: Path) -> None:
    settings = {"supervisor.stop_grace_s": 0.2}
    with talking(state_path, settings=settings) as talk:
        talk.ask("fake.who")
        pid = talk.hear()["result"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        talk.ask("fake.who", call_id="waiting")
        eventually(lambda: _unread(talk.stdin.fileno()) == 0, "the root has read it")
        assert talk.root.stop() == 0
        (reply,) = talk.rest()
        assert reply["id"] == "waiting"
        assert "result" in reply or reply["error"]["data"]["kind"] == "shutting_down"


def test_an_unread_standard_error_does_not_stop_the_conversation(state_path: Path) -> None:
    with talking(state_path) as talk:
        for _ in range(300):
            talk.ask("fake.print", text="x" * 1000)
        for _ in range(300):
            talk.hear()


def _unread(descriptor: int) -> int:
    """Bytes in a pipe that its reader has not taken."""
    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]
