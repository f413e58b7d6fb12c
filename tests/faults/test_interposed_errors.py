"""FAULTS rows 5, 6, 17-19, 22, 23 and 34: system calls that fail, come back short or late, under a real runtime.

No false acknowledgement; read-only, or a restart; and Perdure comes back when the fault is gone, without help.
"""

from __future__ import annotations

import contextlib
import errno
import json
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from supervisor.client import Client
from tests.kit.interposer import CARRYING, ON_DISK, Action, Call, Fault, Seen
from tests.kit.interposer_forks import Keeper, attempt
from tests.kit.interposer_order import is_segment, used_after_failed_sync
from tests.kit.interposer_sample import ONLY, every, sample
from tests.kit.interposer_trial import Trial
from tests.kit.oracle import Step, steps_of
from tests.kit.perdure import eventually
from tests.kit.powerloss import scratch
from tests.kit.small_disks import small_disk
from tests.kit.tally import SEED

SHARES = 4
LONG_SHARES = 24
ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT)
FOR_EVER = 0


def errors_at(number: int, log: Sequence[Seen]) -> list[Fault]:
    """Return every way in which a call can fail."""
    faults = [Fault(Action.FAIL, number, error=error) for error in ERRORS]
    faults += [Fault(Action.FAIL, number, error=errno.EIO, times=4), Fault(Action.FAIL_AFTER, number, error=errno.EIO)]
    if log[number - 1].call in CARRYING:
        faults += [Fault(Action.HALF_THEN_FAIL, number, error=errno.ENOSPC, taken_bytes=taken) for taken in (0, 3, 200)]
        faults += [Fault(Action.SHORT, number, taken_bytes=taken) for taken in (0, 1, 200)]
    if log[number - 1].call in {Call.WRITE, Call.PWRITE, Call.FSYNC, Call.FDATASYNC, Call.CREATE, Call.FTRUNCATE}:
        faults.append(Fault(Action.FAIL, number, error=errno.EINTR))
    return faults


def on_disk(log: Sequence[Seen]) -> list[Seen]:
    return [seen for seen in log if seen.call in ON_DISK]


@pytest.mark.parametrize("share", range(SHARES))
def test_a_system_call_of_any_kind_that_fails_is_told_or_made_good_and_nothing_is_lost(
    keeper: Keeper, counted: list[Seen], share: int
) -> None:
    random = Random(f"{SEED}/{share}")
    for number in sample(on_disk(counted), 24, share, SHARES):
        faults = errors_at(number, counted)
        for fault in faults if ONLY else [random.choice(faults)]:
            attempt(keeper, fault)


@pytest.mark.long
@pytest.mark.parametrize("share", range(LONG_SHARES))
def test_every_system_call_that_fails_in_any_way_is_told_or_made_good_and_nothing_is_lost(
    keeper: Keeper, counted: list[Seen], share: int
) -> None:
    for number in every(on_disk(counted), share, LONG_SHARES):
        for fault in errors_at(number, counted):
            attempt(keeper, fault)


def test_killed_while_it_comes_back_from_a_failed_write_it_keeps_what_was_acknowledged(
    keeper: Keeper, counted: list[Seen]
) -> None:
    random = Random(SEED)
    commits = [seen.number for seen in counted if seen.call is Call.FDATASYNC and is_segment(seen.path)]
    for number in random.sample(commits, 10):
        failed = Fault(Action.FAIL, number, error=random.choice(ERRORS))
        killed = Fault(random.choice([Action.KILL_BEFORE, Action.KILL_AFTER]), number + random.randint(1, 30))
        attempt(keeper, failed, killed)


def test_what_a_connection_refuses_to_carry_reaches_the_client_over_the_next(
    keeper: Keeper, counted: list[Seen]
) -> None:
    random = Random(SEED)
    replies = [seen.number for seen in counted if seen.call is Call.SEND]
    for number in random.sample(replies, 6):
        short = Fault(Action.SHORT, number, taken_bytes=random.choice([1, 20]))
        attempt(keeper, random.choice([short, Fault(Action.FAIL, number, error=errno.ENOBUFS)]))


