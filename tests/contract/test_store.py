"""What every store must do, whatever it is made of (`actors.storage.contract`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from actors.model.errors import NotFound, StorageFailed
from actors.model.facts import Fact
from actors.model.searched import Unfinished
from actors.storage.contract import Saved
from tests.kit.stores import (
    SESSION,
    Bench,
    DiskBench,
    Driver,
    MemoryBench,
    created,
    deleted,
    described,
    session_appended,
    session_created,
    session_deleted,
    session_saved,
    state_of,
)


@pytest.fixture(params=["disk", "disk with a fallback", "memory"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    if request.param == "memory":
        return MemoryBench()
    fallback = tmp_path / "fallback" if request.param == "disk with a fallback" else None
    return DiskBench(tmp_path / "state", fallback)


@pytest.fixture
def driver(bench: Bench) -> Iterator[Driver]:
    driver = Driver(bench.open())
    yield driver
    bench.mend()
    driver.store.close()


def saved_with(driver: Driver, task_id: str) -> Saved:
    driver.create(task_id)
    return driver.save()


def restarted(bench: Bench, driver: Driver) -> Driver:
    """Go on with a new store over the same medium, as after a crash of the process."""
    driver.store.close()
    driver.store = bench.open()
    driver.__attrs_post_init__()
    return driver


# Recovery


def test_a_new_store_is_empty_and_says_that_it_was_made(driver: Driver) -> None:
    assert driver.tables.seq == 0
    assert driver.report["case"] == "A"
    assert driver.report["initialised"] is True
    assert {"daemon_id", "node_id", "repo_root", "created_at", "version"} <= driver.recovered.identity.keys()


def test_what_was_committed_is_there_after_a_restart(bench: Bench, driver: Driver) -> None:
    driver.create("a", "b")
    driver.commit(described("a", 2, "otherwise"), key="k1")
    driver.commit(deleted("b", 2))
    before = state_of(driver.tables)
    assert state_of(restarted(bench, driver).tables) == before


def test_recovering_twice_gives_the_same(bench: Bench, driver: Driver) -> None:
    driver.create("a")
    first = state_of(restarted(bench, driver).tables)
    assert state_of(restarted(bench, driver).tables) == first
    assert driver.report["initialised"] is False


def test_the_identity_is_made_once(bench: Bench, driver: Driver) -> None:
    identity = dict(driver.recovered.identity)
    assert dict(restarted(bench, driver).recovered.identity) == identity


def test_recovery_names_the_commands_that_it_replayed(bench: Bench, driver: Driver) -> None:
    driver.commit(created("a"), ref="life-1:7")
    assert "life-1:7" in restarted(bench, driver).recovered.refs


def test_recovery_hands_on_the_newest_lines(bench: Bench, driver: Driver) -> None:
    driver.create("a", "b", "c")
    assert [line.seq for line in restarted(bench, driver).recovered.lines] == [1, 2, 3]


def test_a_key_is_remembered_with_what_its_command_made(bench: Bench, driver: Driver) -> None:
    driver.commit(created("a"), key="once")
    record = restarted(bench, driver).tables.key("once")
    assert record is not None
    assert (record.seq, record.ids) == (1, ("a",))


def test_a_row_made_again_goes_on_above_its_tombstone(bench: Bench, driver: Driver) -> None:
    driver.create("a")
    driver.commit(deleted("a", 2))
    driver = restarted(bench, driver)
    assert driver.rev("a") == 3
    driver.create("a")
    row = restarted(bench, driver).tables.row("tasks", "a")
    assert row is not None
    assert row.rev == 3


# Committing


def test_lines_are_numbered_without_a_gap_over_restarts(bench: Bench, driver: Driver) -> None:
    assert driver.commit_all([(created("a"),), (created("b"),)]) == [1, 2]
    assert restarted(bench, driver).commit(created("c")) == 3


def test_a_failed_commit_is_told_and_nothing_of_it_is_there_afterwards(bench: Bench, driver: Driver) -> None:
    driver.create("a")
    before = state_of(driver.tables)
    bench.fail_next_write()
    with pytest.raises(OSError, match="error"):
        driver.commit(created("lost"))
    bench.mend()
    driver.reopen()
    assert state_of(restarted(bench, driver).tables) == before


def test_after_a_failure_every_commit_is_refused_until_the_journal_was_begun_anew(bench: Bench, driver: Driver) -> None:
    driver.create("a")
    bench.fail_next_write()
    with pytest.raises(OSError, match="error"):
        driver.commit(created("lost"))
    bench.mend()
    with pytest.raises(OSError, match="journal"):
        driver.commit(created("refused"))
    driver.reopen()
    assert driver.commit(created("b")) == 2
    assert sorted(restarted(bench, driver).tables.tasks.rows) == ["a", "b"]


# Snapshots


def test_a_snapshot_shortens_the_next_replay_and_changes_nothing(bench: Bench, driver: Driver) -> None:
    driver.create("a", "b")
    assert driver.save().seq == 2
    driver.create("c")
    before = state_of(driver.tables)
    driver = restarted(bench, driver)
    assert state_of(driver.tables) == before
    assert (driver.report["base_seq"], driver.report["lines_replayed"]) == (2, 1)


def test_nothing_new_makes_no_new_backup(driver: Driver) -> None:
    driver.create("a")
    driver.save()
    kept = [backup["seq"] for backup in driver.store.backups()]
    driver.save()
    assert [backup["seq"] for backup in driver.store.backups()] == kept


def test_the_ten_backups_are_the_ten_states_before_the_present_one_newest_first(driver: Driver) -> None:
    for number in range(13):
        driver.create(f"task-{number}")
        driver.save()
    assert [backup["seq"] for backup in driver.store.backups()] == list(range(12, 2, -1))


def test_a_tombstone_is_forgotten_when_no_backup_and_no_file_can_bring_its_row_back(driver: Driver) -> None:
    driver.create("a")
    driver.commit(deleted("a", 2))
    assert list(driver.save().forgotten) == []
    driver.settle_files()
    forgotten = [grave for number in range(12) for grave in saved_with(driver, f"task-{number}").forgotten]
    assert {(grave.table, grave.id) for grave in forgotten} == {("tasks", "a")}


# Files behind the journal


def test_files_that_were_not_written_are_handed_out_again(bench: Bench, driver: Driver) -> None:
    driver.create("a", "b")
    driver = restarted(bench, driver)
    assert set(driver.behind.tasks) == {"a", "b"}


def test_files_that_are_durable_are_not_handed_out_again(bench: Bench, driver: Driver) -> None:
    driver.create("a", "b")
    assert driver.settle_files() == 2
    driver.save()
    driver = restarted(bench, driver)
    assert len(driver.behind) == 0


def test_the_files_watermark_waits_for_every_portion(driver: Driver) -> None:
    driver.create("a", "b", "c")
    driver.write_files(tasks_max=1)
    assert driver.store.sync_behind() == 1
    driver.write_files(tasks_max=1)
    driver.write_files(tasks_max=1)
    assert driver.store.sync_behind() == 3


def test_messages_are_read_in_pages(driver: Driver) -> None:
    driver.commit(session_created(messages=[{"n": n} for n in range(1, 6)]))
    driver.settle_files()
    page = driver.store.read_messages(SESSION, 0, 3)
    assert [json.loads(message) for message in page.messages] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert page.next == 3
    rest = driver.store.read_messages(SESSION, 3, 3)
    assert [json.loads(message) for message in rest.messages] == [{"n": 4}, {"n": 5}]
    assert rest.next is None


def test_appended_messages_follow_and_writing_them_twice_changes_nothing(bench: Bench, driver: Driver) -> None:
    driver.commit(session_created(messages=["one"]))
    driver.commit(session_appended(2, 3, ["two", "three"]))
    driver.settle_files()
    driver = restarted(bench, driver)
    assert len(driver.behind) > 0  # no snapshot says that the files are durable, so they come again
    driver.settle_files()
    page = driver.store.read_messages(SESSION, 0, 10)
    assert [json.loads(message) for message in page.messages] == ["one", "two", "three"]


def test_saving_other_messages_replaces_them_all(bench: Bench, driver: Driver) -> None:
    driver.commit(session_created(messages=["old", "older"]))
    driver.commit(session_saved(2, ["new"]))
    driver.commit(session_appended(3, 2, ["newer"]))
    driver.settle_files()
    driver = restarted(bench, driver)
    driver.settle_files()
    page = driver.store.read_messages(SESSION, 0, 10)
    assert [json.loads(message) for message in page.messages] == ["new", "newer"]


def test_a_deleted_session_is_in_the_archive_and_comes_back_with_its_messages(driver: Driver) -> None:
    driver.commit(session_created(messages=["one"]))
    driver.settle_files()
    driver.commit(session_deleted(2))
    driver.settle_files()
    assert driver.store.read_messages(SESSION, 0, 10).messages == []
    found = driver.store.read_archived(SESSION)
    assert found is not None
    row, name = found
    members = {**json.loads(row), "rev": 3}
    driver.commit(Fact(op="session.restored", id=SESSION, rev=3, data={**members, "archive": name}))
    driver.settle_files()
    page = driver.store.read_messages(SESSION, 0, 10)
    assert [json.loads(message) for message in page.messages] == ["one"]
    assert driver.store.read_archived(SESSION) is None


def test_a_deleted_session_is_whole_when_what_was_written_just_before_comes_again(bench: Bench, driver: Driver) -> None:
    """The watermark of the files lies between its first messages and its last when Perdure dies after the deletion."""
    driver.commit(session_created(messages=["one"]))
    driver.settle_files()
    driver.save()
    driver.commit(session_appended(2, 2, ["two"]))
    driver.commit(session_deleted(3))
    driver.write_files()
    driver = restarted(bench, driver)
    driver.settle_files()
    found = driver.store.read_archived(SESSION)
    assert found is not None
    row, name = found
    driver.commit(Fact(op="session.restored", id=SESSION, rev=4, data={**json.loads(row), "rev": 4, "archive": name}))
    driver.settle_files()
    page = driver.store.read_messages(SESSION, 0, 10)
    assert [json.loads(message) for message in page.messages] == ["one", "two"]


def test_a_session_deleted_before_the_snapshot_leaves_with_its_last_row_though_its_file_came_later(
    bench: Bench, driver: Driver
) -> None:
    """The snapshot knows the deletion and nothing of the session; the files know its first message only."""
    driver.commit(session_created(messages=["one"]))
    driver.settle_files()
    driver.commit(session_appended(2, 2, ["two"]))
    driver.commit(session_appended(3, 3, ["three"]))
    driver.commit(session_deleted(4))
    driver.save()
    for _ in range(2):  # and once more, as when Perdure dies before the files' watermark is saved
        driver = restarted(bench, driver)
        driver.settle_files()
    found = driver.store.read_archived(SESSION)
    assert found is not None
    row = json.loads(found[0])
    assert (row["rev"], row["message_count"], found[1]) == (3, 3, "1")
    assert driver.store.verify()["findings"] == []
    driver.commit(Fact(op="session.restored", id=SESSION, rev=5, data={**row, "rev": 5, "archive": found[1]}))
    driver.settle_files()
    page = driver.store.read_messages(SESSION, 0, 10)
    assert [json.loads(message) for message in page.messages] == ["one", "two", "three"]


def test_a_session_that_is_changed_and_deleted_by_one_line_leaves_as_it_was_changed(
    bench: Bench, driver: Driver
) -> None:
    driver.commit(session_created(messages=["one"]))
    driver.settle_files()
    driver.commit(session_appended(2, 2, ["two"]), session_deleted(3))
    driver.settle_files()
    driver = restarted(bench, driver)
    driver.settle_files()
    found = driver.store.read_archived(SESSION)
    assert found is not None
    row, name = json.loads(found[0]), found[1]
    assert (row["rev"], row["message_count"]) == (2, 2)
    driver.commit(Fact(op="session.restored", id=SESSION, rev=4, data={**row, "rev": 4, "archive": name}))
    driver.commit(session_appended(5, 3, ["three"]))
    driver.settle_files()
    page = driver.store.read_messages(SESSION, 0, 10)
    assert [json.loads(message) for message in page.messages] == ["one", "two", "three"]


def test_a_session_that_never_was_is_not_in_the_archive(driver: Driver) -> None:
    assert driver.store.read_archived(SESSION) is None


def test_text_is_read_from_an_offset(driver: Driver) -> None:
    for offset, text in ((0, "first\n"), (6, "sécond\n")):
        row = {"id": f"session_{SESSION}", "rev": 1, "bytes": 6, "offset": offset, "text": text}
        driver.commit(Fact(op="log.appended", id=f"session_{SESSION}", rev=1 + offset, data=row))
    driver.settle_files()
    assert driver.store.read_log(f"session_{SESSION}", 6, 100) == ("sécond\n".encode(), 14)
    assert driver.store.read_log(f"session_{SESSION}", 14, 100) == (b"", 14)


def test_a_report_is_read_back_and_one_that_is_not_there_is_not_found(driver: Driver) -> None:
    data = {"id": "r1", "created_at": "2026-01-01T00:00:00.000Z", "data": {"ok": [1, 2]}, "rev": 1}
    driver.commit(Fact(op="report.saved", id="r1", rev=1, data=data))
    driver.settle_files()
    report = json.loads(driver.store.read_report("r1"))
    assert report == {"id": "r1", "created_at": "2026-01-01T00:00:00.000Z", "data": {"ok": [1, 2]}}
    with pytest.raises(NotFound):
        driver.store.read_report("r2")


# Reading the journal


def test_lines_are_read_from_a_seq_on_at_most_so_many(driver: Driver) -> None:
    driver.create("a", "b", "c", "d")
    assert [line.seq for line in driver.store.read_lines(2, 2)] == [2, 3]
    assert [line.seq for line in driver.store.read_lines(4, 10)] == [4]
    assert driver.store.read_lines(5, 10) == []


def test_lines_are_read_over_snapshots_and_restarts(bench: Bench, driver: Driver) -> None:
    driver.create("a", "b")
    driver.save()
    driver.create("c")
    driver = restarted(bench, driver)
    driver.create("d")
    lines = driver.store.read_lines(1, 10)
    assert [line.seq for line in lines] == [1, 2, 3, 4]
    assert [fact.id for line in lines for fact in line.facts] == ["a", "b", "c", "d"]


def test_a_line_that_is_read_back_tells_what_was_committed(driver: Driver) -> None:
    driver.create("a")
    driver.commit(described("a", 2, "x"), key="k", ref="r", method="task.update")
    line = driver.store.read_lines(2, 1)[0]
    assert (line.cmd.method, line.cmd.key, line.cmd.ref) == ("task.update", "k", "r")
    assert msgspec.structs.asdict(line.facts[0])["op"] == "task.updated"
    assert line.facts[0].members() == {"description": "x"}


# Looking


def test_a_sound_store_has_no_findings(driver: Driver) -> None:
    driver.create("a")
    driver.settle_files()
    driver.save()
    verified = driver.store.verify()
    assert (verified["ok"], verified["findings"]) == (True, [])


def test_health_says_whether_it_can_be_written_and_what_is_there(driver: Driver) -> None:
    driver.create("a")
    driver.save()
    driver.create("b")
    driver.save()
    health = driver.store.health()
    assert health["state_dir_exists"] is True
    assert health["writeable"] is True
    assert health["backup_count"] == len(driver.store.backups()) > 0
    assert health["disk_free_bytes"] > 0


def test_a_closed_store_takes_no_more_commits(driver: Driver) -> None:
    driver.store.close()
    with pytest.raises(OSError, match="closed"):
        driver.commit(created("a"))


# Output of runs


def test_output_is_written_at_offsets_read_back_and_measured(driver: Driver) -> None:
    driver.store.write_output("r", "stdout", 0, b"hello")
    driver.store.write_output("r", "stdout", 3, b"lo, you")
    driver.store.write_output("r", "stderr", 0, b"oh")
    driver.store.sync_output("r")
    assert driver.store.output_sizes("r") == (10, 2)
    assert driver.store.read_output("r", "stdout", 0, 100) == b"hello, you"
    assert driver.store.read_output("r", "stdout", 4, 3) == b"o, "
    assert driver.store.read_output("r", "stderr", 2, 9) == b""
    assert driver.store.output_sizes("other") == (0, 0)


def test_output_is_not_written_behind_a_piece_that_is_missing(driver: Driver) -> None:
    driver.store.write_output("r", "stdout", 0, b"he")
    with pytest.raises(StorageFailed):
        driver.store.write_output("r", "stdout", 5, b", you", follows=True)
    assert driver.store.output_sizes("r") == (2, 0)
    driver.store.write_output("r", "stdout", 2, b"llo", follows=True)
    driver.store.write_output("r", "stdout", 5, b", you", follows=True)
    assert driver.store.read_output("r", "stdout", 0, 100) == b"hello, you"


def test_output_whose_beginning_somebody_took_away_goes_on_behind_it(driver: Driver) -> None:
    driver.store.write_output("r", "stdout", 5, b", you")
    assert driver.store.output_sizes("r") == (10, 0)


def test_output_is_there_after_a_restart(bench: Bench, driver: Driver) -> None:
    driver.store.write_output("r", "stdout", 0, b"hello")
    assert restarted(bench, driver).store.read_output("r", "stdout", 0, 100) == b"hello"


def test_sessions_are_found_by_what_their_messages_say(bench: Bench, driver: Driver) -> None:
    driver.commit(session_created(SESSION, [{"content": "Mend the login page"}, {"content": "and the other"}]))
    driver.settle_files()
    assert searched(driver, "MEND log") == (SESSION,)
    assert searched(driver, "mend other") == searched(driver, '"') == ()
    driver = restarted(bench, driver)
    assert searched(driver, "mend") == (SESSION,)
    driver.commit(session_deleted(2))
    driver.settle_files()
    assert searched(driver, "mend") == ()


def searched(driver: Driver, text: str) -> tuple[str, ...]:
    while isinstance(found := driver.store.search_messages(text), Unfinished):
        pass
    assert found.problem is None
    return tuple(found.session_ids)
