"""FAULTS row 3 for the interposer: it sees every call that matters, and each planted defect fails the suite.

`pytest -rP tests/faults/test_interposed_controls.py` prints the table of mutants and what caught each.
"""

from __future__ import annotations

import errno
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.interposer import ON_DISK, Action, Call, Fault, Interposer, Seen
from tests.kit.interposer_forks import CHECKOUT, Keeper, attempt
from tests.kit.interposer_mutants import MUTANTS
from tests.kit.interposer_order import is_segment
from tests.kit.interposer_workload import SAMPLE_V1
from tests.kit.oracle import Broken, Oracle, Visible, steps_of

ONE: Final = ("task.create", {"id": "a", "description": "x"})
TWO: Final = ("task.log", {"id": "a", "message": "m"})


def on_journal(log: Sequence[Seen], call: Call, action: Action, **more: Any) -> list[list[Fault]]:
    """Return a fault for each call of a kind on the journal, counted among these, but for the very first ones."""
    ours = [seen for seen in log if seen.call is call and "/journal/" in seen.path]
    numbers = [number for number, seen in enumerate(ours, 1) if is_segment(seen.path)][3:]
    return [[Fault(action, number, calls=frozenset({call}), where="/journal/", **more)] for number in numbers]


def within_writes(log: Sequence[Seen]) -> list[list[Fault]]:
    return on_journal(log, Call.PWRITE, Action.HALF_THEN_KILL, taken_bytes=100)


def between_writes(log: Sequence[Seen]) -> list[list[Fault]]:
    return on_journal(log, Call.PWRITE, Action.KILL_BEFORE)


def failed_syncs(log: Sequence[Seen]) -> list[list[Fault]]:
    return on_journal(log, Call.FDATASYNC, Action.FAIL, error=errno.EIO)


def before_syncs(log: Sequence[Seen]) -> list[list[Fault]]:
    return on_journal(log, Call.FDATASYNC, Action.KILL_BEFORE)


def lost_replies(log: Sequence[Seen]) -> list[list[Fault]]:
    replies = sum(seen.call is Call.SEND for seen in log)
    return [[Fault(Action.KILL_BEFORE, number, calls=frozenset({Call.SEND}))] for number in range(1, replies)]


def no_fault(_log: Sequence[Seen]) -> list[list[Fault]]:
    return [[]]


CATCHES: Final[dict[str, Callable[[Sequence[Seen]], list[list[Fault]]]]] = {
    "acknowledges before the write": between_writes,
    "acknowledges before the sync": no_fault,
    "forgets to sync files": no_fault,
    "forgets to sync directories": no_fault,
    "retries a failed sync": failed_syncs,
    "leaves the torn tail": within_writes,
    "believes the page cache": before_syncs,
    "forgets keys": lost_replies,
}
"""Mutant → the faults of the suite, one set of which must find it out."""


def test_every_mutant_has_a_case() -> None:
    assert set(CATCHES) == set(MUTANTS)


@pytest.mark.parametrize("mutant", CATCHES)
def test_the_suite_catches_a_runtime_that(mutant: str, keeper: Keeper, counted: list[Seen]) -> None:
    for faults in CATCHES[mutant](counted):
        try:
            attempt(keeper, *faults, mutant=mutant)
        except Broken as broken:
            sys.stdout.write(f"{mutant}: caught by {str(broken).splitlines()[0]}\n")
            return
    raise AssertionError(f"a runtime that {mutant} was not caught: the suite is not looking")