# Row 6


def test_a_failed_fdatasync_is_told_and_not_asked_again(keeper: Keeper) -> None:
    """Every commit of a short workload."""
    with short_life(keeper) as trial:
        trial.run()
        syncs = sum(seen.call is Call.FDATASYNC and is_segment(seen.path) for seen in trial.interposer.log())
    assert syncs > 8
    told = []
    for number in range(1, syncs + 1):
        fault = Fault(Action.FAIL, number, error=errno.EIO, calls=frozenset({Call.FDATASYNC}), where="/journal/")
        with short_life(keeper, fault) as trial:
            trial.run()
            assert trial.interposer.hits == 1
            assert used_after_failed_sync(trial.interposer.log()) == []
            assert trial.deaths[0].code == 0, "it went on without a restart"
            trial.check()
            told.append(set(trial.told))
    assert {"storage_failed"} in told
    assert all(kinds <= {"storage_failed"} for kinds in told)


FEW = steps_of(
    *(("task.create", {"id": f"t{number}", "description": "x"}) for number in range(4)),
    ("state.save", {}),
    *(("task.log", {"id": "t0", "message": f"entry {number}"}) for number in range(3)),
)


def short_life(keeper: Keeper, *faults: Fault) -> contextlib.AbstractContextManager[Trial]:
    return keeper.trial(*faults, sample=None, steps=FEW, crash_at=-1)


# Rows 17-19, 22, 23 and 34: the fault begins and ends while the runtime serves


@contextmanager
def served(keeper: Keeper, steps: Sequence[Step] = (), **more: Any) -> Iterator[tuple[Trial, Client]]:
    """Give a trial whose runtime serves, from an empty directory; check everything at the end."""
    with keeper.trial(sample=None, steps=steps, crash_at=-1, **more) as trial:
        with trial.client() as client:
            client.call("task.create", id="before", description="was there before")
            trial.oracle.start["tasks"]["before"] = task("was there before")
            trial.oracle.restart()
            yield trial, client
        trial.stop()
        trial.check()


def task(description: str) -> dict[str, Any]:
    return {"rev": 1, "description": description, "status": "pending", "logs": []}


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_is_full_and_then_freed_is_told_of_read_from_and_used_again(keeper: Keeper, error: int) -> None:
    steps = steps_of(*(("task.create", {"id": f"t{number}", "description": "x" * 900}) for number in range(6)))
    with served(keeper, steps) as (trial, client):
        trial.next_step(client)
        full = Fault(Action.HALF_THEN_FAIL, 1, times=FOR_EVER, error=error, taken_bytes=100, calls=ON_DISK)
        trial.interposer.spoil(full)
        refused = [refusal_of(client, f"refused-{number}") for number in range(4)]
        assert refused[0]["kind"] == "storage_failed"
        assert {one["kind"] for one in refused[1:]} == {"read_only"}
        assert all(one["hint"] for one in refused)
        health = client.call("runtime.health")
        assert health["status"] == "read_only"
        assert health["reasons"]
        assert {row["id"] for row in client.call("task.list")["tasks"]} == {"before", "t0"}, "reads are answered"
        trial.interposer.mend()
        for _ in range(len(steps) - 1):
            trial.next_step(client)
        assert eventually(lambda: client.call("runtime.health")["writeable"], "it can be written again")


def refusal_of(client: Client, name: str, description: str = "x") -> dict[str, Any]:
    """Ask for a task that must be refused; return the error's kind and hint."""
    (answer,) = client.batch([("task.create", {"id": name, "description": description})])
    assert isinstance(answer, Exception), answer
    return {"kind": getattr(answer, "kind", None), "hint": getattr(answer, "hint", None)}


@pytest.mark.parametrize("taken_bytes", [1, 7, 0])
def test_a_disk_that_takes_every_write_short_is_written_to_all_the_same(keeper: Keeper, taken_bytes: int) -> None:
    """One byte at a time, seven, or half of what is left; preallocated zeros would take for ever by the byte."""
    with served(keeper, FEW) as (trial, client):
        at = {1: 40, 7: 200, 0: FOR_EVER}[taken_bytes]
        short = Fault(Action.SHORT, 1, times=at, taken_bytes=taken_bytes, calls=CARRYING & ON_DISK)
        trial.interposer.spoil(short)
        for _ in FEW:
            trial.next_step(client)
        assert trial.interposer.hits > 10
        assert trial.told == []


