"""Services with whole processes: kept running, adopted, ended, given up, by the rules of the tree."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.kit.perdure import Perdure, eventually, watched
from tests.kit.services import configure, output_of, running, server, service, until

RESTLESS = {
    "supervisor__process_restarts_max": "1000",
    "supervisor__process_within_s": "1",
    "supervisor__backoff_max_s": "0.05",
}


def lives(whole: Perdure, name: str) -> list[dict[str, Any]]:
    """The runs that are a service's lives, the oldest first."""
    found = whole.call("run.list", limit=1000)["runs"]
    return sorted((run for run in found if run["tool"] == f"service:{name}"), key=lambda run: run["attempt"])


def test_a_service_is_adopted_by_one_runtime_after_the_other_and_its_output_is_whole(make: Any) -> None:
    whole: Perdure = make(**RESTLESS)
    configure(whole, {"counter": server("counts")})
    whole.start()
    before = running(whole, "counter")
    for _ in range(4):
        whole.kill_runtime()
        assert service(whole, "counter") == before
    assert psutil.pid_exists(before["pid"])
    stopped = whole.call("service.stop", name="counter")
    assert (stopped["status"], stopped["wanted"], stopped["pid"]) == ("stopped", False, None)
    assert (stopped["exit_code"], stopped["signal"], stopped["last_error"], stopped["restarts"]) == (0, None, None, 0)
    (life,) = lives(whole, "counter")
    assert (life["id"], life["status"], life["attempt"], life["task_id"]) == (before["run_id"], "cancelled", 1, None)
    printed = output_of(whole, life["id"])
    lines = printed.splitlines()
    assert lines == [*(f"line {number}" for number in range(len(lines) - 1)), "bye"]
    assert life["stdout"]["bytes"] == len(printed)


def test_a_service_that_crashes_is_restarted_and_its_record_says_how(make: Any, tmp_path: Path) -> None:
    whole: Perdure = make()
    (tmp_path / "left").write_text("xx")
    configure(whole, {"weak": server("recovers", tmp_path / "left", 3)})
    whole.start()
    row = running(whole, "weak", lives=3)
    assert (row["restarts"], row["lives"], row["last_error"]) == (2, 3, {"kind": "exit_code", "message": "exit code 3"})
    assert [(run["attempt"], run["status"], run["exit_code"]) for run in lives(whole, "weak")] == [
        (1, "exited", 3),
        (2, "exited", 3),
        (3, "running", None),
    ]
    places = {row["path"]: row for row in whole.call("actor.list")["actors"]}
    assert places["runtime/services/weak"]["state"] == "running"
    assert places["runtime/services/weak"]["restarts"] == 2
    os.kill(row["pid"], signal.SIGKILL)
    again = running(whole, "weak", lives=4)
    assert (again["restarts"], again["last_error"]["kind"]) == (3, "signal")
    assert lives(whole, "weak")[2]["signal"] == signal.SIGKILL


def test_one_that_flaps_is_given_up_and_a_command_begins_anew(make: Any, tmp_path: Path) -> None:
    whole: Perdure = make(supervisor__process_restarts_max="3", supervisor__backoff_max_s="0.001")
    whole.environment["PERDURE_SUPERVISOR__BACKOFF_BASE_S"] = "0.001"
    (tmp_path / "left").write_text("x" * 7)
    configure(
        whole,
        {"flapping": server("recovers", tmp_path / "left", 4), "lost": {"command": "/no/such/server"}},
    )
    whole.start()
    row = until(whole, "flapping", lambda row: row["status"] == "failed", "is given up")
    assert (row["wanted"], row["pid"], row["lives"], row["exit_code"]) == (True, None, 4, 4)
    assert row["last_error"]["message"] == "more than 3 restarts within 10 s, the last: exit code 4"
    lost = until(whole, "lost", lambda row: row["status"] == "failed", "is given up")
    assert lost["last_error"]["kind"] == "failed_to_start"
    assert "/no/such/server" in lost["last_error"]["message"]
    assert any("flapping is given up" in reason for reason in whole.call("runtime.health")["reasons"])
    whole.kill_runtime()
    assert service(whole, "flapping") == row
    assert whole.call("service.start", name="flapping")["status"] in {"running", "failed"}
    assert running(whole, "flapping", lives=8)["restarts"] == 3  # three of seven short lives were left, then it stays
    assert whole.call("service.start", name="lost")["status"] == "failed"


