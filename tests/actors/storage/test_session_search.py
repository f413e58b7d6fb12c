"""The search cache: what it finds, what keeps it true, and what happens when it is not."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from actors.model.searched import Searched, Unfinished
from actors.storage import session_search
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.session_search import NO_FULL_TEXT
from actors.storage.session_search import PAGE_MESSAGES as PAGE
from actors.storage.verify import verify_directory
from tests.kit.searching import DAEMON_ID, PAGE_MESSAGES, cached, carried_on, search_all, searching
from tests.kit.stores import (
    OTHER_SESSION,
    SESSION,
    Driver,
    disk_store,
    session_appended,
    session_created,
    session_deleted,
    session_saved,
)

HELLO = {"role": "user", "content": "Please mend the Überweisung page"}


class Desk:
    """A driver on a directory, and what searches wrote into the log."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = root / "sessions" / "search.sqlite"
        self.driver = Driver(disk_store(root))
        self.told: list[str] = []

    def found(self, text: str) -> list[str]:
        """Write what waits, and search to the end."""
        searched = self.searched(text)
        assert searched.problem is None
        return list(searched.session_ids)

    def searched(self, text: str) -> Searched:
        self.driver.write_files()
        while isinstance(answer := self.driver.store.search_messages(text), Unfinished):
            self.told += [answer.told] if answer.told else []
        return answer

    def again(self) -> None:
        """Stop in order, and start."""
        self.driver.stop()
        self.driver = Driver(disk_store(self.root))
        self.told.clear()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "state")
    desk.driver.commit(session_created(SESSION, [HELLO, {"n": {"deep": ["a needle", 7]}}]))
    desk.driver.commit(session_created(OTHER_SESSION, [{"content": "quite another matter"}]))
    yield desk
    desk.driver.store.close()


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("mend page", True),
        ("uberweisung", True),
        ("ÜBERWEIS", True),
        ("needle", True),
        ("needle page", False),
        ("user", False),
        ("n", True),
        ('"mend" AND', False),
        ('"mend', True),
        ("mend)", True),
        ("text:mend*", False),
        ("-mend", True),
        ("NEAR(mend page, 2)", False),
        ("mend \0 page", True),
        ('"', False),
        ("* ( ) ^", False),
    ],
)
def test_text_is_plain_text_and_all_of_its_words_must_stand_in_one_message(
    desk: Desk, text: str, *, is_found: bool
) -> None:
    assert (SESSION in desk.found(text)) == is_found


def test_the_best_match_comes_first(desk: Desk) -> None:
    desk.driver.commit(session_appended(3, 3, [{"content": "matter " + "and much else " * 50}]))
    assert desk.found("matter") == [OTHER_SESSION, SESSION]


def test_what_is_added_replaced_and_deleted_is_found_or_not_at_once(desk: Desk) -> None:
    assert desk.found("second") == []
    desk.driver.commit(session_appended(2, 3, [{"content": "a second thought"}]))
    assert desk.found("second") == desk.found("mend") == [SESSION]
    desk.driver.commit(session_saved(3, [{"content": "nothing but this"}]))
    assert desk.found("second") == desk.found("mend") == []
    assert desk.found("but this") == [SESSION]
    desk.driver.commit(session_deleted(4))
    assert desk.found("but this") == []
    assert len(desk.told) == 1  # made once


def test_a_long_session_is_read_in_pages_to_its_end(desk: Desk) -> None:
    many = [{"content": f"number{n}"} for n in range(PAGE * 2 + 7)]
    desk.driver.commit(session_appended(2, 2 + len(many), many))
    assert desk.found(f"number{len(many) - 1}") == [SESSION]
    desk.driver.commit(session_appended(3, 3 + len(many), [{"content": "the end"}]))
    assert desk.found("the end") == desk.found("mend") == [SESSION]


