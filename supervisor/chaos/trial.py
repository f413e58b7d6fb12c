"""The trial: a Perdure with everybody at work, the blows of a schedule, and the verdicts at the end."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from actors.model.run import output_path
from supervisor.chaos import copies, inquiry, processes
from supervisor.chaos.checks import CHECKS
from supervisor.chaos.evidence import Evidence, read_journal
from supervisor.chaos.follower import END
from supervisor.chaos.harms import Harms
from supervisor.chaos.record import read_records
from supervisor.chaos.schedule import Blow, Schedule
from supervisor.chaos.shown import acknowledged_keys
from supervisor.chaos.verdict import Outcome, Promise, Verdict, summed
from supervisor.chaos.watch import Watch
from supervisor.client import Client
from supervisor.trials.stage import Stage

CLIENTS: Final = 4
MOVES_MAX: Final = 60_000
"""Of all clients together: the record of a long trial must fit into memory."""
PACE_S: Final = 0.002
"""A client's pause between two moves, at least."""
OVER_WITHIN_S: Final = 90.0
"""When all blows are dealt: until the last agent and the last follower are done."""
FOLLOWERS: Final[dict[str, tuple[str, ...]]] = {"all": (), "tasks": ("task.*", "event.recorded")}

SETTINGS: Final = {
    "PERDURE_STATE__AUTOSAVE_INTERVAL_S": "2",
    "PERDURE_STATE__SEGMENT_BYTES_MAX": "1000000",
    "PERDURE_SUPERVISOR__PROCESS_RESTARTS_MAX": "1000",
    "PERDURE_SUPERVISOR__HEARTBEAT_S": "0.2",
    "PERDURE_SUPERVISOR__HUNG_AFTER_S": "4",
    "PERDURE_SUPERVISOR__BACKOFF_MAX_S": "0.5",
    "PERDURE_SESSIONS__MAX": "0",
    "PERDURE_RUNS__INTERRUPTIONS_MAX": "1000",
    "PERDURE_RUNS__GRACE_S": "2",
}
"""Snapshots, rotations and heartbeats as often as a short trial needs; nothing gives up because it was killed often."""

Progress = Callable[[float, str], None]
"""Is told, again and again: seconds gone, and what is being done."""