def test_health_tells_of_one_that_keeps_ending_as_long_as_it_is_down(make: Any, tmp_path: Path) -> None:
    whole: Perdure = make(supervisor__backoff_max_s="600")
    whole.environment["PERDURE_SUPERVISOR__BACKOFF_BASE_S"] = "600"
    (tmp_path / "left").write_text("x" * 100)
    configure(whole, {"flapping": server("recovers", tmp_path / "left", 4)})
    whole.start()
    until(whole, "flapping", lambda row: row["status"] == "backing_off" and row["restarts"] > 0, "waits for a life")
    health = whole.call("runtime.health")
    assert health["status"] == "degraded"
    assert any("flapping is down, started again" in reason and "exit code 4" in reason for reason in health["reasons"])


def test_one_that_does_not_hear_is_killed_after_its_grace_and_others_are_answered_meanwhile(make: Any) -> None:
    whole: Perdure = make()
    configure(whole, {"deaf": {**server("deaf"), "stop_grace_s": 1.0}})
    whole.start()
    row = running(whole, "deaf")
    eventually(lambda: output_of(whole, row["run_id"]) == "deaf\n", "it ignores SIGTERM")
    with whole.wire() as stopping, whole.wire() as asking, watched(row["pid"]) as until_gone_s:
        stopping.post("service.stop", name="deaf")
        eventually(lambda: not asking.call("service.list")["services"][0]["wanted"], "it is to be stopped")
        assert asking.call("service.list")["services"][0]["status"] == "running"
        stopped = stopping.reply()["result"]
        assert (stopped["status"], stopped["signal"], stopped["exit_code"]) == ("stopped", signal.SIGKILL, None)
        until_gone_s()
    assert whole.call("service.stop", name="deaf") == stopped


@pytest.mark.parametrize(
    ("restart", "code", "lives_in_all"), [("transient", 0, 1), ("temporary", 5, 1), ("transient", 5, 2)]
)
def test_a_service_that_leaves_is_restarted_by_its_own_rule_whoever_is_killed(
    make: Any, tmp_path: Path, restart: str, code: int, lives_in_all: int
) -> None:
    whole: Perdure = make()
    (tmp_path / "left").write_text("x")
    configure(whole, {"one": {**server("recovers", tmp_path / "left", code), "restart": restart}})
    whole.start()
    if lives_in_all == 1:
        row = until(whole, "one", lambda row: not row["wanted"], "is at rest")
        assert (row["status"], row["exit_code"], row["lives"]) == ("stopped", code, 1)
        whole.kill_runtime()
        assert service(whole, "one") == row
    started = whole.call("service.start", name="one")
    assert (running(whole, "one", lives=2)["lives"], started["wanted"]) == (2, True)


def test_it_is_gone_with_the_root_and_is_there_again_after_the_next_up(make: Any) -> None:
    whole: Perdure = make()
    configure(whole, {"counter": server("counts"), "other": {**server("counts"), "restart": "temporary"}})
    whole.start()
    first, other = running(whole, "counter"), running(whole, "other")
    whole.call("service.stop", name="counter")
    whole.kill_runtime()
    assert service(whole, "counter")["wanted"] is False
    with watched(other["pid"]) as until_gone_s:
        whole.kill_root()
        until_gone_s()
    whole.start()
    again = running(whole, "counter", lives=2)
    assert (again["wanted"], again["restarts"]) == (True, 0)
    assert again["run_id"] != first["run_id"]
    other_again = running(whole, "other", lives=2)
    assert (other_again["restarts"], other_again["last_error"]["kind"]) == (0, "interrupted")
    assert eventually(lambda: lives(whole, "other")[0]["status"] == "interrupted", "its first life is interrupted")


