"""What nanocoder's session manager does, one test for each behaviour; the second half is what is better here.

The names of the tests are the table: the behaviour, as nanocoder's own suite words it, or what replaces it here.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit.perdure import WITHIN_S, Perdure, Wire, eventually, perdure
from tests.scenario.conftest import Make

ABSENT = "00000000-0000-4000-8000-000000000000"
NOT_IDS = ("", "..", "../../etc/passwd", "a/b", f"../{ABSENT}", f"{ABSENT}/../x", f"{ABSENT}\x00")

APPENDING = """
import sys
from supervisor.client import Client
socket, session_id, name, number = sys.argv[1:]
with Client(socket) as client:
    for index in range(int(number)):
        client.call("session.append", id=session_id, messages=[{"role": name, "content": str(index)}])
        client.call("session.create", title=f"{name} {index}", provider="p", model="m", working_directory=f"/{name}")
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    with perdure(tmp_path_factory.mktemp("n") / "p", sessions__max="0") as one:
        one.start()
        yield one


@pytest.fixture
def wire(whole: Perdure) -> Iterator[Wire]:
    with whole.wire() as one:
        yield one


def said(number: int) -> dict[str, Any]:
    return {"role": "user", "content": f"message {number}"}


def created(wire: Wire, **members: Any) -> dict[str, Any]:
    given = {"title": "A title", "provider": "ollama", "model": "qwen", "working_directory": "/work", **members}
    row: dict[str, Any] = wire.call("session.create", **given)
    return row


def messages(wire: Wire, session_id: str) -> list[Any]:
    found: list[Any] = []
    page: dict[str, Any] = {"next": 0}
    while page["next"] is not None:
        page = wire.call("session.messages", id=session_id, after=page["next"], limit=1000)
        found += page["messages"]
    return found


def listed(wire: Wire, **asked: Any) -> list[str]:
    return [row["id"] for row in wire.call("session.list", limit=1000, **asked)["sessions"]]


def kinds_of(wire: Wire, session_id: str) -> list[str]:
    events = wire.call("event.list", kinds=["session.*"], limit=1000)["events"]
    return [event["kind"] for event in events if event["id"] == session_id]


def used_after(wire: Wire, session_id: str, then: str) -> str:
    """Load a session until that is a later millisecond; return when it was."""
    row = eventually(
        lambda: found if (found := wire.call("session.load", id=session_id))["last_accessed_at"] > then else None,
        "a later millisecond",
    )
    stamp: str = row["last_accessed_at"]
    return stamp


# What nanocoder does.


def test_create_gives_an_id_both_times_and_keeps_the_messages(wire: Wire) -> None:
    row = created(wire, messages=[said(1), said(2)])
    assert uuid.UUID(row["id"]).version is not None
    assert row["created_at"] == row["last_accessed_at"]
    assert row["message_count"] == 2
    assert messages(wire, row["id"]) == [said(1), said(2)]


def test_two_sessions_never_have_the_same_id(wire: Wire) -> None:
    assert len({created(wire)["id"] for _ in range(20)}) == 20


def test_the_directory_is_the_owners_alone_and_so_is_every_file(whole: Perdure, wire: Wire) -> None:
    session_id = created(wire, messages=[said(1)])["id"]
    folder = whole.state_path / "sessions"
    file = folder / f"{session_id}.jsonl"
    eventually(file.exists, "the session's file")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_reading_touches_nothing(wire: Wire) -> None:
    row = created(wire, messages=[said(1)])
    assert wire.call("session.get", id=row["id"]) == row
    assert messages(wire, row["id"]) == [said(1)]
    assert wire.call("session.get", id=row["id"]) == row


def test_loading_notes_the_access_and_changes_nothing_else(wire: Wire) -> None:
    row = created(wire)
    used = used_after(wire, row["id"], row["last_accessed_at"])
    loaded = wire.call("session.get", id=row["id"])
    assert loaded == {**row, "last_accessed_at": used, "rev": loaded["rev"]}


