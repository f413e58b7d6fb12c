"""The root process, whole: what its death takes with it, who else may start, how it stops, what it reads again."""

import json
import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from supervisor.client import Client, NotRunning
from tests.kit.crew import at_work
from tests.kit.perdure import WITHIN_S, Perdure, eventually, frame, perdure, watched

GONE_WITHIN_S = 10.0
"""It takes some milliseconds (`within a second` is promised); ten times that on a machine that others use too."""


@pytest.mark.parametrize("halted", [False, True], ids=["running", "stopped by a signal"])
def test_the_runtime_dies_with_its_root(halted: bool, running: Perdure) -> None:
    pid = running.runtime_pid()
    with watched(pid) as until_gone_s:
        if halted:
            os.kill(pid, signal.SIGSTOP)
        os.kill(running.root_pid, signal.SIGKILL)
        assert until_gone_s() < GONE_WITHIN_S
    assert running.wait() == -signal.SIGKILL


def test_after_a_kill_of_the_root_under_load_the_next_one_starts_unaided_and_nothing_is_lost(running: Perdure) -> None:
    with at_work(running) as crew:
        for _ in range(3):
            crew.wait_for_rounds(8)
            running.kill_root()
            assert (running.state_path / "perdure.sock").exists(), "what a killed root leaves is in nobody's way"
            running.start()
    crew.check()
    assert running.call("runtime.status")["recovery"]["was_clean"] is False


def test_a_second_up_ends_with_5_names_the_first_and_does_not_disturb_it(running: Perdure) -> None:
    runtime = running.runtime_pid()
    with at_work(running, 2) as crew:
        for _ in range(2):
            crew.wait_for_rounds(2)
            second = running.ended("up")
            assert second.returncode == 5
            assert str(running.root_pid) in second.stderr
            assert second.stderr.count("\n") == 1, "one line"
    crew.check()
    assert running.runtime_pid() == runtime


@pytest.mark.parametrize("times", [10, pytest.param(50, marks=pytest.mark.long)])
def test_of_two_that_start_together_exactly_one_wins(tmp_path: Path, times: int) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_start_a_pair, [tmp_path / f"pair-{n}" for n in range(times)]))


def _start_a_pair(folder: Path) -> None:
    with perdure(folder) as whole, _spawned(whole) as first, _spawned(whole) as second:
        loser, winner = _ended_and_running(first, second)
        _, errors = loser.communicate(timeout=WITHIN_S)
        assert loser.returncode == 5
        assert str(winner.pid) in errors.decode()
        with Client(whole.state_path, wait_s=WITHIN_S, timeout_s=WITHIN_S) as client:
            assert client.call("runtime.status")["pids"]["root"] == winner.pid


def _ended_and_running(*pair: "subprocess.Popen[bytes]") -> tuple["subprocess.Popen[bytes]", "subprocess.Popen[bytes]"]:
    """Wait until one of them has ended; return it, and the other one."""
    ends = {os.pidfd_open(process.pid): process for process in pair}
    try:
        ended = select.select(list(ends), [], [], WITHIN_S)[0]
        assert len(ended) == 1, f"{len(ended)} of two have ended"
        (running,) = [process for descriptor, process in ends.items() if descriptor not in ended]
        return ends[ended[0]], running
    finally:
        for descriptor in ends:
            os.close(descriptor)


