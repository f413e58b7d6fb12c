"""FAULTS rows 4, 5, 17, 32 and 34 on whole Perdures: root, runtime and agent host in processes of their own."""

from __future__ import annotations

import errno
import time
from random import Random
from typing import Any

import pytest

from tests.kit.interposer import ON_DISK, Action, Call, Fault, Seen
from tests.kit.interposer_sample import IN_PORTIONS, place_of, portion
from tests.kit.interposer_whole import HOST, ROOT, RUNTIME, Whole, whole
from tests.kit.oracle import Broken, steps_of
from tests.kit.perdure import eventually
from tests.kit.tally import SEED

STEPS = steps_of(
    ("task.create", {"id": "a", "description": "x" * 300}),
    [("task.create", {"id": f"burst-{number}", "description": "x"}) for number in range(4)],
    ("state.save", {}),
    ("task.log", {"id": "a", "message": "one"}),
    ("task.delete", {"id": "burst-0"}),
    ("task.log", {"id": "a", "message": "two"}),
)
FOR_EVER = 0
KILLS = (Action.KILL_BEFORE, Action.KILL_AFTER, Action.HALF_THEN_KILL)
ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS)

pytestmark = pytest.mark.usefixtures("interposed")


@pytest.fixture(scope="module", params=[ROOT, RUNTIME], ids=["root", "runtime"])
def kind_and_calls(request: pytest.FixtureRequest, interposed: None) -> tuple[str, list[Seen]]:
    """A kind of process, and what it does in the workload when nothing is amiss."""
    with whole(request.param, steps=STEPS) as one:
        one.run()
        log = one.interposer.log()
    assert one.codes == []
    assert len(log) > 15
    return request.param, log


def attempt(kind: str, *faults: Fault) -> Whole:
    with whole(kind, *faults, steps=STEPS) as one:
        try:
            one.run()
        except Exception as error:
            told = f"{'; '.join(map(str, faults))} in {kind}, first {one.hit}: {error}"
            raise Broken(f"{told}\n(seed {SEED}) {one.errors}") from error
    return one


@pytest.mark.parametrize("share", IN_PORTIONS)
def test_a_whole_perdure_of_which_a_process_is_killed_at_any_call_goes_on_or_starts_again(
    kind_and_calls: tuple[str, list[Seen]], share: int | None
) -> None:
    kind, log = kind_and_calls
    random = Random(f"{SEED}/{kind}")
    for seen in portion(log, share, number=3):
        attempt(kind, Fault(random.choice(KILLS), seen.number, taken_bytes=random.choice([0, 3, 100])))


@pytest.mark.parametrize("share", IN_PORTIONS)
def test_a_whole_perdure_of_which_any_call_fails_goes_on_or_starts_again(
    kind_and_calls: tuple[str, list[Seen]], share: int | None
) -> None:
    kind, log = kind_and_calls
    random = Random(f"{SEED}/{kind}/errors")
    places = {place_of(seen): seen for seen in random.sample(log, len(log)) if seen.call in ON_DISK}
    for seen in portion(list(places.values()), share, number=3):
        action = random.choice([Action.FAIL, Action.FAIL_AFTER, Action.HALF_THEN_FAIL])
        attempt(kind, Fault(action, seen.number, error=random.choice(ERRORS), taken_bytes=20))


def test_a_root_whose_log_cannot_be_written_serves_all_the_same() -> None:
    calls, where = frozenset({Call.WRITE}), "logs/perdure.log"
    full = Fault(Action.FAIL, 1, times=FOR_EVER, error=errno.ENOSPC, calls=calls, where=where)
    one = attempt(ROOT, full)
    assert one.codes == []


def test_a_root_whose_lock_record_cannot_be_written_serves_all_the_same() -> None:
    """What stands in it is for people; the lock is the kernel's."""
    calls, where = frozenset({Call.PWRITE}), "perdure.lock"
    full = Fault(Action.FAIL, 3, times=FOR_EVER, error=errno.ENOSPC, calls=calls, where=where)
    one = attempt(ROOT, full)
    assert one.codes == []


# Row 32

LINES = 40
PROGRAM = "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i of forty; sleep 0.01; done"
PRINTED = "".join(f"line {number} of forty\n" for number in range(1, LINES + 1))