class Trial:
    """See the module's text. `stage` must have SETTINGS in its environment."""

    def __init__(self, stage: Stage, schedule: Schedule, progress: Progress) -> None:
        self._stage = stage
        self._schedule = schedule
        self._progress = progress
        self._pace_s = max(PACE_S, CLIENTS * schedule.seconds / MOVES_MAX)
        self._harms = Harms(stage, lambda: self._hire(1))
        self._done: Counter[str] = Counter()
        self._missed: Counter[str] = Counter()
        self._examined: list[Future[list[Verdict]]] = []
        self._followers: dict[str, subprocess.Popen[bytes]] = {}
        self._verdicts: list[Verdict] = []
        self._scratch = stage.folder / "scratch"
        self._scratch.mkdir()

    def run(self) -> Outcome:
        """Carry it out; raises RuntimeError when Perdure does not start."""
        self._stage.start()
        with ThreadPoolExecutor(1) as examiner, Watch(self._stage.state_path, self._root_pid) as watch:
            try:
                self._begin()
                self._strike(examiner)
                self._progress(self._schedule.seconds, "waiting for the last agents")
                evidence = self._end()
            finally:
                for follower in self._followers.values():
                    follower.kill()
                    follower.wait()
        self._verdicts += [Verdict.of(Promise.ONE_WRITER, watch.looks, watch.findings)]
        for examined in self._examined:
            self._verdicts += examined.result()
        self._progress(self._schedule.seconds, "checking")
        return self._judged(evidence)

    # --- the workload

    def _hire(self, number: int) -> None:
        arguments = (str(self._schedule.seed), str(self._pace_s), str(self._scratch))
        self._stage.hire("supervisor.chaos.client", number, *arguments)

    def _begin(self) -> None:
        self._hire(CLIENTS)
        for name, kinds in FOLLOWERS.items():
            argv = [sys.executable, "-m", "supervisor.chaos.follower", str(self._stage.state_path)]
            with (self._stage.folder / f"follower-{name}.log").open("ab") as errors:
                self._followers[name] = subprocess.Popen(
                    [*argv, str(self._follower_record(name)), *kinds], stdin=subprocess.DEVNULL, stderr=errors
                )
        self._stage.wait_for_records(CLIENTS)

    def _strike(self, examiner: ThreadPoolExecutor) -> None:
        begun_s = time.monotonic()
        for blow in self._schedule.blows:
            while (gone_s := time.monotonic() - begun_s) < blow.at_s:
                time.sleep(min(0.2, blow.at_s - gone_s))  # the moments are the schedule's
                self._progress(gone_s, "")
            self._progress(gone_s, f"{blow.harm} {blow.whom}")
            if blow.harm == "damage copy":
                self._examine(blow, examiner)
            elif self._harms.inflict(blow):
                self._done[blow.harm] += 1
            else:
                self._missed[blow.harm] += 1
        time.sleep(max(0.0, self._schedule.seconds - (time.monotonic() - begun_s)))

    def _examine(self, blow: Blow, examiner: ThreadPoolExecutor) -> None:
        copy = self._stage.folder / f"copy-{len(self._examined)}"
        keys = acknowledged_keys(read_records(self._stage.records))
        with processes.frozen(self._stage.root_pid):
            copies.copy_state(self._stage.state_path, copy)
        self._examined.append(examiner.submit(copies.examine, copy, keys, blow.whom, blow.chance))
        self._done[blow.harm] += 1

    # --- the end

    def _end(self) -> Evidence:
        """Let everybody finish; ask for everything there is; stop Perdure; read the journal."""
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(self._stage.client())
            self._dismiss()
            self._wait_for_runs(client)
            live = inquiry.live_rows(client)
            sessions = [row_id for table, row_id in live if table == "sessions"]
            messages = {session: inquiry.messages(client, session) for session in sessions}
            texts = {session: inquiry.text(client, session) for session in sessions}
            client.call("event.record", type=END, message="the trial is over")
            self._wait_for_followers()
        self._stop()
        outputs = {run_id: self._output(run_id) for table, run_id in live if table == "runs"}
        return Evidence(
            journal=read_journal(self._stage.state_path),
            live=live,
            messages=messages,
            texts=texts,
            outputs=outputs,
            followed={name: self._followed(name) for name in FOLLOWERS},
            blows_s=tuple(self._harms.struck_s),
        )

    def _dismiss(self) -> None:
        try:
            self._stage.dismiss()
        except RuntimeError as error:
            self._verdicts.append(Verdict.of(Promise.INVISIBLE, 1, [str(error)]))

    def _wait_for_runs(self, client: Client) -> None:
        deadline_s = time.monotonic() + OVER_WITHIN_S
        while time.monotonic() < deadline_s and inquiry.is_busy(client):
            time.sleep(0.1)  # a run that is tried again is another run: there is no one event to wait for

    def _wait_for_followers(self) -> None:
        late = []
        for name, follower in self._followers.items():
            try:
                if follower.wait(OVER_WITHIN_S) != 0:
                    log = (self._stage.folder / f"follower-{name}.log").read_text(errors="replace")
                    late.append(f"the follower {name} failed: {log[-500:]}")
            except subprocess.TimeoutExpired:
                late.append(f"the follower {name} was not told of the last event within {OVER_WITHIN_S:g} s")
        self._verdicts.append(Verdict.of(Promise.FOLLOWED, len(self._followers), late))

    def _root_pid(self) -> int | None:
        return self._stage.root_pid if self._stage.is_up else None

    def _stop(self) -> None:
        runtime = self._stage.runtime_pid()
        code = self._stage.stop()
        left = processes.left_behind(self._stage.state_path, [runtime])
        self._verdicts += [
            Verdict.of(
                Promise.ORPHANS,
                1 + self._harms.roots_killed,
                [*self._harms.orphans, *(f"process {pid} lived on after Perdure had stopped" for pid in left)],
            ),
            Verdict.of(Promise.DURABLE, 1, [f"a stop in order ended with {code}"] if code else []),
        ]

    def _judged(self, evidence: Evidence) -> Outcome:
        record = read_records(self._stage.records)
        self._verdicts += [check(record, evidence) for check in CHECKS]
        return Outcome(
            schedule=self._schedule,
            exchanges=len(record),
            acknowledged=sum(one.acknowledged for one in record),
            lines=len(evidence.journal.lines),
            verdicts=summed(self._verdicts),
            harms=self._done,
            missed=self._missed,
        )

    def _follower_record(self, name: str) -> Path:
        return self._stage.folder / f"followed-{name}.jsonl"

    def _followed(self, name: str) -> tuple[dict[str, Any], ...]:
        lines = self._follower_record(name).read_text(encoding="utf-8").splitlines()
        return ({"kinds": FOLLOWERS[name]}, *map(json.loads, lines))

    def _output(self, run_id: str) -> bytes:
        path = self._stage.state_path / output_path(run_id, "stdout")
        return path.read_bytes() if path.exists() else b""