def test_a_directory_that_becomes_read_only_is_left_for_the_fallback_and_gone_back_to(
    keeper: Keeper, tmp_path: Path
) -> None:
    steps = steps_of(*(("task.create", {"id": f"t{number}", "description": "x"}) for number in range(8)))
    fallback = tmp_path / "fallback"
    with served(keeper, steps, settings={"fallback_path": str(fallback)}) as (trial, client):
        trial.next_step(client)
        read_only = Fault(Action.FAIL, 1, times=FOR_EVER, error=errno.EROFS, calls=ON_DISK)
        trial.interposer.spoil(read_only)
        for _ in range(4):
            trial.next_step(client)
        assert set(trial.told) <= {"storage_failed"}, "acknowledged all the same"
        assert b'"id":"t4"' in b"".join(path.read_bytes() for path in (fallback / "journal").iterdir())
        assert client.call("runtime.health")["status"] == "degraded"
        trial.interposer.mend()
        for _ in range(3):
            trial.next_step(client)
        assert trial.heard().deaths == []


def test_a_limit_on_the_size_of_files_is_told_and_gone_on_from_when_it_is_lifted(keeper: Keeper) -> None:
    """RLIMIT_FSIZE: the kernel's own short write, then EFBIG, and a signal that must not kill."""
    steps = steps_of(*(("task.create", {"id": f"t{number}", "description": "x" * 3000}) for number in range(4)))
    with served(keeper, steps) as (trial, client):
        pid = trial.heard().pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
        refused = [refusal_of(client, f"refused-{number}")["kind"] for number in range(2)]
        assert refused == ["storage_failed", "read_only"]
        assert [row["id"] for row in client.call("task.list")["tasks"]] == ["before"]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        for _ in steps:
            trial.next_step(client)
        assert trial.heard().deaths == []


def test_a_file_system_that_really_is_full_and_then_has_room_again_is_survived(keeper: Keeper) -> None:
    """A tmpfs of a few megabytes, filled to its last byte."""
    steps = steps_of(*(("task.create", {"id": f"t{number}", "description": "x" * 3000}) for number in range(4)))
    with (
        scratch() as folder,
        small_disk(folder, 8 << 20) as disk,
        served(keeper, steps, on=disk, settings={"disk_reserve_bytes": 0}) as (trial, client),
    ):
        trial.next_step(client)
        filler = disk / "filler"
        fill(filler)
        kinds = [refusal_of(client, f"refused-{number}", description="y" * 400_000)["kind"] for number in range(5)]
        assert kinds[0] == "storage_failed" or kinds == ["read_only"] * 5
        assert kinds[-1] == "read_only"
        assert client.call("runtime.health")["status"] == "read_only"
        assert {row["id"] for row in client.call("task.list")["tasks"]} == {"before", "t0"}
        filler.unlink()
        for _ in steps[1:]:
            trial.next_step(client)
        assert trial.heard().deaths == []


