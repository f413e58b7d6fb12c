"""Going back in time: the state of any seq that can be reached, and back again; nothing in between."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.model.errors import Conflict, NotFound
from actors.model.facts import Fact
from actors.model.run import Run, Stream, output_path
from actors.storage import offline
from actors.storage.restore import Moment
from tests.kit.disks import read_tree
from tests.kit.histories import flip_in, recovered, segments
from tests.kit.pasts import History, lived, without_revs
from tests.kit.stores import (
    SESSION,
    Driver,
    Ticks,
    described,
    disk_store,
    encode,
)


def check(root: Path, history: History, seq: int) -> None:
    """Hold rows, messages, reports and every file against what was true at a seq."""
    driver = Driver(disk_store(root, clock=Ticks(1_767_300_000.0)))
    try:
        assert without_revs(driver.tables) == history.past[seq]
        for session_id, expected in history.spoken[seq].items():
            page = driver.store.read_messages(session_id, 0, 1000)
            assert [json.loads(one) for one in page.messages] == expected
        for report_id, expected_data in history.reports[seq].items():
            assert json.loads(driver.store.read_report(report_id))["data"] == expected_data
        driver.settle_files()
    finally:
        driver.store.close()
    assert offline.verify(root)["findings"] == []


WHAT = ("task", "task", "task_away", "talk", "talk", "talk_anew", "silence", "report", "save", "restart")
STEPS = st.lists(st.tuples(st.sampled_from(WHAT), st.integers(0, 5)), min_size=3, max_size=25)


def there_and_back(steps: list[tuple[str, int]], pick: list[int]) -> None:
    """Live, then go to moments of that life, each time back to its end."""
    folder = Path(tempfile.mkdtemp())
    try:
        root = folder / "state"
        history = History(root)
        for what, which in steps:
            history.do(what, which)
        newest = history.close()
        for number in pick:
            target = number % (newest + 1)
            before = recovered(root)[0]["seq"]
            restored = offline.restore(root, Moment(seq=target), dry_run=False)
            assert restored["incomplete"] == []
            assert restored["seq"] >= before
            check(root, history, target)
            offline.restore(root, Moment(seq=before), dry_run=False)
            check(root, history, newest)
    finally:
        shutil.rmtree(folder)


PICK = st.lists(st.integers(0, 1 << 30), min_size=1, max_size=2)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, pick=PICK)
def test_any_moment_comes_back_and_restoring_the_restore_brings_the_present_back(
    steps: list[tuple[str, int]], pick: list[int]
) -> None:
    there_and_back(steps, pick)


@pytest.mark.long
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.tuples(st.sampled_from(WHAT), st.integers(0, 5)), min_size=15, max_size=60), pick=PICK)
def test_any_moment_of_a_long_life_comes_back(steps: list[tuple[str, int]], pick: list[int]) -> None:
    there_and_back(steps, pick)


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(tmp_path: Path) -> None:
    history = lived(tmp_path)
    offline.verify(tmp_path)
    before = {name: data for name, data in read_tree(tmp_path)[0].items() if not name.endswith(".lock")}
    planned = offline.restore(tmp_path, Moment(seq=3), dry_run=True)
    assert (planned["done"], planned["to_seq"], planned["from_seq"]) == (False, 3, max(history.past))
    assert planned["remade"]["sessions"] == [SESSION]
    assert planned["removed"]["tasks"] == ["b"]
    assert {name: data for name, data in read_tree(tmp_path)[0].items() if not name.endswith(".lock")} == before


def test_the_state_before_is_kept_and_leads_back(tmp_path: Path) -> None:
    history = lived(tmp_path)
    newest = max(history.past)
    restored = offline.restore(tmp_path, Moment(seq=3), dry_run=False)
    kept = list((tmp_path / restored["kept_in"]).iterdir())
    assert [json.loads(path.read_bytes())["seq"] for path in kept] == [newest]
    offline.restore(tmp_path, Moment(backup=kept[0]), dry_run=False)
    check(tmp_path, history, newest)


def test_seq_and_rev_only_ever_grow(tmp_path: Path) -> None:
    lived(tmp_path)
    before, _ = recovered(tmp_path)
    offline.restore(tmp_path, Moment(seq=3), dry_run=False)
    after, _ = recovered(tmp_path)
    assert after["seq"] > before["seq"]
    assert after["lease_max"] >= before["lease_max"]
    for table in ("tasks", "sessions", "reports"):
        for row_id, row in after["rows"][table].items():
            old = before["rows"][table].get(row_id)
            assert old is None or old == row or json.loads(old)["rev"] < json.loads(row)["rev"]


def test_what_is_as_it_was_is_left_alone(tmp_path: Path) -> None:
    history = lived(tmp_path)
    restored = offline.restore(tmp_path, Moment(seq=max(history.past)), dry_run=False)
    assert (restored["done"], restored["kept_in"]) == (False, None)


def test_a_time_means_the_last_line_written_by_then(tmp_path: Path) -> None:
    history = lived(tmp_path)
    stamps = {}
    for line in b"".join(path.read_bytes() for path in segments(tmp_path)).splitlines():
        members = json.loads(line)
        stamps[members["seq"]] = members["ts"]
    restored = offline.restore(tmp_path, Moment(time=stamps[4]), dry_run=False)
    assert restored["to_seq"] == 4
    check(tmp_path, history, 4)
    with pytest.raises(NotFound, match="nothing here is as old"):
        offline.restore(tmp_path, Moment(time="2000-01-01T00:00:00.000Z"), dry_run=False)


def test_a_moment_that_cannot_be_reached_is_refused_and_the_range_told(tmp_path: Path) -> None:
    history = lived(tmp_path)
    newest = max(history.past)
    with pytest.raises(NotFound, match=f"the newest is {newest}") as ahead:
        offline.restore(tmp_path, Moment(seq=newest + 1), dry_run=False)
    assert f"0 to {newest}" in ahead.value.hint
    flip_in(segments(tmp_path)[0], b'"seq":2')
    before = read_tree(tmp_path)[0]
    with pytest.raises(NotFound, match="cannot be put together") as gone:
        offline.restore(tmp_path, Moment(seq=3), dry_run=True)
    assert f"5 to {newest}" in gone.value.hint or f"4 to {newest}" in gone.value.hint
    assert {name: data for name, data in read_tree(tmp_path)[0].items() if not name.endswith(".lock")} == {
        name: data for name, data in before.items() if not name.endswith(".lock")
    }


def test_a_backup_of_another_directory_is_refused(tmp_path: Path) -> None:
    lived(tmp_path / "one")
    lived(tmp_path / "other")
    theirs = next((tmp_path / "other").glob("state.backup.*"))
    with pytest.raises(Conflict, match="another state directory"):
        offline.restore(tmp_path / "one", Moment(backup=theirs), dry_run=False)
    with pytest.raises(NotFound, match="missing"):
        offline.restore(tmp_path / "one", Moment(backup=tmp_path / "nothing"), dry_run=False)


def test_no_agent_begins_to_run_because_of_a_restore(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.create("agents", status="running")
    driver.create("persons", status="running", worker="me")
    for run_id, status in (("r1", "running"), ("r2", "queued")):
        stdout = Stream(path=output_path(run_id, "stdout"))
        run = Run(id=run_id, task_id="agents", status=status, stdout=stdout, rev=1)  # type: ignore[arg-type]
        driver.commit(Fact(op="run.recorded", id=run_id, rev=1, data=msgspec.Raw(encode(run))))
    target = driver.tables.seq
    driver.describe("agents", "later")
    driver.stop()
    restored = offline.restore(tmp_path, Moment(seq=target), dry_run=False)
    rows = recovered(tmp_path)[0]["rows"]
    assert restored["runs_ended"] == ["r1", "r2"]
    assert [json.loads(row)["status"] for row in rows["runs"].values()] == ["interrupted", "cancelled"]
    tasks = {row_id: json.loads(row) for row_id, row in rows["tasks"].items()}
    assert (tasks["agents"]["status"], tasks["agents"]["description"]) == ("pending", "do agents")
    assert (tasks["persons"]["status"], tasks["persons"]["worker"]) == ("running", "me")


def test_keys_and_events_stay_so_that_a_repeat_does_nothing_twice(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.create("a")
    driver.commit(described("a", 2, "changed"), key="once")
    driver.commit(Fact(op="event.recorded", id="e", rev=1, data={"id": "e", "type": "x", "rev": 1}))
    driver.stop()
    offline.restore(tmp_path, Moment(seq=1), dry_run=False)
    state, _ = recovered(tmp_path)
    assert "once" in state["keys"]
    assert "e" in state["rows"]["events"]
    assert "state:restored" in [json.loads(row)["type"] for row in state["rows"]["events"].values()]


def test_log_entries_that_left_a_row_since_are_neither_lost_nor_doubled(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    entries = [
        {"timestamp": "2026-01-01T00:00:00.000Z", "level": "info", "type": "user", "message": str(n)} for n in range(4)
    ]
    driver.create("a")
    driver.commit(Fact(op="task.logged", id="a", rev=2, data={"entries": entries[:3], "kept": 3}))
    target = driver.tables.seq
    spilled = {"id": "task_a", "entries": 2, "before": 0, "first": 1, "lines": entries[:2], "rev": 1}
    driver.commit(
        Fact(op="task.logged", id="a", rev=3, data={"entries": entries[3:], "kept": 2}),
        Fact(op="log.spilled", id="task_a", rev=1, data=spilled),
    )
    driver.stop()
    offline.restore(tmp_path, Moment(seq=target), dry_run=False)
    state, _ = recovered(tmp_path)
    assert [entry["message"] for entry in json.loads(state["rows"]["tasks"]["a"])["logs"]] == ["2"]
    assert json.loads(state["rows"]["logs"]["task_a"])["entries"] == 2
    assert (tmp_path / "logs" / "task_a.log").read_bytes().count(b'"kind":"entry"') == 2
