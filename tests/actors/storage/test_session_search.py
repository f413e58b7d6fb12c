"""The search cache: what it finds, what keeps it true, and what happens when it is not."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.model.searched import Searched, Unfinished
from actors.storage.archive import Archive
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.line_files import LineFiles
from actors.storage.open_files import OpenFiles
from actors.storage.quarantine import Quarantine
from actors.storage.session_files import SessionFiles
from actors.storage.session_search import NO_FULL_TEXT, PAGE_MESSAGES, SessionSearch
from actors.storage.verify import verify_directory
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
    many = [{"content": f"number{n}"} for n in range(PAGE_MESSAGES * 2 + 7)]
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


def unmarked(path: Path) -> None:
    change(path, "UPDATE mark SET whole = 0")


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
    [truncated, emptied, filled, scribbled, linked, unmarked, of_another_form, of_another_directory, Path.unlink],
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
    disk, layout = Disk(), Layout(desk.root)
    files = OpenFiles(disk)
    lines = LineFiles(files, Quarantine(disk, layout, "20260101T000000.000000Z"))
    search = SessionSearch(disk, layout, SessionFiles(disk, layout, lines, Archive(disk, layout, files)))
    while isinstance(answer := search.search("mend", "d"), Unfinished):
        pass
    search.close()
    files.close()
    assert answer.session_ids == (SESSION,)
    assert OTHER_SESSION in str(answer.problem)


def test_without_full_text_search_nothing_is_found_and_no_file_is_made(tmp_path: Path, desk: Desk) -> None:
    disk, layout = Disk(), Layout(tmp_path)
    files = OpenFiles(disk)
    lines = LineFiles(files, Quarantine(disk, layout, "20260101T000000.000000Z"))
    sessions = SessionFiles(disk, layout, lines, Archive(disk, layout, files))
    search = SessionSearch(disk, layout, sessions, full_text=False)
    assert search.search("mend", "d") == Searched((), NO_FULL_TEXT)
    assert not desk.cache.exists()


def test_the_cache_is_private_and_has_its_place_in_the_directory(desk: Desk) -> None:
    desk.found("mend")
    assert stat.S_IMODE(desk.cache.stat().st_mode) == 0o600
    assert [path.name for path in desk.cache.parent.iterdir() if "sqlite" in path.name] == ["search.sqlite"]
    desk.driver.stop()
    findings = verify_directory(Disk(), Layout(desk.root))["findings"]
    assert [one for one in findings if "search" in str(one)] == []