@contextmanager
def _spawned(
    whole: Perdure, *options: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> Iterator["subprocess.Popen[bytes]"]:
    """Spawn an `up` and leave it to the test; at the end it is killed if it still runs, and its runtime with it."""
    process = subprocess.Popen(
        [*whole.command("up"), *options],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **whole.environment},
        cwd=whole.folder,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_sigterm_ends_with_0_and_a_last_snapshot_of_everything(running: Perdure) -> None:
    with at_work(running, 4) as crew:
        crew.wait_for_rounds(12)
    assert running.stop() == 0
    state = json.loads((running.state_path / "state.json").read_bytes())
    assert state["seq"] == running.journal()[-1]["seq"]
    assert state["daemon"]["started"] is False
    assert state["metrics"]["completed_tasks"] == crew.rounds()
    running.start()
    crew.check()
    recovery = running.call("runtime.status")["recovery"]
    assert (recovery["facts_replayed"], recovery["was_clean"]) == (0, True)


def test_what_comes_too_late_at_a_stop_is_told_so_and_did_not_happen(running: Perdure) -> None:
    pairs = range(400)
    with running.wire() as wire:
        # Each query waits for the command before it: this takes far longer than the order to stop is on its way.
        request = b"".join(
            frame("task.create", 2 * n, id=f"late-{n}", description="x") + frame("task.get", 2 * n + 1, id=f"late-{n}")
            for n in pairs
        )
        wire.send(frame("runtime.shutdown", "stop") + request)
        replies: dict[Any, Any] = {}
        while (reply := wire.reply()) is not None:
            replies[reply["id"]] = reply
    assert running.wait() == 0
    refused = {call_id for call_id, reply in replies.items() if "error" in reply}
    assert refused, "everything was carried out before the stop: this showed nothing"
    kinds = {(replies[call_id]["error"]["code"], replies[call_id]["error"]["data"]["kind"]) for call_id in refused}
    assert kinds == {(-32011, "shutting_down")}
    running.start()
    there = {task["id"] for task in running.call("task.list", limit=1000)["tasks"]}
    done = {n for n in pairs if "result" in replies.get(2 * n, {})}
    assert there == {f"late-{n}" for n in done}
    assert set(replies) == {"stop", *range(2 * len(pairs))}, "somebody was not answered"


def test_after_a_stop_nobody_answers_there(running: Perdure) -> None:
    running.stop()
    with pytest.raises(NotRunning), Client(running.state_path, wait_s=0.0) as client:
        client.call("runtime.ping")
    assert running.ended("status").returncode == 3


@contextmanager
def _on_stdio(whole: Perdure) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[[bytes], None], Callable[[], Any]]]:
    with _spawned(whole, "--stdio", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def say(data: bytes) -> None:
            stdin.write(data)
            stdin.flush()

        yield process, say, lambda: json.loads(stdout.readline())


def test_a_program_spawns_it_as_its_runtime_and_sees_protocol_only(make: Callable[..., Perdure]) -> None:
    whole = make(log__level="debug")
    with _on_stdio(whole) as (process, say, hear):
        say(frame("task.create", 1, id="by-stdio", description="asked before anything serves"))
        assert hear()["result"]["id"] == "by-stdio"
        say(frame("event.subscribe", 2, after_seq=0, kinds=["task.*"]))
        heard = [hear(), hear()]
        assert {message.get("id", message.get("method")) for message in heard} == {2, "event"}
        say(b"nonsense\n" + frame("task.crate", 3))
        assert [hear()["error"]["code"] for _ in range(2)] == [-32700, -32601]
        say(b"[" + frame("task.get", 4, id="by-stdio").strip() + b"," + frame("runtime.ping", 5).strip() + b"]\n")
        assert {reply["id"] for reply in hear()} == {4, 5}
        say(frame("task.log", None, id="by-stdio", message="the last word wants no answer"))
        out, errors = process.communicate(timeout=WITHIN_S)
        assert process.returncode == 0
        assert {json.loads(line)["method"] for line in out.splitlines()} <= {"event"}
        assert b"serving" in errors, "logs go to standard error"
    whole.start()
    assert len(whole.call("task.get", id="by-stdio")["logs"]) == 1


def test_on_stdio_a_killed_runtime_shows_as_latency_only(make: Callable[..., Perdure]) -> None:
    whole = make(supervisor__process_restarts_max="1000", supervisor__backoff_max_s="0.05")
    kills, each = 6, 50
    with _on_stdio(whole) as (process, say, hear):
        for kill in range(kills):
            numbers = range(kill * each, (kill + 1) * each)
            say(b"".join(frame("task.create", n, description=f"number {n}") for n in numbers))
            replies = [hear()]
            whole.kill_runtime()
            replies += [hear() for _ in numbers[1:]]
            assert [reply["id"] for reply in replies if "result" in reply] == list(numbers)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(WITHIN_S) == 0
    whole.start()
    tasks = whole.call("task.list", limit=1000)["tasks"]
    assert [task["description"] for task in tasks] == [f"number {n}" for n in range(kills * each)]


def test_on_stdio_an_output_is_followed_over_kills_of_the_runtime(make: Callable[..., Perdure], tmp_path: Path) -> None:
    whole = make(supervisor__process_restarts_max="1000", supervisor__backoff_max_s="0.05")
    script = "for step in 0 1 2; do echo naïve $step; while ! test -e $0-$step; do sleep 0.02; done; done"
    with _on_stdio(whole) as (process, say, hear):
        say(frame("run.exec", 1, argv=["sh", "-c", script, str(tmp_path / "step")]))
        run_id = hear()["result"]["id"]
        say(frame("output.subscribe", 2, id=run_id, stream="stdout"))
        subscription = hear()["result"]["subscription"]
        printed = b""
        is_over = False
        while not is_over:
            told = hear()["params"]
            assert (told["subscription"], told["offset"]) == (subscription, len(printed))
            printed += told["data"].encode()
            is_over = told["eof"]
            if not is_over:
                whole.kill_runtime()
                seen = printed.count(b"\n") - 1
                (tmp_path / f"step-{seen}").touch()
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(WITHIN_S) == 0
    assert printed.decode() == "naïve 0\nnaïve 1\nnaïve 2\n"


def test_on_stdio_half_a_line_at_the_end_is_answered_and_stops(make: Callable[..., Perdure]) -> None:
    with _on_stdio(make()) as (process, say, _):
        say(frame("runtime.ping", 1) + b'{"jsonrpc":"2.0","id":2')
        out, _ = process.communicate(timeout=WITHIN_S)
        assert process.returncode == 0
        replies = [json.loads(line) for line in out.splitlines()]
        assert {reply["id"] for reply in replies} == {1, None}
        (error,) = [reply["error"] for reply in replies if reply["id"] is None]
        assert error["code"] == -32700


def test_sighup_takes_live_keys_and_tells_which_need_a_restart(make: Callable[..., Perdure], tmp_path: Path) -> None:
    file = tmp_path / "perdure.toml"
    file.write_text("[tasks]\nlogs_kept = 100\n")
    whole = make(config=str(file))
    whole.start()
    task_id = whole.call("task.create", description="x")["id"]
    whole.call("task.log", id=task_id, entries=[{"message": f"{n}"} for n in range(5)])
    file.write_text("[tasks]\nlogs_kept = 3\n[gateway]\nconnections_max = 7\n")
    os.kill(whole.root_pid, signal.SIGHUP)
    (told,) = eventually(lambda: [line for line in whole.log() if line["event"] == "configuration read again"], "told")
    assert (told["applied"], told["needs_restart"]) == (["tasks.logs_kept"], ["gateway.connections_max"])
    eventually(lambda: whole.call("runtime.status")["config"]["tasks"]["logs_kept"] == 3, "the runtime has taken it")
    assert whole.call("task.log", id=task_id, message="one more")["log_count"] == 6
    assert len(whole.call("task.get", id=task_id)["logs"]) == 3
    with whole.client() as client:
        answer = client.call("runtime.reload")
    assert answer == {"applied": [], "needs_restart": ["gateway.connections_max"]}


def test_a_configuration_with_a_mistake_is_not_taken_and_the_old_one_stays(
    make: Callable[..., Perdure], tmp_path: Path
) -> None:
    file = tmp_path / "perdure.toml"
    file.write_text("[tasks]\nlogs_kept = 100\n")
    whole = make(config=str(file))
    whole.start()
    file.write_text('[tasks]\nlogs_kept = "many"\n')
    with whole.wire() as wire:
        error = wire.fault("runtime.reload")
        assert "tasks.logs_kept" in error["message"]
        assert str(file) in error["message"]
        assert wire.call("runtime.status")["config"]["tasks"]["logs_kept"] == 100


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[tasks]\nlogs_kep = 5\n", ("tasks.logs_kep", "logs_kept")),
        ("[taks]\nlogs_kept = 5\n", ("taks", "tasks")),
        ('[tasks]\nlogs_kept = "5"\n', ("tasks.logs_kept",)),
        ("[tasks]\nlogs_kept = 1.5\n", ("tasks.logs_kept",)),
        ("[tasks]\nlogs_kept = -1\n", ("tasks.logs_kept",)),
        ('[state]\ndurability = "comit"\n', ("state.durability", "commit")),
        ("[tasks\n", ()),
    ],
)
def test_a_bad_configuration_is_refused_naming_file_key_and_the_nearest_name(
    text: str, named: tuple[str, ...], make: Callable[..., Perdure], tmp_path: Path
) -> None:
    file = tmp_path / "mistaken.toml"
    file.write_text(text)
    whole = make(config=str(file))
    refused = whole.ended("up")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1, refused.stderr
    for part in (str(file), *named):
        assert part in refused.stderr
    assert not whole.state_path.exists(), "nothing was made"