@pytest.mark.parametrize("method", ["get", "load", "messages"])
def test_what_is_not_there_is_told_as_not_found(wire: Wire, method: str) -> None:
    assert wire.fault(f"session.{method}", id=ABSENT)["data"]["kind"] == "not_found"


@pytest.mark.parametrize("bad", NOT_IDS)
def test_an_id_that_could_be_a_path_is_refused(whole: Perdure, wire: Wire, bad: str) -> None:
    before = sorted(path.name for path in whole.state_path.parent.iterdir())
    for method in ("get", "load", "save", "delete", "messages"):
        error = wire.fault(f"session.{method}", id=bad)
        assert (error["data"]["kind"], error["data"]["violations"][0]["path"]) == ("invalid_params", "id")
    assert sorted(path.name for path in whole.state_path.parent.iterdir()) == before


def test_saving_replaces_the_messages_and_keeps_id_and_creation(wire: Wire) -> None:
    row = created(wire, messages=[said(1)])
    saved = wire.call("session.save", id=row["id"], messages=[said(2), said(3), said(4)], model="other")
    assert (saved["id"], saved["created_at"], saved["title"]) == (row["id"], row["created_at"], row["title"])
    assert (saved["message_count"], saved["model"]) == (3, "other")
    assert messages(wire, row["id"]) == [said(2), said(3), said(4)]


def test_saving_again_makes_no_second_entry(wire: Wire) -> None:
    session_id = created(wire)["id"]
    for number in range(3):
        wire.call("session.save", id=session_id, messages=[said(number)])
    assert listed(wire).count(session_id) == 1


def test_deleting_takes_it_out_of_the_list_and_again_is_fine(wire: Wire) -> None:
    session_id = created(wire)["id"]
    assert wire.call("session.delete", id=session_id) == {"id": session_id, "deleted": True}
    assert session_id not in listed(wire)
    assert wire.call("session.delete", id=session_id) == {"id": session_id, "deleted": False}


def test_the_list_is_of_one_directory_however_it_is_written(wire: Wire) -> None:
    here = {created(wire, working_directory=place)["id"] for place in ("/norm/x", "/norm/x/", "/norm/./y/../x")}
    created(wire, working_directory="/norm/xx")
    created(wire, working_directory="/norm")
    for place in ("/norm/x", "/norm//x", "/norm/y/../x/"):
        assert set(listed(wire, working_directory=place)) == here, place
    assert listed(wire, working_directory="/norm/nobody") == []


def test_the_one_used_last_comes_first(wire: Wire) -> None:
    one, two, three = (created(wire, working_directory="/order")["id"] for _ in range(3))
    then = wire.call("session.get", id=three)["last_accessed_at"]
    for session_id in (two, three, one):
        then = used_after(wire, session_id, then)
    assert listed(wire, working_directory="/order") == [one, three, two]


def test_a_new_title_is_trimmed_and_kept_by_later_saves(wire: Wire) -> None:
    session_id = created(wire)["id"]
    assert wire.call("session.rename", id=session_id, title="  The login \n")["title"] == "The login"
    wire.call("session.save", id=session_id, messages=[said(1)])
    wire.call("session.append", id=session_id, messages=[said(2)])
    assert wire.call("session.load", id=session_id)["title"] == "The login"


@pytest.mark.parametrize("title", ["", " \t\n", "x" * 201])
def test_a_title_that_is_empty_or_too_long_is_refused(wire: Wire, title: str) -> None:
    row = created(wire)
    error = wire.fault("session.rename", id=row["id"], title=title)
    assert [violation["path"] for violation in error["data"]["violations"]] == ["title"]
    assert wire.call("session.get", id=row["id"]) == row


def _absent(index: Path) -> None:
    index.unlink()


def _cut(index: Path) -> None:
    index.write_bytes(index.read_bytes()[:-40])


def _empty(index: Path) -> None:
    index.write_bytes(b"")


def _not_a_list(index: Path) -> None:
    index.write_text('{"sessions": []}')


def _all_invalid(index: Path) -> None:
    index.write_text('[{"id": "x"}, null, 5]')