def test_a_cache_that_was_closed_in_order_is_used_again_and_brought_up_to_date(desk: Desk) -> None:
    desk.found("mend")
    desk.driver.commit(session_appended(2, 3, [{"content": "late"}]))
    desk.again()
    desk.driver.commit(session_deleted(2, OTHER_SESSION))
    assert desk.found("late") == [SESSION]
    assert desk.found("matter") == []
    assert desk.told == []


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def filled(path: Path) -> None:
    path.write_bytes(b"x" * 70_000)


def scribbled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\x5a" * (len(data) - 4096)
    path.write_bytes(data)


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def of_another_form(path: Path) -> None:
    change(path, "UPDATE mark SET form = 'another'")


def of_another_directory(path: Path) -> None:
    change(path, "UPDATE mark SET daemon_id = 'another'")


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "harm",
    [truncated, emptied, filled, scribbled, linked, of_another_form, of_another_directory, Path.unlink],
)
def test_a_cache_that_is_not_good_is_made_anew_and_the_log_says_so(desk: Desk, harm: object) -> None:
    assert callable(harm)
    desk.found("mend")
    desk.again()
    harm(desk.cache)
    assert desk.found("mend") == [SESSION]
    assert [told for told in desk.told if "made anew" in told]
    assert not desk.cache.is_symlink()


def test_a_cache_damaged_while_it_is_open_is_made_anew(desk: Desk) -> None:
    desk.found("mend")
    desk.driver.store.search_messages("mend")
    with desk.cache.open("r+b") as file:
        file.write(b"\x5a" * desk.cache.stat().st_size)
    desk.driver.commit(session_appended(2, 3, [{"content": "late"}]))
    assert desk.found("late") == desk.found("mend") == [SESSION]


def test_where_the_cache_cannot_be_kept_the_answer_says_why(desk: Desk) -> None:
    desk.driver.write_files()
    desk.cache.mkdir()
    searched = desk.searched("mend")
    assert searched.session_ids == ()
    assert "cannot be kept" in str(searched.problem)
    desk.cache.rmdir()
    assert desk.found("mend") == [SESSION]


def test_a_session_file_that_cannot_be_read_is_told_and_the_others_are_searched(desk: Desk) -> None:
    desk.driver.stop()
    file = desk.root / "sessions" / f"{OTHER_SESSION}.jsonl"
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")
    answer = search_all(desk.root, "mend").searched
    assert answer.session_ids == (SESSION,)
    assert OTHER_SESSION in str(answer.problem)


def test_a_cache_that_was_not_closed_is_gone_on_with_in_the_middle_of_a_session(desk: Desk, tmp_path: Path) -> None:
    desk.driver.commit(session_appended(2, 82, [{"content": f"number{n}"} for n in range(80)]))
    desk.driver.stop()
    with searching(desk.root) as search:
        for _slice in range(12):
            search.search("number79", DAEMON_ID)
        shutil.copytree(desk.root, tmp_path / "left")  # as a kill leaves it
    left = tmp_path / "left"
    file = left / "sessions" / f"{SESSION}.jsonl"
    shutil.move(desk.root / "sessions" / file.name, file)  # the same file, and not a copy
    before = cached(left)
    assert 0 < before < 83
    found = search_all(left, "number79")
    assert (found.searched.session_ids, found.told) == ((SESSION,), [])
    assert cached(left) == 83
    assert found.slices < 83 // PAGE_MESSAGES


@pytest.mark.parametrize("change", ["saved", "cut", "damaged"])
def test_a_session_that_does_not_go_on_where_the_cache_ends_is_read_anew(desk: Desk, change: str) -> None:
    many = [{"content": f"number{n}"} for n in range(20)]
    desk.driver.commit(session_appended(2, 22, many))
    desk.driver.stop()
    assert search_all(desk.root, "number3").searched.session_ids == (SESSION,)
    file = desk.root / "sessions" / f"{SESSION}.jsonl"
    if change == "saved":
        desk.driver = Driver(disk_store(desk.root))
        # Whatever stands there now, its last message is the one that the cache read last.
        desk.driver.commit(
            session_saved(3, [{"content": "other"} for _ in range(21)] + [many[-1], {"content": "more"}])
        )
        desk.driver.stop()
    elif change == "cut":
        file.write_bytes(file.read_bytes()[: file.read_bytes().index(b'"number3"')])
    else:
        file.write_bytes(file.read_bytes().replace(b'"number3"', b'"Xumber3"'))
    assert search_all(desk.root, "number3").searched.session_ids == ()
    assert search_all(desk.root, "mend").searched.session_ids == (() if change == "saved" else (SESSION,))