def fill(path: Path) -> None:
    """Write until nothing more is taken."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass


@pytest.mark.parametrize("call", [Call.CREATE, Call.WRITE, Call.FSYNC, Call.RENAME])
def test_a_snapshot_that_fails_leaves_the_old_one_and_the_journal_goes_on(keeper: Keeper, call: Call) -> None:
    steps = steps_of(*(("task.create", {"id": f"t{number}", "description": "x"}) for number in range(4)))
    with served(keeper, steps) as (trial, client):
        client.call("state.save")
        before = (trial.state_path / "state.json").read_bytes()
        trial.next_step(client)
        fails = Fault(Action.FAIL, 1, times=FOR_EVER, calls=frozenset({call}), where="/state.json")
        trial.interposer.spoil(fails)
        (answer,) = client.batch([("state.save", {})])
        assert getattr(answer, "kind", None) == "storage_failed"
        for _ in range(2):
            trial.next_step(client)
        assert trial.told == [], "commands are acknowledged as before"
        assert (trial.state_path / "state.json").read_bytes() == before
        assert not list(trial.state_path.glob("*.tmp-*")), "nothing half made is left"
        health = client.call("runtime.health")
        assert health["status"] == "degraded"
        assert health["save_failures"] == 1
        trial.interposer.mend()
        assert client.call("state.save")["seq"] > json.loads(before)["seq"]
        trial.next_step(client)
        assert client.call("runtime.health")["status"] == "ok"


@pytest.mark.parametrize("call", [Call.PWRITE, Call.FDATASYNC])
def test_all_64_commands_of_a_frame_whose_commit_fails_are_told_and_none_is_visible(keeper: Keeper, call: Call) -> None:
    burst = [("task.create", {"id": f"b{number}", "description": "x"}) for number in range(64)]
    with served(keeper, steps_of(burst)) as (trial, client):
        trial.interposer.spoil(Fault(Action.FAIL, 1, calls=frozenset({call}), where="/journal/"))
        answers = client.batch(burst)
        assert {getattr(answer, "kind", None) for answer in answers} == {"storage_failed"}
        assert [row["id"] for row in client.call("task.list", limit=100)["tasks"]] == ["before"]
        trial.interposer.mend()
        trial.next_step(client)


@pytest.mark.parametrize("how", ["stopped", "writer cancelled", "writer crashed", "connection closed"])
def test_what_happens_during_a_commit_does_not_leave_it_undecided(keeper: Keeper, how: str) -> None:
    """The I/O thread is in its sync; the command is decided once, whatever comes meanwhile."""
    steps = steps_of(("task.create", {"id": "during", "description": "x"}))
    with served(keeper, steps) as (trial, client):
        late = Fault(Action.DELAY, 1, delay_ms=400, calls=frozenset({Call.FDATASYNC}), where="/journal/")
        trial.interposer.spoil(late)
        step = trial.oracle.submit()
        with trial.wire() as wire:
            wire.post(step.commands[0].with_key[0], **step.commands[0].with_key[1])
            eventually(lambda: trial.interposer.hits, "the sync is under way")
            if how == "stopped":
                client.call("runtime.shutdown")
            elif how.startswith("writer"):
                client.call("actor.kill", name="writer", how="cancel" if how.endswith("cancelled") else "crash")
            if how != "connection closed":
                assert "result" in (wire.reply() or {}), "it was answered, and not with an error"
        if how == "stopped":
            trial.oracle.acknowledge()
            return
        method, params = step.commands[0].with_key
        assert client.call(method, **params)["rev"] == 1
        trial.oracle.acknowledge()


@pytest.mark.parametrize(
    "delay_ms", [200, pytest.param(2000, marks=pytest.mark.long)], ids=lambda delay_ms: f"{delay_ms} ms"
)
def test_a_slow_disk_slows_commands_down_and_nothing_else(keeper: Keeper, delay_ms: int) -> None:
    steps = steps_of(*(("task.create", {"id": f"t{number}", "description": "x"}) for number in range(3)))
    with served(keeper, steps) as (trial, client), trial.wire() as wire:
        syncs = frozenset({Call.FDATASYNC})
        slow = Fault(Action.DELAY, 1, times=FOR_EVER, delay_ms=delay_ms, calls=syncs, where="/journal/")
        trial.interposer.spoil(slow)
        number = wire.post("task.create", id="slow", description="x", idempotency_key="slow")
        eventually(lambda: trial.interposer.hits, "the sync is under way")
        assert [row["id"] for row in client.call("task.list")["tasks"]] == ["before"], "queries are answered meanwhile"
        assert wire.reply()["id"] == number
        trial.oracle.start["tasks"]["slow"] = task("x")
        trial.oracle.restart()
        for _ in steps:
            trial.next_step(client)
        assert len(trial.heard().deaths) == 0, "nobody took it for hung"
        trial.interposer.mend()