def _hides_one(index: Path) -> None:
    index.write_text(json.dumps(json.loads(index.read_bytes())[1:]))


def _hides_all(index: Path) -> None:
    index.write_text("[]")


@pytest.mark.parametrize("harm", [_absent, _cut, _empty, _not_a_list, _all_invalid, _hides_one, _hides_all])
def test_the_index_never_hides_a_session_that_has_a_file(make: Make, harm: Callable[[Path], None]) -> None:
    whole = make()
    whole.start()
    with whole.wire() as wire:
        ids = {created(wire, messages=[said(number)])["id"] for number in range(3)}
    assert whole.stop() == 0
    index = whole.state_path / "sessions" / "sessions.json"
    harm(index)
    whole.start()
    with whole.wire() as wire:
        assert set(listed(wire)) == ids
        assert all(len(messages(wire, session_id)) == 1 for session_id in ids)
    eventually(lambda: index.exists() and ids <= set(re.findall(r"[0-9a-f-]{36}", index.read_text())), "it is whole")


# What is better here.


def test_beyond_the_limit_the_least_recently_used_leaves_with_an_event_and_comes_back_whole(make: Make) -> None:
    whole = make(sessions__max="3")
    whole.start()
    with whole.wire() as wire:
        rows = [created(wire, title=f"title {number}", messages=[said(number)]) for number in range(3)]
        used_after(wire, rows[0]["id"], rows[2]["last_accessed_at"])
        used_after(wire, rows[2]["id"], rows[2]["last_accessed_at"])
        new = created(wire)["id"]
        assert set(listed(wire)) == {rows[0]["id"], rows[2]["id"], new}
        gone = rows[1]["id"]
        assert kinds_of(wire, gone) == ["session.created", "session.archived"]
        told = wire.fault("session.get", id=gone)["data"]
        assert (told["kind"], told["archived"]) == ("not_found", True)
    assert whole.ended("session", "restore", gone).returncode == 0
    with whole.wire() as wire:
        assert wire.call("session.get", id=gone)["title"] == "title 1"
        assert messages(wire, gone) == [said(1)]
        assert len(listed(wire)) == 3


def test_a_limit_of_zero_is_no_limit(wire: Wire, whole: Perdure) -> None:
    ids = {created(wire, working_directory="/many")["id"] for _ in range(120)}
    assert set(listed(wire, working_directory="/many")) == ids
    assert wire.call("runtime.status")["config"]["sessions"]["max"] == 0


def long_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def aged(whole: Perdure) -> tuple[str, str, str]:
    """Give a Perdure that is older than its retention three sessions: unused, unused but running, used lately."""
    with whole.wire() as wire:
        ids = [str(uuid.uuid4()) for _ in range(3)]
        for session_id, days in zip(ids, (40, 40, 20), strict=True):
            times = {"created_at": long_ago(50), "last_accessed_at": long_ago(days)}
            wire.call("session.put", session={"id": session_id, "title": "old", **times})
        wire.call("run.put", run={"id": "live", "session_id": ids[1], "status": "running"})
    assert whole.stop() == 0
    identity = whole.state_path / "identity.json"
    known = json.loads(identity.read_bytes())
    identity.write_text(json.dumps({**known, "created_at": long_ago(60)}))
    return ids[0], ids[1], ids[2]


def test_what_is_unused_for_too_long_leaves_at_the_start_with_an_event_and_comes_back(make: Make) -> None:
    whole = make()
    whole.start()
    unused, live, recent = aged(whole)
    whole.start()
    with whole.wire() as wire:
        eventually(lambda: set(listed(wire)) == {live, recent}, "the leave of the unused one")
        assert kinds_of(wire, unused)[-1] == "session.archived"
        assert wire.call("session.restore", id=unused)["title"] == "old"
        assert unused in listed(wire)


def test_without_retention_nothing_leaves_however_old(make: Make) -> None:
    whole = make(sessions__keep_days="0")
    whole.start()
    ids = set(aged(whole))
    whole.start()
    with whole.wire() as wire:
        new = created(wire)["id"]
        assert set(listed(wire)) == {*ids, new}