def ended_run(one: Whole) -> dict[str, Any]:
    """Start an agent, wait for its end, whoever dies meanwhile, and return its row."""
    start = steps_of(("run.exec", {"argv": ["sh", "-c", PROGRAM]}))[0]
    run_id = one.insist(start)[0]["id"]

    def over() -> Any:
        row = one.insist(steps_of(("run.get", {"id": run_id}))[0])[0]
        return row if row["status"] not in {"queued", "starting", "running"} else None

    row: dict[str, Any] = eventually(over, "the run's end")
    return row


def printed(one: Whole, row: dict[str, Any]) -> str:
    log = one.state_path / "logs" / f"run_{row['id']}.stdout.log"
    return log.read_text() if log.exists() else ""


def delivering(log: list[Seen]) -> list[int]:
    """Return the calls by which output is written, synced and acknowledged."""
    first = next(seen.number for seen in log if "/logs/run_" in seen.path)
    last = max(seen.number for seen in log if "/logs/run_" in seen.path)
    return [seen.number for seen in log if first - 3 <= seen.number <= last + 6]


@pytest.fixture(scope="module")
def deliveries(interposed: None) -> list[int]:
    with whole(RUNTIME, sample=None, pairs=True) as one:
        one.start()
        row = ended_run(one)
        assert (row["status"], row["exit_code"]) == ("exited", 0)
        numbers = delivering(one.interposer.log())
        one.stop()
        assert printed(one, row) == PRINTED
    assert len(numbers) > LINES
    return numbers


@pytest.mark.parametrize("share", IN_PORTIONS)
def test_killed_while_output_is_delivered_the_log_has_every_byte_once_and_the_status_comes_once(
    deliveries: list[int], share: int | None
) -> None:
    random = Random(SEED)
    for at in portion(deliveries, share, number=3):
        fault = Fault(random.choice(KILLS), at, taken_bytes=random.choice([0, 3]))
        with whole(RUNTIME, fault, sample=None, pairs=True) as one:
            one.start()
            row = ended_run(one)
            one.stop()
            told = f"{fault}, {one.hit}"
            assert printed(one, row) == PRINTED, told
            assert (row["status"], row["exit_code"], row["stdout"]["bytes"]) == ("exited", 0, len(PRINTED)), told


@pytest.mark.parametrize("share", IN_PORTIONS)
def test_the_agent_host_killed_while_it_delivers_leaves_the_beginning_of_the_output_and_an_interrupted_run(
    share: int | None,
) -> None:
    random = Random(SEED)
    for at in portion(range(2, LINES), share, number=3):
        fault = Fault(random.choice(KILLS), at, taken_bytes=random.choice([0, 3]))
        with whole(HOST, fault, sample=None, pairs=True) as one:
            one.start()
            row = ended_run(one)
            one.stop()
            told = f"{fault}, {one.hit}: {row}"
            assert one.hit is not None, told
            assert PRINTED.startswith(printed(one, row)) or row["status"] == "exited", told
            assert row["status"] in {"interrupted", "exited"}, told


# Row 34


@pytest.mark.parametrize("delay_ms", [300, pytest.param(2500, marks=pytest.mark.long)])
def test_nobody_takes_a_runtime_for_hung_because_its_disk_is_slow(delay_ms: int) -> None:
    """The heartbeat is missed after a fifth of a second, and no sync is as quick as that."""
    syncs = frozenset({Call.FDATASYNC, Call.FSYNC})
    slow = Fault(Action.DELAY, 1, times=FOR_EVER, delay_ms=delay_ms, calls=syncs, where="/journal/")
    with whole(RUNTIME, sample=None) as one:
        one.perdure.environment |= {
            "PERDURE_SUPERVISOR__HEARTBEAT_S": "0.05",
            "PERDURE_SUPERVISOR__HUNG_AFTER_S": str(delay_ms / 1000 / 1.5),
        }
        one.start()
        one.interposer.spoil(slow)
        begun_s = time.monotonic()
        for number in range(3):
            one.insist(steps_of(("task.create", {"id": f"t{number}", "description": "x"}), name=f"slow-{number}")[0])
        assert time.monotonic() - begun_s >= 3 * delay_ms / 1000, "each waited for its sync"
        assert one.interposer.hits >= 3
        one.interposer.mend()
        (status,) = one.insist(steps_of(("runtime.status", {}))[0])
        assert status["root"]["restarts"] == 0
        one.stop()