def test_the_oracle_finds_a_command_that_is_lost_doubled_halved_or_never_submitted() -> None:
    oracle = Oracle(steps_of(ONE, TWO), {noun: {} for noun in ("tasks", "sessions", "logs", "reports", "events")})
    nothing = oracle.now
    oracle.check(nothing)
    for _ in range(2):
        oracle.submit()
        oracle.acknowledge()

    def with_task(**members: object) -> Visible:
        task = {"rev": 2, "description": "x", "status": "pending", "logs": ["m"], **members}
        return {**nothing, "tasks": {"a": task}}

    oracle.check(with_task())
    wrong = [
        nothing,
        with_task(rev=1, logs=[]),
        with_task(rev=3, logs=["m", "m"]),
        with_task(logs=[]),
        {**with_task(), "events": {"never": {}}},
    ]
    for found in wrong:
        with pytest.raises(Broken):
            oracle.check(found)


PROGRAM: Final = """
import sys
from pathlib import Path
from tests.kit.oracle_disk import recover
from tests.kit.stores import Driver, created, disk_store, session_created
root = Path(sys.argv[1])
recover(root)
driver = Driver(disk_store(root, preallocate_bytes=4096))
driver.commit(session_created(messages=["one"]))
driver.create("t1", "t2")
driver.settle_files()
driver.save()
driver.stop()
"""

KERNEL_CALLS: Final[dict[str, Call]] = {
    "write": Call.WRITE,
    "pwrite64": Call.PWRITE,
    "writev": Call.WRITEV,
    "fsync": Call.FSYNC,
    "fdatasync": Call.FDATASYNC,
    "sync_file_range": Call.SYNC_FILE_RANGE,
    "syncfs": Call.SYNCFS,
    **dict.fromkeys(("rename", "renameat", "renameat2"), Call.RENAME),
    **dict.fromkeys(("link", "linkat"), Call.LINK),
    **dict.fromkeys(("unlink", "unlinkat"), Call.UNLINK),
    "ftruncate": Call.FTRUNCATE,
    "fallocate": Call.FALLOCATE,
    **dict.fromkeys(("open", "openat", "creat"), Call.CREATE),
    **dict.fromkeys(("mkdir", "mkdirat"), Call.MKDIR),
    "rmdir": Call.RMDIR,
    "sendfile": Call.SENDFILE,
    "copy_file_range": Call.COPY_FILE_RANGE,
}
NOT_INTERPOSED: Final = ("truncate", "pwritev", "pwritev2", "symlink", "symlinkat", "io_uring_enter")
"""Calls that would change the directory behind the interposer's back: Perdure makes none."""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_interposer_misses_no_call_that_the_kernel_sees(interposed: None, tmp_path: Path) -> None:
    root, log = tmp_path / "state", tmp_path / "strace.log"
    shutil.copytree(SAMPLE_V1, root)
    interposer = Interposer(tmp_path / "interposer", tmp_path / "state")
    try:
        calls = ",".join([*KERNEL_CALLS, *NOT_INTERPOSED])
        settings = [f"--env={name}={value}" for name, value in interposer.environment().items()]
        strace = ["strace", "-f", "-y", "-qq", "-s", "0", "-e", f"trace={calls}", "-o", str(log), *settings]
        traced = subprocess.run(
            [*strace, sys.executable, "-c", PROGRAM, str(root)],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if "ptrace" in traced.stderr:
            pytest.skip("strace may not trace processes here")
        assert traced.returncode == 0, traced.stderr
        seen = Counter(one.call for one in interposer.log())
    finally:
        interposer.close()
    assert seen == kernel_calls(log, root)
    assert seen.keys() <= ON_DISK
    assert sum(seen.values()) > 200


def kernel_calls(log: Path, root: Path) -> Counter[Call]:
    """Count the calls on `root` and what is below it."""
    found: Counter[Call] = Counter()
    for line in log.read_text().splitlines():
        match = re.match(r"\d+ +(\w+)\((.*)\) += ", line)
        if match is None or str(root) not in match[2]:
            continue
        name, arguments = match[1], match[2]
        assert name not in NOT_INTERPOSED, line
        if KERNEL_CALLS[name] is not Call.CREATE or "O_CREAT" in arguments:
            found[KERNEL_CALLS[name]] += 1
    return found