def test_a_search_is_done_in_slices_and_another_one_waits_for_it(desk: Desk) -> None:
    desk.driver.commit(*(session_created(str(uuid4()), [{"content": "common"}] * 40) for _ in range(30)))
    desk.driver.stop()
    with searching(desk.root) as search:
        assert len(carried_on(search, "needle").searched.session_ids) == 1
        for text in ("common", "needle", "common"):
            assert isinstance(search.search(text, DAEMON_ID), Unfinished)
        assert len(carried_on(search, "common").searched.session_ids) == 30
        assert len(carried_on(search, "needle").searched.session_ids) == 1


def test_while_somebody_else_holds_the_cache_the_answer_says_so_and_nothing_is_thrown_away(desk: Desk) -> None:
    desk.driver.stop()
    search_all(desk.root)
    before = cached(desk.root)
    with closing(sqlite3.connect(desk.cache)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "locked" in str(search_all(desk.root, "mend").searched.problem)
        other.rollback()
    found = search_all(desk.root, "mend")
    assert (found.searched.session_ids, found.told) == ((SESSION,), [])
    assert cached(desk.root) == before


@pytest.mark.parametrize("name", ["search.sqlite-wal", "search.sqlite-journal", "search.sqlite-shm"])
def test_a_link_in_the_place_of_one_of_its_files_is_not_followed(desk: Desk, name: str) -> None:
    desk.driver.stop()
    search_all(desk.root)
    outside = desk.root.parent / "outside"
    outside.write_bytes(b"not yours")
    (desk.root / "sessions" / name).symlink_to(outside)
    found = search_all(desk.root, "mend")
    assert found.searched.session_ids == (SESSION,)
    assert [told for told in found.told if "made anew" in told and "another directory" not in told]
    assert outside.read_bytes() == b"not yours"
    assert not (desk.root / "sessions" / name).is_symlink()


SAID_WITHOUT_BLANKS = "请修复登录页面的重定向问题。Git仓库を検索してﾃﾞｰﾀを保存する"


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("登录", True),
        ("登录页面", True),
        ("页面 重定向", True),
        ("录登", False),
        ("仓库", True),
        ("Git仓", True),
        ("検索", True),
        ("データ", True),
        ("ﾃﾞｰﾀ", True),
        ("データベース", False),
    ],
)
def test_words_are_found_where_they_are_written_without_blanks(desk: Desk, text: str, *, is_found: bool) -> None:
    desk.driver.commit(session_appended(2, 3, [{"content": SAID_WITHOUT_BLANKS}]))
    assert (SESSION in desk.found(text)) == is_found


def test_without_full_text_search_nothing_is_found_and_no_file_is_made(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_search, "has_full_text", lambda: False)
    assert desk.searched("mend") == Searched((), NO_FULL_TEXT)
    assert not desk.cache.exists()


def test_the_cache_is_private_and_has_its_place_in_the_directory(desk: Desk) -> None:
    desk.found("mend")
    files = sorted(path for path in desk.cache.parent.iterdir() if "sqlite" in path.name)
    assert [path.name for path in files] == ["search.sqlite", "search.sqlite-wal"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    findings = verify_directory(Disk(), Layout(desk.root))["findings"]
    assert [one for one in findings if "search" in str(one)] == []
    desk.driver.stop()
    assert [path.name for path in desk.cache.parent.iterdir() if "sqlite" in path.name] == ["search.sqlite"]
    findings = verify_directory(Disk(), Layout(desk.root))["findings"]
    assert [one for one in findings if "search" in str(one)] == []
