"""A session's file: appended to at constant cost, replayed over, torn, damaged, rewritten, and always in order."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.storage.codec import seal
from actors.storage.session_files import SessionFiles, SessionLine, SessionScan, UnreadableSession, session_header
from tests.kit.behind import Behind, behind, build, names
from tests.kit.disks import Effect, Fault, FaultyDisk, FaultyRecordingDisk, RecordingDisk
from tests.kit.powerloss import judge

ID = "0191d5a0-0000-7000-8000-000000000001"
OTHER = "0191d5a0-0000-7000-8000-000000000002"
HEADER = session_header(ID, "2026-01-01T00:00:00.000Z")


def text(index: int, mark: str = "m") -> bytes:
    return json.dumps({"role": "user", "content": f"{mark}{index}"}).encode()


def messages(first: int, last: int, mark: str = "m", rev: int = 0) -> list[SessionLine]:
    return [SessionLine.message(index, text(index, mark), rev) for index in range(first, last + 1)]


def meta(rev: int) -> SessionLine:
    return SessionLine.meta(rev, b'{"id":"%b","rev":%d}' % (ID.encode(), rev))


def everything(sessions: SessionFiles, session_id: str = ID) -> list[bytes]:
    found: list[bytes] = []
    after: int | None = 0
    while after is not None:
        page = sessions.read(session_id, after, 7, 1 << 20)
        found += page.messages
        after = page.next
    return found


def scanned(b: Behind) -> SessionScan:
    scan = b.sessions.scan(ID)
    assert isinstance(scan, SessionScan)
    return scan


def file_of(root: Path) -> Path:
    return root / "sessions" / f"{ID}.jsonl"


def test_the_file_begins_with_what_never_changes_and_every_line_is_sealed_json(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        assert b.sessions.append(ID, HEADER, [meta(1), *messages(1, 2)]) == 3
    lines = [json.loads(line) for line in file_of(tmp_path).read_bytes().split(b"\n")[:-1]]
    assert list(lines[0]) == ["v", "id", "created_at", "version", "crc"]
    assert [line.get("kind") for line in lines] == [None, "meta", "message", "message"]
    assert [list(line) for line in lines[1:3]] == [["kind", "rev", "data", "crc"], ["kind", "index", "data", "crc"]]
    assert file_of(tmp_path).stat().st_mode & 0o777 == 0o600


def test_appending_what_the_file_holds_changes_nothing(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.sessions.append(ID, HEADER, [meta(1), *messages(1, 5)])
        before = file_of(tmp_path).read_bytes()
        assert b.sessions.append(ID, HEADER, [meta(1), *messages(2, 5)]) == 0
        assert file_of(tmp_path).read_bytes() == before
        assert b.sessions.append(ID, HEADER, [meta(1), *messages(4, 7), meta(2)]) == 3
        assert everything(b.sessions) == [text(n) for n in range(1, 8)]
    with behind(tmp_path) as b:
        assert b.sessions.append(ID, None, messages(1, 8)) == 1
        assert everything(b.sessions) == [text(n) for n in range(1, 9)]
        assert scanned(b).last_meta == (2, meta(2).data)


def test_messages_that_do_not_ascend_are_a_defect_and_nothing_is_written(tmp_path: Path) -> None:
    with behind(tmp_path) as b, pytest.raises(ValueError, match="ascending"):
        b.sessions.append(ID, HEADER, [*messages(3, 4), *messages(1, 1)])
    assert not file_of(tmp_path).exists()


@pytest.mark.parametrize(("after", "limit", "bytes_max", "count", "following"), [
    (0, 10, 10**6, 10, 10),
    (0, 1000, 10**6, 600, None),
    (599, 10, 10**6, 1, None),
    (600, 10, 10**6, 0, None),
    (10**9, 10, 10**6, 0, None),
    (255, 3, 10**6, 3, 258),
    (256, 344, 10**6, 344, None),
    (300, 100, 1, 1, 301),
    (300, 100, 100, 2, 302),
    (0, 0, 10**6, 1, 1),
])  # fmt: skip
def test_a_page_is_bounded_by_number_and_bytes_and_says_where_to_go_on(
    tmp_path: Path, after: int, limit: int, bytes_max: int, count: int, following: int | None
) -> None:
    with behind(tmp_path) as b:
        b.sessions.append(ID, HEADER, [meta(1), *messages(1, 600)])
        page = b.sessions.read(ID, after, limit, bytes_max)
        assert page.messages == [text(n) for n in range(after + 1, after + 1 + count)]
        assert page.next == following


def test_a_session_without_a_file_has_no_messages_and_no_scan(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        assert b.sessions.read(ID, 0, 10, 10).messages == []
        assert b.sessions.scan(ID) is None
        assert list(b.sessions.scan_all()) == []


def test_an_append_costs_the_same_calls_at_message_10_and_at_message_20_000(tmp_path: Path) -> None:
    class Counting(FaultyDisk):
        def lstat(self, path: Path) -> os.stat_result:
            self.calls["lstat"] = self.calls.get("lstat", 0) + 1
            return super().lstat(path)

    disk = Counting()
    with behind(tmp_path, disk) as b:
        costs = []
        for last in (9, 19_999):
            b.sessions.append(ID, HEADER, messages(1, last))
            disk.calls.clear()
            b.sessions.append(ID, HEADER, messages(last + 1, last + 1))
            costs.append(dict(disk.calls))
        assert costs[0] == costs[1] == {"lstat": 2, "pwrite": 1}


def test_memory_for_a_session_is_bounded_whatever_its_length(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        for first in range(1, 20_000, 1000):
            b.sessions.append(ID, HEADER, messages(first, first + 999))
            b.sessions.sync([ID])
        survey = b.lines.survey(file_of(tmp_path))
        assert survey is not None
        assert sys.getsizeof(survey._mark_indexes) + sys.getsizeof(survey._mark_offsets) < 4096
        assert b.files._window_bytes == 0


@pytest.mark.parametrize(
    "tail", [b"{", b"\0" * 50, b"\0" * 5000, b'{"kind":"message","index":4,"da', b"\n\n", b"x\ny\n"]
)
def test_a_torn_tail_is_kept_in_quarantine_and_cut_before_the_next_append(tmp_path: Path, tail: bytes) -> None:
    with behind(tmp_path) as b:
        b.sessions.append(ID, HEADER, messages(1, 3))
    good = file_of(tmp_path).read_bytes()
    file_of(tmp_path).write_bytes(good + tail)
    with behind(tmp_path) as b:
        torn = scanned(b).torn
        assert torn is not None
        assert (torn.offset, torn.length_bytes) == (len(good), len(tail))
        assert everything(b.sessions) == [text(n) for n in range(1, 4)]
        assert b.quarantined() == b""
        b.sessions.append(ID, HEADER, messages(4, 4))
        assert b.quarantined() == tail
        assert scanned(b).torn is None
    with behind(tmp_path) as b:
        assert everything(b.sessions) == [text(n) for n in range(1, 5)]
        assert scanned(b).rejected == ()


def test_cut_at_every_byte_the_whole_lines_are_kept_and_a_replay_gives_everything_back(tmp_path: Path) -> None:
    lines = [seal(HEADER), *(line.sealed()[:-1] for line in [meta(1), *messages(1, 2)])]
    whole = b"\n".join(lines) + b"\n"
    # Without its line feed a line is whole already.
    ends = [len(b"\n".join(lines[: count + 1])) for count in range(len(lines))]
    file_of(tmp_path).parent.mkdir()
    for cut in range(len(whole)):
        file_of(tmp_path).write_bytes(whole[:cut])
        with behind(tmp_path) as b:
            assert everything(b.sessions) == [text(n) for n in range(1, 3) if ends[n + 1] <= cut]
            b.sessions.append(ID, HEADER, [meta(1), *messages(1, 3)])
            assert everything(b.sessions) == [text(n) for n in range(1, 4)]
            scan = scanned(b)
            assert (scan.rejected, scan.missing, scan.torn, scan.header) == ((), (), None, HEADER)


def test_damage_in_the_middle_is_reported_and_passed_over_and_the_next_append_moves_it_to_quarantine(
    tmp_path: Path,
) -> None:
    with behind(tmp_path) as b:
        b.sessions.append(ID, HEADER, messages(1, 5))
    lines = file_of(tmp_path).read_bytes().split(b"\n")
    lines[3] = lines[3].replace(b"m3", b"M3")
    damaged = b"\n".join(lines)
    file_of(tmp_path).write_bytes(damaged)
    with behind(tmp_path) as b:
        scan = scanned(b)
        assert [(bad.line, bad.reason) for bad in scan.rejected] == [(4, "checksum does not match")]
        assert b"M3" in scan.rejected[0].excerpt.encode()
        assert scan.missing == ((3, 3),)
        assert everything(b.sessions) == [text(n) for n in (1, 2, 4, 5)]
        assert file_of(tmp_path).read_bytes() == damaged
        b.sessions.append(ID, HEADER, messages(6, 6))
        assert b.quarantined() == damaged
        assert everything(b.sessions) == [text(n) for n in (1, 2, 4, 5, 6)]
        assert (scanned(b).rejected, scanned(b).missing) == ((), ((3, 3),))


def test_a_replay_that_brings_what_was_damaged_puts_the_file_together_in_order(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.sessions.append(ID, HEADER, [meta(1), *messages(1, 3), meta(2), *messages(4, 5)])
    damaged = file_of(tmp_path).read_bytes().replace(b"m3", b"M3").replace(b"m4", b"M4")
    file_of(tmp_path).write_bytes(damaged)
    with behind(tmp_path) as b:
        assert b.sessions.append(ID, HEADER, [*messages(2, 6), meta(3)]) == 4
        assert everything(b.sessions) == [text(n) for n in range(1, 7)]
        scan = scanned(b)
        assert (scan.rejected, scan.missing, scan.header, scan.last_meta) == ((), (), HEADER, (3, meta(3).data))
        assert b.quarantined() == damaged


def test_a_damaged_header_is_given_back_by_an_append_that_brings_it(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.sessions.append(ID, HEADER, messages(1, 2))
    damaged = b"X" + file_of(tmp_path).read_bytes()[1:]
    file_of(tmp_path).write_bytes(damaged)
    with behind(tmp_path) as b:
        assert scanned(b).header is None
        b.sessions.append(ID, HEADER, messages(3, 3))
        assert scanned(b).header == HEADER
        assert everything(b.sessions) == [text(n) for n in range(1, 4)]
        assert b.quarantined() == damaged


@pytest.mark.parametrize("how", ["appended by hand", "replaced by an editor", "removed"])
def test_a_file_that_somebody_changes_meanwhile_is_met_anew(tmp_path: Path, how: str) -> None:
    with behind(tmp_path) as b:
        b.sessions.append(ID, HEADER, messages(1, 2))
        b.sessions.sync([ID])
        path = file_of(tmp_path)
        content = path.read_bytes()
        if how == "appended by hand":
            path.write_bytes(content + b"by hand")
        elif how == "removed":
            path.unlink()
        else:
            (tmp_path / "new").write_bytes(content.replace(b"m2", b"xx"))
            (tmp_path / "new").rename(path)
        b.sessions.append(ID, HEADER, messages(1, 3))
        assert everything(b.sessions) == [text(n) for n in range(1, 4)]
        assert path.read_bytes().endswith(b"\n")
        assert {"appended by hand": b"by hand", "replaced by an editor": b"xx", "removed": b""}[how] in b.quarantined()


def test_saving_with_other_messages_begins_a_new_file_and_archives_the_old(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.sessions.append(ID, HEADER, [meta(1), *messages(1, 5)])
        old = file_of(tmp_path).read_bytes()
        assert b.sessions.rewrite(ID, HEADER, [meta(7), *messages(1, 2, "n")])
        b.sessions.append(ID, HEADER, messages(3, 3, "n", rev=8))
        assert everything(b.sessions) == [text(n, "n") for n in (1, 2, 3)]
        assert [path.read_bytes() for path in (tmp_path / "archive" / "sessions" / ID).iterdir()] == [old]


def test_replaying_the_journal_over_a_rewritten_file_changes_nothing(tmp_path: Path) -> None:
    def replay(sessions: SessionFiles) -> None:
        sessions.append(ID, HEADER, [meta(1), *messages(1, 3, rev=1)])
        sessions.append(ID, HEADER, [*messages(4, 6, "old", rev=2), meta(2)])
        sessions.rewrite(ID, HEADER, [meta(3), *messages(1, 4, "n", rev=3)])
        sessions.append(ID, HEADER, [*messages(5, 5, "n", rev=4), meta(4)])

    for _ in range(3):
        with behind(tmp_path) as b:
            replay(b.sessions)
            b.sessions.sync([ID])
            assert everything(b.sessions) == [text(n, "n") for n in range(1, 6)]
    assert len(names(tmp_path / "archive" / "sessions" / ID)) == 1


def test_a_rewrite_begins_with_its_metadata(tmp_path: Path) -> None:
    with behind(tmp_path) as b, pytest.raises(ValueError, match="metadata"):
        b.sessions.rewrite(ID, HEADER, messages(1, 2))


@pytest.mark.parametrize("session_id", ["../x", "/etc/x", "", "..", "a/b", "a\0b"])
def test_an_id_that_could_leave_the_directory_is_refused(tmp_path: Path, session_id: str) -> None:
    with behind(tmp_path / "state") as b, pytest.raises(ValueError, match="not a file name"):
        b.sessions.append(session_id, HEADER, messages(1, 1))
    assert names(tmp_path) == ["state"]


@pytest.mark.parametrize("plant", ["symlink", "hardlink"])
def test_a_planted_link_is_never_written_through(tmp_path: Path, plant: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"mine")
    with behind(tmp_path / "state") as b:
        path = file_of(tmp_path / "state")
        path.symlink_to(secret) if plant == "symlink" else path.hardlink_to(secret)
        with pytest.raises(OSError, match=r"link|names"):
            b.sessions.append(ID, HEADER, messages(1, 1))
        if plant == "symlink":
            assert isinstance(b.sessions.scan(ID), UnreadableSession)
    assert secret.read_bytes() == b"mine"


def test_descriptors_are_bounded_however_many_sessions_are_busy(tmp_path: Path) -> None:
    ids = [f"0191d5a0-0000-7000-8000-0000000000{n:02d}" for n in range(40)]
    parts = build(tmp_path, FaultyDisk(), open_max=8)
    for round_ in range(1, 4):
        for session_id in ids:
            header = session_header(session_id, "2026-01-01T00:00:00.000Z")
            parts.sessions.append(session_id, header, messages(round_, round_))
            held = [str(path.resolve()) for path in Path("/proc/self/fd").iterdir()]
            assert 1 <= sum(name.startswith(str(tmp_path)) for name in held) <= 8
    parts.sessions.sync(ids)
    assert all(everything(parts.sessions, session_id) == [text(n) for n in (1, 2, 3)] for session_id in ids)
    parts.files.close()


CALLS = ["open", "pwrite", "fdatasync", "sync_dir", "ftruncate", "fsync", "write", "rename"]


def work(sessions: SessionFiles) -> None:
    """What a background thread does, each step of it repeatable."""
    sessions.append(ID, HEADER, [meta(1), *messages(1, 2, rev=1)])
    sessions.sync([ID])
    sessions.append(ID, HEADER, [*messages(3, 4, rev=2), meta(2)])
    sessions.append(OTHER, None, messages(1, 1))
    sessions.sync([ID, OTHER])
    sessions.rewrite(ID, HEADER, [meta(3), *messages(1, 3, "n", rev=3)])
    sessions.append(ID, HEADER, messages(4, 5, "n", rev=4))
    sessions.sync([ID, OTHER])


@pytest.mark.parametrize(
    ("call", "effect"),
    [(call, Effect.FAIL) for call in CALLS] + [(call, Effect.HALF_THEN_FAIL) for call in ("pwrite", "write", "rename")],
)
@pytest.mark.parametrize("at", range(1, 7))
def test_after_a_failure_the_same_calls_succeed_and_a_power_cut_then_loses_nothing(
    tmp_path: Path, call: str, effect: Effect, at: int
) -> None:
    disk = FaultyRecordingDisk(tmp_path)
    with behind(tmp_path, disk, open_max=1) as b:
        disk.calls.clear()
        disk.faults = [Fault(call, at, effect)]
        for _ in range(3):
            try:
                work(b.sessions)
                break
            except OSError:
                continue
        else:
            pytest.fail("it did not come back")
        disk.faults = []
        disk.mark(synced=1)
        assert everything(b.sessions) == [text(n, "n") for n in range(1, 6)]

    def check(root: Path, marks: Mapping[str, int]) -> None:
        if "synced" in marks:
            with behind(root) as again:
                assert everything(again.sessions) == [text(n, "n") for n in range(1, 6)]
                assert everything(again.sessions, OTHER) == [text(1)]

    verdict = judge(disk.trace, check, first=len(disk.trace.operations) - 1)
    assert verdict.violation is None, verdict.violation


@pytest.mark.parametrize("how", ["filling a gap", "rewriting"])
def test_what_the_page_cache_shows_after_a_failed_sync_is_not_copied_into_a_new_file(tmp_path: Path, how: str) -> None:
    disk = FaultyDisk()
    with behind(tmp_path, disk) as b:
        b.sessions.append(ID, HEADER, messages(1, 1))
        b.sessions.sync([ID])
        synced = file_of(tmp_path).read_bytes()
        b.sessions.append(ID, HEADER, messages(3, 3))
        disk.calls.clear()
        disk.faults = [Fault("fdatasync")]
        with pytest.raises(OSError, match="Input/output error"):
            b.sessions.sync([ID])
        with file_of(tmp_path).open("r+b") as file:  # what the kernel may show once it has dropped the pages
            file.seek(len(synced))
            file.write(bytes(file_of(tmp_path).stat().st_size - len(synced)))
        if how == "filling a gap":
            b.sessions.append(ID, HEADER, messages(2, 2))
            assert everything(b.sessions) == [text(n) for n in (1, 2, 3)]
            assert b.quarantined() == b""
        else:
            b.sessions.rewrite(ID, HEADER, [meta(9)])
            (kept,) = (tmp_path / "archive" / "sessions" / ID).iterdir()
            assert text(3) in kept.read_bytes()


def appended(disk: RecordingDisk, root: Path) -> None:
    with behind(root, disk) as b:
        for last in range(1, 6):
            b.sessions.append(ID, HEADER, [*messages(2 * last - 1, 2 * last, rev=last), meta(last)])
            b.sessions.sync([ID])
            disk.mark(synced=2 * last)


def prefix_then_replay(root: Path, marks: Mapping[str, int]) -> None:
    synced = marks.get("synced", 0)
    for _ in range(2):
        with behind(root) as b:
            kept = everything(b.sessions)
            assert kept[:synced] == [text(n) for n in range(1, synced + 1)]
            indexes = [int(json.loads(line)["content"][1:]) for line in kept]
            assert indexes == sorted(set(indexes))
            for last in range(synced // 2 + 1, 6):
                b.sessions.append(ID, HEADER, [*messages(2 * last - 1, 2 * last, rev=last), meta(last)])
            b.sessions.append(ID, HEADER, [])
            b.sessions.sync([ID])
            assert everything(b.sessions) == [text(n) for n in range(1, 11)]
            scan = scanned(b)
            assert (scan.rejected, scan.missing, scan.torn, scan.header) == ((), (), None, HEADER)
            synced = 10


def test_after_a_power_cut_what_was_synced_is_there_and_a_replay_makes_the_rest_whole(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)
    appended(disk, tmp_path)
    verdict = judge(disk.trace, prefix_then_replay)
    assert verdict.violation is None, verdict.violation
    assert verdict.states > 40


@pytest.mark.parametrize("point", ["open_files._change:fdatasync", "open_files._sync_directories:sync_dir"])
def test_without_one_of_its_syncs_the_power_loss_model_finds_what_is_lost(tmp_path: Path, point: str) -> None:
    disk = RecordingDisk(tmp_path, forgets=point)
    appended(disk, tmp_path)
    assert point not in disk.trace.sync_points()
    assert judge(disk.trace, prefix_then_replay).violation is not None


def rewritten(root: Path, forgets: str | None = None) -> RecordingDisk:
    with behind(root) as b:
        b.sessions.append(ID, HEADER, [meta(1), *messages(1, 3)])
    disk = RecordingDisk(root, forgets=forgets)
    with behind(root, disk) as b:
        b.sessions.rewrite(ID, HEADER, [meta(2), *messages(1, 2, "n")])
        disk.mark(rewritten=1)
        b.sessions.append(ID, HEADER, [meta(3)])
    return disk


def old_or_new(root: Path, marks: Mapping[str, int]) -> None:
    old, new = [text(n) for n in (1, 2, 3)], [text(n, "n") for n in (1, 2)]
    with behind(root) as again:
        found = everything(again.sessions)
        assert found == new if "rewritten" in marks else found in (old, new)
        again.sessions.rewrite(ID, HEADER, [meta(2), *messages(1, 2, "n")])
        assert everything(again.sessions) == new
    kept = [path.read_bytes().count(b'"message"') for path in root.glob(f"archive/sessions/{ID}/*.jsonl")]
    assert 3 in kept


def test_a_power_cut_around_a_rewrite_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    verdict = judge(rewritten(tmp_path).trace, old_or_new)
    assert verdict.violation is None, verdict.violation


@pytest.mark.parametrize(
    "point",
    [
        "archive.keep_version:fsync",
        "archive.keep_version:sync_dir",
        "open_files.replace:fsync",
        "open_files._sync_directories:sync_dir",
    ],
)
def test_without_one_of_the_syncs_of_a_rewrite_the_power_loss_model_finds_what_is_lost(
    tmp_path: Path, point: str
) -> None:
    disk = rewritten(tmp_path, forgets=point)
    assert judge(disk.trace, old_or_new).violation is not None


LINES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(lambda n: messages(n, n)[0].sealed()[:-1], st.integers(1, 12)),
        st.builds(lambda n: meta(n).sealed()[:-1], st.integers(1, 12)),
        st.just(b""),
        st.just(HEADER),
    ),
    max_size=20,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=LINES,
    ending=st.sampled_from(
        [b"", b"\n", b"\0\0\0", b'{"kind'],
    ),
    replay=st.booleans(),
)
def test_whatever_stands_in_a_file_messages_come_back_in_order_and_can_be_appended(
    tmp_path: Path, lines: Sequence[bytes], ending: bytes, replay: bool
) -> None:
    content = b"\n".join(lines) + ending
    file_of(tmp_path).parent.mkdir(exist_ok=True)
    file_of(tmp_path).write_bytes(content)
    with behind(tmp_path) as b:
        scan = scanned(b)
        kept = everything(b.sessions)
        assert len(kept) == scan.last_index - sum(last - first + 1 for first, last in scan.missing)
        b.sessions.append(ID, HEADER, messages(1, 13) if replay else messages(scan.last_index + 1, scan.last_index + 1))
        b.sessions.sync([ID])
        wanted = [text(n) for n in range(1, 14)] if replay else [*kept, text(scan.last_index + 1)]
        assert everything(b.sessions) == wanted
        everywhere = file_of(tmp_path).read_bytes() + b.quarantined()
        assert all(line in everywhere for line in lines)
    with behind(tmp_path) as b:
        assert everything(b.sessions) == wanted
        assert scanned(b).torn is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_flipped_every_other_message_is_kept_and_a_replay_gives_it_back(
    tmp_path: Path, data: st.DataObject
) -> None:
    lines = [seal(HEADER) + b"\n", *(line.sealed() for line in [meta(1), *messages(1, 6)])]
    content = bytearray(b"".join(lines))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    file_of(tmp_path).parent.mkdir(exist_ok=True)
    file_of(tmp_path).write_bytes(content)
    with behind(tmp_path) as b:
        kept = everything(b.sessions)
        assert len(kept) >= 4
        assert set(kept) <= {text(n) for n in range(1, 7)}
        b.sessions.append(ID, HEADER, messages(1, 7))
        assert everything(b.sessions) == [text(n) for n in range(1, 8)]


def test_the_lines_of_another_session_are_passed_over_and_go_to_quarantine(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.sessions.append(OTHER, session_header(OTHER, "2026-01-01T00:00:00.000Z"), [meta(1), *messages(1, 3)])
        path, other = b.layout.session_file(ID), b.layout.session_file(OTHER)
        path.write_bytes(other.read_bytes())
        scan = b.sessions.scan(ID)
        assert isinstance(scan, SessionScan)
        assert (scan.header, scan.last_index, scan.rejected_count, len(scan.rejected)) == (None, 0, 5, 1)
        assert b.sessions.read(ID, 0, 10, 1000).messages == []
        assert b.sessions.append(ID, HEADER, [meta(1), *messages(1, 2, "own")]) == 3
        assert everything(b.sessions) == [text(1, "own"), text(2, "own")]
        assert everything(b.sessions, OTHER) == [text(1), text(2), text(3)]
        scan = b.sessions.scan(ID)
        assert isinstance(scan, SessionScan)
        assert (scan.header, scan.rejected_count) == (HEADER, 0)
