"""The runtime is killed under agents that print, fast and slowly: every byte once, every end once, nobody disturbed."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.kit.agents import alive
from tests.kit.perdure import Perdure, eventually, watched
from tests.kit.whole_runs import RESTLESS, facts_of, log_of, over, printed_lines, running

PRINTER = """
import hashlib, os, sys, time
stop, record, pause_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
seen, number = hashlib.sha256(), 0
while number % 100 or not os.path.exists(stop):
    line = b"line %d\\n" % number
    assert os.write(1, line) == len(line)
    if number % 10 == 0:
        os.write(2, b"error %d\\n" % number)
    seen.update(line)
    number += 1
    if pause_s:
        time.sleep(pause_s)
with open(record, "w") as file:
    file.write(f"{number} {seen.hexdigest()}")
sys.exit(3)
"""
"""Prints numbered lines, one write each, until the file STOP is there; then leaves how many they were in RECORD."""

KILLS = 20
CUTS = 1500


def started(whole: Perdure, name: str, pause_s: float) -> dict[str, Any]:
    argv = [sys.executable, "-c", PRINTER, str(whole.folder / "stop"), str(whole.folder / name), str(pause_s)]
    run: dict[str, Any] = whole.call("run.exec", argv=argv)
    return running(whole, run["id"])


def assert_whole(whole: Perdure, before: dict[str, Any], name: str) -> None:
    """The log is what the agent printed, and its end came once."""
    run = over(whole, before["id"])
    assert (run["status"], run["exit_code"], run["pid"]) == ("exited", 3, before["pid"])
    number, digest = (whole.folder / name).read_text().split()
    stdout = log_of(whole, run).read_bytes()
    assert hashlib.sha256(stdout).hexdigest() == digest, first_difference(stdout)
    assert stdout.count(b"\n") == int(number)
    stderr = log_of(whole, run, "stderr").read_bytes()
    assert stderr == b"".join(b"error %d\n" % n for n in range(0, int(number), 10))
    assert (run["stdout"]["bytes"], run["stderr"]["bytes"]) == (len(stdout), len(stderr))
    facts = facts_of(whole, run["id"])
    assert facts.count("run.ended") == facts.count("run.started") == 1


def first_difference(stdout: bytes) -> str:
    for number, line in enumerate(stdout.splitlines()):
        if line != b"line %d" % number:
            return f"line {number} is {line[:80]!r}"
    return "only the end differs"


def test_what_agents_print_fast_and_slowly_is_whole_though_the_runtime_is_killed_twenty_times(make: Any) -> None:
    seed = random.randrange(1 << 32)
    sys.stdout.write(f"seed {seed}\n")
    rng = random.Random(seed)
    whole: Perdure = make(**RESTLESS)
    whole.start()
    fast, slow = started(whole, "fast", 0), started(whole, "slow", 0.003)
    logs = {name: log_of(whole, run) for name, run in (("fast", fast), ("slow", slow))}
    for _ in range(KILLS):
        goals = {name: size_of(path) + rng.randrange(1, 500) for name, path in logs.items()}
        goals["fast"] += rng.randrange(200_000)
        until_reached(logs, goals)
        with watched(whole.runtime_pid()) as until_gone_s:
            whole.kill_runtime()
            until_gone_s()
    (whole.folder / "stop").touch()
    assert_whole(whole, fast, "fast")
    assert_whole(whole, slow, "slow")


def test_an_agent_whose_log_is_cut_or_removed_while_it_prints_is_not_held_up(make: Any) -> None:
    whole: Perdure = make(**RESTLESS)
    whole.start()
    fast = started(whole, "fast", 0)
    log = log_of(whole, fast)
    until_reached({"fast": log}, {"fast": 1000})
    for number in range(CUTS):
        if number % 100 == 99:
            log.unlink(missing_ok=True)
        elif log.exists():
            os.truncate(log, 0)
        time.sleep(0.001)
    until_reached({"fast": log}, {"fast": 1})
    (whole.folder / "stop").touch()
    run = over(whole, fast["id"])
    assert (run["status"], run["exit_code"]) == ("exited", 3)
    lines = int((whole.folder / "fast").read_text().split()[0])
    # Every byte that was not cut away stands where it was printed.
    assert log.read_bytes().endswith(b"line %d\n" % (lines - 1))
    assert run["stdout"]["bytes"] == log.stat().st_size == sum(len(b"line %d\n" % n) for n in range(lines))


def until_reached(logs: dict[str, Path], goals: dict[str, int]) -> None:
    eventually(lambda: all(size_of(logs[name]) >= goals[name] for name in logs), "both go on")


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.mark.parametrize("standby", ["false", "true"])
def test_agents_go_on_while_a_runtime_that_is_stopped_is_found_and_replaced(make: Any, standby: str) -> None:
    quick = {"supervisor__heartbeat_s": "0.1", "supervisor__hung_after_s": "2.0", "supervisor__standby": standby}
    whole: Perdure = make(**RESTLESS, **quick)
    whole.start()
    slow = started(whole, "slow", 0.003)
    printed_lines(whole, slow, 1)
    stopped = whole.runtime_pid()
    with watched(stopped) as until_gone_s:
        os.kill(stopped, signal.SIGSTOP)
        until_gone_s()
    eventually(lambda: whole.runtime_pid() != stopped, "there is another runtime")
    assert alive(slow["pid"])
    (whole.folder / "stop").touch()
    assert_whole(whole, slow, "slow")
