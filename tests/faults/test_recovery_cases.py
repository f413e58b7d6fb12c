"""The lettered cases of recovery (SPEC section 5; FAULTS rows 8-15 and 43), each made and recovered from."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from actors.model.errors import IncompatibleVersion, InvalidParams
from actors.model.facts import Fact
from actors.model.keys import Command
from actors.storage.files import Disk
from actors.storage.journal_decoding import encode_body
from tests.kit.disks import Crash, Fault, FaultyDisk, read_tree
from tests.kit.histories import (
    OTHER_SESSION,
    SESSION,
    backups,
    edit_task,
    flip,
    flip_in,
    make_history,
    opened,
    quarantined,
    recovered,
    segments,
    task_of,
)
from tests.kit.mortal_disk import MortalDisk
from tests.kit.powerloss import scratch
from tests.kit.stores import Driver, created, disk_store, encode, state_of


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """A directory in memory, for tests that recover hundreds of times."""
    with scratch() as parent:
        yield parent


# A: nothing there


def test_a_missing_directory_becomes_an_empty_state(tmp_path: Path) -> None:
    state, report = recovered(tmp_path / "new")
    assert (report["case"], report["initialised"], state["seq"]) == ("A", True, 0)
    assert (tmp_path / "new" / "state.json").exists()
    assert report["directories_made"][0] == "."
    assert {"identity.json: missing; written anew", "state.json: missing"} <= set(report["warnings"])


def test_an_empty_directory_becomes_an_empty_state(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert recovered(tmp_path / "empty")[1]["case"] == "A"
    assert recovered(tmp_path / "empty")[1]["case"] == "B"


def test_a_first_start_that_was_cut_short_is_a_first_start_again(tmp_path: Path) -> None:
    recovered(tmp_path)
    (tmp_path / "state.json").unlink()
    state, report = recovered(tmp_path)
    assert (report["case"], state["seq"]) == ("A", 0)


def test_everything_made_is_private_whatever_the_umask(tmp_path: Path) -> None:
    make_history(tmp_path)
    for path in (tmp_path, *tmp_path.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_directory_of_somebody_else_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"not ours")
    before = read_tree(tmp_path)
    with pytest.raises(InvalidParams, match="no mark of Perdure"):
        recovered(tmp_path)
    assert read_tree(tmp_path) == before


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(InvalidParams, match="not a directory"):
        recovered(tmp_path / "state")


# B: state.json good


def test_a_good_state_and_the_journal_after_it_give_the_exact_state(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    state, report = recovered(tmp_path)
    assert state == expected
    assert (report["case"], report["base"], report["base_seq"], report["lines_replayed"]) == ("B", "state.json", 7, 4)
    assert report["corrupted"] is False


def test_a_state_newer_than_the_journal_loses_nothing(tmp_path: Path) -> None:
    make_history(tmp_path)
    driver = Driver(opened(tmp_path))
    driver.save()
    expected = state_of(driver.tables)
    driver.store.close()
    for path in segments(tmp_path):
        path.unlink()
    state, report = recovered(tmp_path)
    assert (state, report["case"]) == (expected, "B")


def test_a_backup_copied_over_state_json_is_no_travel_in_time(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    shutil.copy(backups(tmp_path)[0], tmp_path / "state.json")
    state, report = recovered(tmp_path)
    assert state == expected
    assert any("nothing went back in time" in warning for warning in report["warnings"])
    driver = Driver(opened(tmp_path))
    driver.create("after")
    driver.save()
    driver.store.close()
    assert recovered(tmp_path)[0]["seq"] == expected["seq"] + 1


def test_an_unclean_end_of_the_last_life_is_told(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    row = {"id": "daemon", "started": True, "rev": 1}
    driver.commit(Fact(op="daemon.started", id="daemon", rev=1, data=row))
    driver.store.close()
    driver = Driver(opened(tmp_path))
    assert driver.report["was_clean"] is False
    driver.commit(Fact(op="daemon.stopped", id="daemon", rev=2, data={**row, "started": False, "rev": 2}))
    driver.save()
    driver.store.close()
    assert recovered(tmp_path)[1]["was_clean"] is True


# C: state.json damaged


def as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "NULs": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(b"\xff\xfe garbage \n" * 9),
    "a flipped byte": lambda path: flip_in(path, b"do t2"),
    "a flipped seq": lambda path: flip_in(path, b'"seq":7'),
    "a flipped checksum": lambda path: flip(path, path.stat().st_size - 9),
    "a directory": as_directory,
    "a planted link": as_link,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_state_is_replaced_exactly_from_the_newest_backup(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    expected = make_history(tmp_path)
    damage(tmp_path / "state.json")
    state, report = recovered(tmp_path)
    assert state == expected
    assert (report["case"], report["base"], report["base_seq"]) == ("C", backups(tmp_path)[-1].name, 4)
    assert report["quarantined"]
    assert recovered(tmp_path)[1]["case"] == "B"


def test_the_bytes_of_a_damaged_state_are_kept(tmp_path: Path) -> None:
    make_history(tmp_path)
    flip_in(tmp_path / "state.json", b"do t2")
    damaged = (tmp_path / "state.json").read_bytes()
    recovered(tmp_path)
    assert damaged in quarantined(tmp_path)


def test_backups_that_are_damaged_too_are_passed_over_and_kept(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    damaged = [tmp_path / "state.json", backups(tmp_path)[-1]]
    for path in damaged:
        flip_in(path, b"do t3")
    contents = [path.read_bytes() for path in damaged]
    state, report = recovered(tmp_path)
    assert (state, report["case"], report["base_seq"]) == (expected, "C", 0)
    assert all(content in quarantined(tmp_path) for content in contents)


def test_a_rejected_record_is_named_by_line_and_excerpt(tmp_path: Path) -> None:
    make_history(tmp_path)
    flip_in(tmp_path / "state.json", b"do t2")
    lines = (tmp_path / "state.json").read_bytes().split(b"\n")
    (rejected,) = recovered(tmp_path)[1]["rejected"]
    assert (rejected["file"], rejected["reason"]) == ("state.json", "checksum does not match")
    assert lines[rejected["line"] - 1].startswith(b'{"id":"t2"')
    assert rejected["excerpt"].startswith('{"id":"t2"')


def test_every_flipped_byte_of_a_state_is_found_out_and_mended_exactly(memory_path: Path) -> None:
    expected = make_history(memory_path / "whole")
    size = (memory_path / "whole" / "state.json").stat().st_size
    for offset in range(0, size, 3):
        root = memory_path / "flipped"
        shutil.copytree(memory_path / "whole", root)
        flip(root / "state.json", offset, 1 << (offset % 8))
        state, report = recovered(root)
        assert (state, report["case"]) == (expected, "C"), offset
        shutil.rmtree(root)


class BadSector(Disk):
    """Cannot read the files of one name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._bad: set[int] = set()

    def open(self, path: Path, flags: int, *, links_max: int = 1) -> int:
        descriptor = super().open(path, flags, links_max=links_max)
        (self._bad.add if path.name == self._name else self._bad.discard)(descriptor)
        return descriptor

    def read(self, descriptor: int, bytes_max: int) -> bytes:
        self._check(descriptor)
        return super().read(descriptor, bytes_max)

    def pread(self, descriptor: int, bytes_max: int, offset: int) -> bytes:
        self._check(descriptor)
        return super().pread(descriptor, bytes_max, offset)

    def _check(self, descriptor: int) -> None:
        if descriptor in self._bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_state_that_the_disk_cannot_read_is_replaced_from_the_backup(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    state, report = recovered(tmp_path, BadSector("state.json"))
    assert (state, report["case"]) == (expected, "C")
    assert recovered(tmp_path)[0] == expected


# D: state.json and all backups damaged


def damage_all_snapshots(root: Path, needle: bytes = b'"idempotency":[') -> None:
    for path in [root / "state.json", *backups(root)]:
        flip_in(path, needle)


def test_with_all_snapshots_damaged_every_row_that_can_be_read_is_kept(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    damage_all_snapshots(tmp_path)
    segments(tmp_path)[0].unlink()  # so the journal cannot make good for it alone
    state, report = recovered(tmp_path)
    assert "D" in report["case"]
    assert state["rows"] == expected["rows"]
    assert state["tombstones"].keys() == expected["tombstones"].keys()
    assert state["seq"] == expected["seq"]
    assert report["seqs_unproven"] == [[1, 4]]
    assert recovered(tmp_path)[0] == state


def test_a_row_lost_from_all_snapshots_comes_from_its_file(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    for path in [tmp_path / "state.json", *backups(tmp_path)[1:]]:
        flip_in(path, b'"id":"t4"') if b'"id":"t4"' in path.read_bytes() else flip_in(path, b'"id":"t1"')
    flip_in(backups(tmp_path)[0], b'"metrics"')
    for path in segments(tmp_path)[:-1]:
        path.unlink()
    state, report = recovered(tmp_path)
    assert "D" in report["case"]
    assert {"table": "tasks", "id": "t4", "rev": 1} in report["adopted"]
    assert task_of(state, "t4") == task_of(expected, "t4")


def test_the_dead_stay_dead_when_everything_is_put_together(tmp_path: Path) -> None:
    make_history(tmp_path)
    driver = Driver(opened(tmp_path))
    driver.settle_files()
    driver.save()
    driver.store.close()
    damage_all_snapshots(tmp_path)
    for path in segments(tmp_path):
        path.unlink()
    state, report = recovered(tmp_path)
    assert "D" in report["case"]
    assert "t3" not in state["rows"]["tasks"]


def test_seqs_and_leases_go_on_above_everything_seen_after_a_salvage(tmp_path: Path) -> None:
    make_history(tmp_path)
    damage_all_snapshots(tmp_path)
    for path in segments(tmp_path):
        path.unlink()
    driver = Driver(opened(tmp_path))
    assert driver.tables.seq >= 7
    assert driver.tables.lease_max > 0
    assert driver.commit(created("next")) > 7
    driver.store.close()
    assert "next" in recovered(tmp_path)[0]["rows"]["tasks"]


# E: state.json removed


def test_a_removed_state_is_rebuilt_exactly_from_backup_and_journal(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    (tmp_path / "state.json").unlink()
    state, report = recovered(tmp_path)
    assert state == expected
    assert (report["case"], report["adopted"]) == ("E", [])
    assert (tmp_path / "state.json").exists()


def test_without_a_backup_it_is_rebuilt_from_a_journal_that_begins_at_one(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    for path in [tmp_path / "state.json", *backups(tmp_path)]:
        path.unlink()
    state, report = recovered(tmp_path)
    assert (state, report["case"], report["base"]) == (expected, "E", "empty")


def test_a_task_file_that_a_person_edited_wins_and_becomes_a_fact(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    (tmp_path / "state.json").unlink()
    edit_task(tmp_path, "t1", description="edited by hand")
    driver = Driver(opened(tmp_path))
    state = state_of(driver.tables)
    assert task_of(state, "t1") == {**task_of(expected, "t1"), "description": "edited by hand", "rev": 3}
    assert driver.report["adopted"] == [{"table": "tasks", "id": "t1", "rev": 3}]
    line = driver.store.read_lines(expected["seq"] + 1, 1)[0]
    assert (line.cmd.method, line.facts[0].op) == ("recovery.adopt", "task.adopted")
    driver.stop()
    assert json.loads((tmp_path / "tasks" / "t1.json").read_text())["rev"] == 3
    assert recovered(tmp_path)[0]["rows"] == state["rows"]


def test_a_task_file_of_a_higher_rev_wins_and_one_of_a_lower_rev_loses(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    (tmp_path / "state.json").unlink()
    edit_task(tmp_path, "t1", description="later", rev=9)
    edit_task(tmp_path, "t2", description="earlier", rev=1)
    driver = Driver(opened(tmp_path))
    state = state_of(driver.tables)
    driver.stop()
    assert task_of(state, "t1")["description"] == "later"
    assert task_of(state, "t1")["rev"] == 9
    assert task_of(state, "t2") == task_of(expected, "t2")
    assert json.loads((tmp_path / "tasks" / "t2.json").read_text())["description"] == "changed"


def test_a_new_task_file_becomes_a_task_and_a_deleted_one_does_not_rise(tmp_path: Path) -> None:
    make_history(tmp_path)
    (tmp_path / "state.json").unlink()
    content = json.loads((tmp_path / "tasks" / "t1.json").read_text())
    (tmp_path / "tasks" / "mine.json").write_text(json.dumps({**content, "id": "mine", "rev": 1}))
    (tmp_path / "tasks" / "t3.json").write_text(json.dumps({**content, "id": "t3", "rev": 1}))
    state, report = recovered(tmp_path)
    assert report["adopted"] == [{"table": "tasks", "id": "mine", "rev": 1}]
    assert "t3" not in state["rows"]["tasks"]


def test_a_file_that_is_no_task_stays_where_it_is_and_is_reported(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    (tmp_path / "state.json").unlink()
    edit_task(tmp_path, "t1", status="finished")
    (tmp_path / "tasks" / "t2.json").write_text('{"id": "t2", ')
    state, report = recovered(tmp_path)
    assert state["rows"] == expected["rows"]
    assert sorted(one["file"] for one in report["rejected"]) == ["tasks/t1.json", "tasks/t2.json"]
    assert json.loads((tmp_path / "tasks" / "t1.json").read_text())["status"] == "finished"


def test_members_that_a_task_has_not_are_kept_among_its_metadata(tmp_path: Path) -> None:
    make_history(tmp_path)
    (tmp_path / "state.json").unlink()
    edit_task(tmp_path, "t1", estimate="3 days", metadata={"own": 1})
    state, _ = recovered(tmp_path)
    assert task_of(state, "t1")["metadata"] == {"estimate": "3 days", "own": 1}


def test_an_edited_task_file_is_not_adopted_while_state_json_is_there(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    edit_task(tmp_path, "t1", description="edited by hand")
    driver = Driver(opened(tmp_path))
    assert state_of(driver.tables) == expected
    driver.describe("t1", "changed by command")
    driver.stop()
    assert any(b"edited by hand" in content for content in quarantined(tmp_path))


# F: the end of the journal is torn


def test_the_journal_may_end_at_every_byte_of_its_last_two_lines(memory_path: Path) -> None:
    tmp_path = memory_path
    expected = make_history(tmp_path / "whole")
    path = segments(tmp_path / "whole")[-1]
    content = path.read_bytes()
    ends = [at for at in range(len(content)) if content[at : at + 1] == b"\n"]
    states = [recovered_at(tmp_path, content[: end + 1])[0] for end in ends]
    assert states[-1] == expected
    for length in range(ends[-3] + 1, len(content)):
        whole_lines = sum(end < length for end in ends)
        state, report = recovered_at(tmp_path, content[:length])
        assert state == states[whole_lines - 1], length
        assert ("F" in report["case"]) == (length not in (ends[-3] + 1, ends[-2] + 1)), length
        assert report["seqs_lost"] == []


def recovered_at(tmp_path: Path, content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Recover a copy of the history whose last segment has this content, append, recover again; return the first."""
    root = tmp_path / "cut"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(tmp_path / "whole", root)
    segments(root)[-1].write_bytes(content)
    state, report = recovered(root)
    driver = Driver(opened(root))
    assert state_of(driver.tables) == state
    driver.create("appended")
    driver.store.close()
    assert recovered(root)[0]["rows"] == state_of(driver.tables)["rows"]
    return state, report


@pytest.mark.parametrize("tail", [bytes(700), b"garbage", b"\n\n", b'{"v":1,"seq":12,"dura', bytes(20) + b"x"])
def test_what_follows_the_last_line_is_cut_and_kept(tmp_path: Path, tail: bytes) -> None:
    expected = make_history(tmp_path)
    path = segments(tmp_path)[-1]
    path.write_bytes(path.read_bytes() + tail)
    state, report = recovered(tmp_path)
    assert state == expected
    if tail.strip(b"\0"):
        assert "F" in report["case"]
        assert any(tail.strip(b"\0") in content for content in quarantined(tmp_path))
    assert recovered(tmp_path)[1]["case"] == "B"


# G: the journal is damaged where it was acknowledged


def test_damage_in_the_middle_is_never_taken_for_torn_and_the_rest_is_applied(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    path = segments(tmp_path)[-1]
    flip_in(path, b"changed")  # seq 8: t2 is described
    state, report = recovered(tmp_path)
    assert "G" in report["case"]
    assert report["seqs_lost"] == [[8, 8]]
    assert report["corrupted"] is True
    assert [(one["file"], one["line"]) for one in report["rejected"]] == [(f"journal/{path.name}", 1)]
    assert state["rows"] == expected["rows"]  # the task's file had it
    assert {"table": "tasks", "id": "t2", "rev": 2} in report["adopted"]
    assert recovered(tmp_path)[1]["case"] == "B"
    assert recovered(tmp_path)[0] == state


def test_a_missing_segment_is_told_as_a_range_and_files_fill_in(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    (tmp_path / "state.json").write_bytes(b"")
    missing = segments(tmp_path)[1]  # 5-7, which the backup at 4 needs
    missing.unlink()
    state, report = recovered(tmp_path)
    assert (report["case"], report["seqs_lost"]) == ("CG", [[5, 7]])
    assert state["rows"]["tasks"] == expected["rows"]["tasks"]
    assert state["rows"]["sessions"][SESSION] == expected["rows"]["sessions"][SESSION]
    assert sorted(state["rows"]["sessions"]) == sorted([SESSION, OTHER_SESSION])


def test_facts_whose_row_is_lost_are_listed(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.create("t1")
    driver.describe("t1", "one")
    driver.describe("t1", "two")
    driver.create("t2")
    driver.store.close()
    path = segments(tmp_path)[-1]
    flip_in(path, b"do t1")
    state, report = recovered(tmp_path)
    assert sorted(state["rows"]["tasks"]) == ["t2"]
    assert [(one["seq"], one["id"], one["rev"]) for one in report["facts_without_row"]] == [(2, "t1", 2), (3, "t1", 3)]
    assert {"table": "tasks", "id": "t1"} in report["ids_lost"]


def test_swapped_and_doubled_lines_change_nothing_and_are_told(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    path = segments(tmp_path)[-1]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[1], lines[0], lines[0], *lines[2:]]))
    state, report = recovered(tmp_path)
    assert state["rows"] == expected["rows"]
    assert "G" in report["case"]
    assert report["seqs_lost"] == []


def test_every_flipped_byte_of_the_journal_is_found_out_or_harmless(memory_path: Path) -> None:
    tmp_path = memory_path
    driver = Driver(disk_store(tmp_path / "whole"))
    driver.create("a")
    driver.describe("a", "b")
    driver.create("c")
    expected = state_of(driver.tables)
    driver.store.close()
    path = segments(tmp_path / "whole")[-1]
    for offset in range(0, path.stat().st_size, 7):
        root = tmp_path / "flipped"
        shutil.copytree(tmp_path / "whole", root)
        flip(segments(root)[-1], offset, 1 << (offset % 8))
        state, report = recovered(root)
        assert state == expected or "F" in report["case"] or "G" in report["case"], offset
        for row_id, row in state["rows"]["tasks"].items():
            assert row in (expected["rows"]["tasks"][row_id], first_row(row_id)), offset
        shutil.rmtree(root)


def first_row(task_id: str) -> bytes:
    data = created(task_id).data
    return bytes(data) if not isinstance(data, dict) else encode(data)


# I: a newer version


@pytest.mark.parametrize("version", ["2.1.0", "3.0.0", "10.0.0"])
def test_a_newer_version_is_refused_untouched(tmp_path: Path, version: str) -> None:
    make_history(tmp_path)
    path = tmp_path / "state.json"
    path.write_bytes(path.read_bytes().replace(b'"version":"2.0.0"', f'"version":"{version}"'.encode(), 1))
    path.write_bytes(path.read_bytes().replace(b'"checksum":"sha256:', b'"checksum":"sha512:'))
    before = read_tree(tmp_path)
    with pytest.raises(IncompatibleVersion, match="newer"):
        recovered(tmp_path)
    assert read_tree(tmp_path) == before


def test_a_journal_line_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    make_history(tmp_path)
    path = segments(tmp_path)[-1]
    lines = path.read_bytes().splitlines()
    covered = lines[-1][:-18].replace(b'{"v":1,', b'{"v":2,', 1)
    path.write_bytes(b"\n".join([*lines[:-1], b'%b,"crc":"%08x"}' % (covered, crc32(covered)), b""]))
    before = read_tree(tmp_path)
    with pytest.raises(IncompatibleVersion):
        recovered(tmp_path)
    assert read_tree(tmp_path) == before


def test_a_fact_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    fact = Fact(op="task.teleported", id="t", rev=1, data={})
    driver.store.commit([encode_body("2026-01-01T00:00:00.000Z", Command(method="x"), [fact])])
    driver.store.close()
    before = read_tree(tmp_path)
    with pytest.raises(IncompatibleVersion, match=r"task\.teleported"):
        recovered(tmp_path)
    assert read_tree(tmp_path) == before


# The identity


def test_a_lost_identity_comes_back_from_the_snapshot(tmp_path: Path) -> None:
    make_history(tmp_path)
    identity = (tmp_path / "identity.json").read_bytes()
    for damaged in (None, b"{", b"[]"):
        (tmp_path / "identity.json").unlink()
        if damaged is not None:
            (tmp_path / "identity.json").write_bytes(damaged)
        recovered(tmp_path)
        assert json.loads((tmp_path / "identity.json").read_bytes()) == json.loads(identity)


# A crash during recovery, then recovery (FAULTS row 9)


def torn(root: Path) -> None:
    path = segments(root)[-1]
    path.write_bytes(path.read_bytes()[:-9] + b"\xff" * 300)


def removed_and_edited(root: Path) -> None:
    (root / "state.json").unlink()
    edit_task(root, "t1", description="edited by hand")
    edit_task(root, "t2", rev=9)


def lost_middle(root: Path) -> None:
    flip_in(segments(root)[-1], b"changed")


def all_damaged(root: Path) -> None:
    damage_all_snapshots(root)
    segments(root)[0].unlink()


def one_damaged(root: Path) -> None:
    flip_in(root / "state.json", b"do t2")
    flip_in(backups(root)[-1], b"do t2")
    torn(root)


BEFORE_A_CRASH: dict[str, Callable[[Path], None]] = {
    "B": lambda root: None,
    "C": one_damaged,
    "D": all_damaged,
    "E": removed_and_edited,
    "F": torn,
    "G": lost_middle,
}


@pytest.mark.parametrize("case", BEFORE_A_CRASH.keys())
def test_a_crash_at_any_step_of_recovery_and_then_recovery_gives_the_same_state(case: str) -> None:
    with scratch() as parent:
        make_history(parent / "before")
        BEFORE_A_CRASH[case](parent / "before")
        shutil.copytree(parent / "before", parent / "once", symlinks=True)
        whole = MortalDisk()
        expected, report = recovered(parent / "once", whole)
        assert case in report["case"]
        for changes_max in range(whole.changes):
            root = parent / "crashed"
            shutil.copytree(parent / "before", root, symlinks=True)
            disk = MortalDisk(changes_max)
            with pytest.raises(Crash):
                recovered(root, disk)
            disk.bury()
            assert recovered(root)[0] == expected, f"after {changes_max} of {whole.changes} changes"
            shutil.rmtree(root)
        assert whole.changes > 0


@pytest.mark.parametrize("case", BEFORE_A_CRASH.keys())
def test_a_call_that_fails_during_recovery_is_told_and_the_next_recovery_gives_the_same_state(case: str) -> None:
    with scratch() as parent:
        make_history(parent / "before")
        BEFORE_A_CRASH[case](parent / "before")
        shutil.copytree(parent / "before", parent / "once", symlinks=True)
        counting = FaultyDisk()
        expected, _ = recovered(parent / "once", counting)
        for call in ("write", "pwrite", "fsync", "sync_dir", "rename", "link", "unlink", "ftruncate", "mkdir"):
            for at in range(1, counting.calls.get(call, 0) + 1):
                root = parent / "failed"
                shutil.copytree(parent / "before", root, symlinks=True)
                try:
                    state, _ = recovered(root, FaultyDisk([Fault(call, at)]))
                    assert state == expected, f"{call} {at} failed and nobody said so"
                except OSError:
                    pass
                assert recovered(root)[0] == expected, f"after {call} {at} failed"
                shutil.rmtree(root)