def test_two_processes_at_once_lose_nothing(whole: Perdure, wire: Wire) -> None:
    session_id = created(wire)["id"]
    names, number = ("one", "two"), 40
    socket = str(whole.state_path / "perdure.sock")
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDING, socket, session_id, name, str(number)],
            env={**os.environ, **whole.environment},
        )
        for name in names
    ]
    assert [worker.wait(WITHIN_S) for worker in workers] == [0, 0]
    found = messages(wire, session_id)
    for name in names:
        assert [message["content"] for message in found if message["role"] == name] == [
            str(index) for index in range(number)
        ]
        titles = {row["title"] for row in wire.call("session.list", working_directory=f"/{name}")["sessions"]}
        assert titles == {f"{name} {index}" for index in range(number)}
    assert wire.call("session.get", id=session_id)["message_count"] == 2 * number


def test_an_append_writes_as_much_at_the_ten_thousandth_message_as_at_the_tenth(make: Make) -> None:
    whole = make()
    whole.start()
    with whole.wire() as wire:
        session_id = created(wire, messages=[said(0)] * 10)["id"]
        wire.call("session.append", id=session_id, messages=[said(7)])
        for _ in range(10):
            wire.call("session.append", id=session_id, messages=[said(1)] * 1000)
        wire.call("session.append", id=session_id, messages=[said(7)])
        assert wire.call("session.get", id=session_id)["message_count"] == 10_012
    lines = [line for line in whole.journal() if line["cmd"]["method"] == "session.append"]
    early, late = (len(json.dumps(lines[place])) for place in (0, -1))
    assert late - early < 32  # the digits of counts and seqs


def _file_cut(file: Path, _other: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def _file_empty(file: Path, _other: Path) -> None:
    file.write_bytes(b"")


def _file_of_another_shape(file: Path, _other: Path) -> None:
    file.write_text('{"messages": []}\n')


def _file_of_another_session(file: Path, other: Path) -> None:
    file.write_bytes(other.read_bytes())


@pytest.mark.parametrize("harm", [_file_cut, _file_empty, _file_of_another_shape, _file_of_another_session])
def test_a_spoilt_file_is_told_and_a_repair_gives_back_what_the_journal_holds(
    make: Make, harm: Callable[[Path, Path], None]
) -> None:
    whole = make()
    whole.start()
    with whole.wire() as wire:
        one, two = (created(wire, messages=[said(number), said(number + 1)])["id"] for number in (1, 5))
    assert whole.stop() == 0
    harm(*(whole.state_path / "sessions" / f"{session_id}.jsonl" for session_id in (one, two)))
    told = whole.ended("doctor")
    assert (told.returncode, f"sessions/{one}.jsonl" in told.stdout) == (1, True), told.stdout
    repaired = whole.ended("doctor", "--repair")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    whole.start()
    with whole.wire() as wire:
        assert set(listed(wire)) == {one, two}
        assert (messages(wire, one), messages(wire, two)) == ([said(1), said(2)], [said(5), said(6)])
        assert wire.call("session.append", id=one, messages=[said(3)])["message_count"] == 3
        assert messages(wire, one) == [said(1), said(2), said(3)]


def test_the_file_of_another_session_under_this_name_is_never_read_as_this_ones(make: Make) -> None:
    whole = make()
    whole.start()
    with whole.wire() as wire:
        one, two = (created(wire, messages=[said(number)])["id"] for number in (1, 5))
    assert whole.stop() == 0
    folder = whole.state_path / "sessions"
    spoilt, other = folder / f"{one}.jsonl", folder / f"{two}.jsonl"
    _file_of_another_session(spoilt, other)
    whole.start()
    with whole.wire() as wire:
        assert messages(wire, one) == []
        wire.call("session.append", id=one, messages=[said(2)])
        assert messages(wire, one) == [said(2)]
        assert messages(wire, two) == [said(5)]
    copies = list((whole.state_path / "quarantine").rglob(f"*{one}*"))
    assert [copy.read_bytes() for copy in copies] == [other.read_bytes()]