def test_the_death_of_the_agent_host_is_no_fault_of_the_service(make: Any) -> None:
    whole: Perdure = make(supervisor__process_restarts_max="2")
    configure(whole, {"counter": server("counts")})
    whole.start()
    row = running(whole, "counter")
    for lives_before in (1, 2):
        os.kill(whole.call("runtime.status")["pids"]["host"], signal.SIGKILL)
        row = running(whole, "counter", lives=lives_before + 1)
        assert row["last_error"]["kind"] == "interrupted"
    assert [run["status"] for run in lives(whole, "counter")] == ["interrupted", "interrupted", "running"]
    os.kill(row["pid"], signal.SIGKILL)  # its own death is the first one of two that are borne
    assert running(whole, "counter", lives=4)["restarts"] == 3


def test_services_take_no_place_of_runs_and_are_no_runs_to_stop(make: Any) -> None:
    whole: Perdure = make(runs__concurrency="1")
    configure(whole, {"one": server("counts"), "two": server("counts")})
    whole.start()
    life = running(whole, "one")["run_id"]
    running(whole, "two")
    made = whole.call("run.exec", argv=["true"])
    eventually(lambda: whole.call("run.get", id=made["id"])["status"] == "exited", "the run has had its turn")
    with whole.wire() as wire:
        fault = wire.fault("run.stop", id=life)
        assert (fault["data"]["kind"], "service stop one" in fault["data"]["hint"]) == ("conflict", True)
        place = wire.fault("actor.restart", name="runtime/services/one")
        assert (place["data"]["kind"], "service.restart" in place["data"]["hint"]) == ("not_found", True)
        unknown = wire.fault("service.start", name="three")
        assert (unknown["data"]["kind"], unknown["data"]["hint"]) == ("not_found", "configured are one, two")
    assert running(whole, "one")["run_id"] == life


def test_a_stop_ends_all_services_first_within_its_time(make: Any) -> None:
    whole: Perdure = make(supervisor__stop_grace_s="4")
    configure(whole, {"deaf": {**server("deaf"), "stop_grace_s": 60.0}, "counter": server("counts")})
    whole.start()
    deaf, counter = running(whole, "deaf"), running(whole, "counter")
    eventually(lambda: output_of(whole, deaf["run_id"]) == "deaf\n", "it ignores SIGTERM")
    eventually(lambda: output_of(whole, counter["run_id"]), "it counts, and hears")
    assert whole.stop() == 0
    assert not psutil.pid_exists(deaf["pid"])
    ended = [fact for line in whole.journal() for fact in line["facts"] if fact["op"] == "service.exited"]
    assert {(fact["id"], fact["data"]["signal"], fact["data"]["exit_code"]) for fact in ended} == {
        ("deaf", signal.SIGKILL, None),
        ("counter", None, 0),
    }
    assert output_of(whole, counter["run_id"]).endswith("bye\n")
    whole.start()
    assert running(whole, "deaf", lives=2)["last_error"] is None


def test_the_command_line_lists_stops_starts_and_shows_what_was_printed(make: Any) -> None:
    whole: Perdure = make()
    configure(whole, {"counter": server("counts"), "lost": {"command": "/no/such/server"}})
    whole.start()
    life = running(whole, "counter")["run_id"]
    eventually(lambda: output_of(whole, life), "it counts, and hears")
    until(whole, "lost", lambda row: row["status"] == "failed", "is given up")
    listed = whole.ended("service", "list").stdout
    assert "counter" in listed
    assert "running" in listed
    assert whole.ended("service", "stop", "counter").stdout == "counter: stopped\n"
    shown = whole.ended("service", "logs", "counter").stdout
    assert shown.startswith("line 0\nline 1\n")
    assert shown.endswith("bye\n")
    assert whole.ended("service", "start", "counter").stdout == "counter: running\n"
    assert whole.ended("service", "restart", "counter").stdout == "counter: running\n"
    assert service(whole, "counter")["lives"] == 3
    failed = whole.ended("service", "start", "lost")
    assert (failed.returncode, failed.stdout.startswith("lost: failed: it did not start")) == (1, True)
    unknown = whole.ended("service", "stop", "conter")
    assert (unknown.returncode, "configured are counter, lost" in unknown.stderr) == (4, True)
