"""Sessions as the specification words them: rows, ids, reading, loading, messages, lists, ends, retention, the index.

One Perdure serves the whole module; tests that restart or fill one have another.
"""

import itertools
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

from tests.kit.perdure import Perdure, Wire, eventually, perdure

MEMBERS = set(
    re.findall(
        r"\w+",
        "id, title, provider, model, working_directory, created_at, last_accessed_at, message_count, status, outcome, "
        "closed_at, closed_reason, alias, external_ids, parent_id, parent_candidates, parent_candidates_omitted, "
        "identity_resolution, fingerprints, transcript_files, git, cwd, first_prompt_preview, task_ids, projects, "
        "activity, last_progress_at, current_turn_id, metadata, rev",
    )
)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
OUTCOMES = ("open", "done", "blocked", "abandoned", "merged", "superseded")
NUMBERS = itertools.count(1)


class Another(Protocol):
    """Starts another Perdure with settings."""

    def __call__(self, **settings: str) -> Perdure: ...


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    with perdure(tmp_path_factory.mktemp("sessions") / "p", sessions__max="0") as one:
        one.start()
        eventually(lambda: one.call("runtime.ping")["seq"], "its own first fact, which would move a seq later")
        yield one


@pytest.fixture
def wire(whole: Perdure) -> Iterator[Wire]:
    with whole.wire() as one:
        yield one


@pytest.fixture
def another(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Another]:
    with ExitStack() as stack:

        def start(**settings: str) -> Perdure:
            one = stack.enter_context(perdure(tmp_path_factory.mktemp("more") / "p", **settings))
            one.start()
            return one

        yield start


def seq(wire: Wire) -> int:
    number: int = wire.call("runtime.ping")["seq"]
    return number


def place() -> str:
    """A working directory that no other test uses."""
    return f"/work/{next(NUMBERS)}-{uuid.uuid4().hex[:8]}"


def made(wire: Wire, **params: Any) -> str:
    whole = {"title": "t", "provider": "p", "model": "m", "working_directory": "/w", **params}
    session_id: str = wire.call("session.create", **whole)["id"]
    return session_id


def paths(error: dict[str, Any]) -> set[str]:
    assert error["code"] == -32602
    assert error["data"]["kind"] == "invalid_params"
    return {violation["path"] for violation in error["data"]["violations"]}


def messages(wire: Wire, session_id: str, limit: int | None = None) -> list[Any]:
    """All messages of a session, page by page."""
    found: list[Any] = []
    params: dict[str, Any] = {"id": session_id} if limit is None else {"id": session_id, "limit": limit}
    for _ in range(1000):
        page = wire.call("session.messages", **params)
        assert set(page) == {"messages", "next"}
        assert limit is None or len(page["messages"]) <= limit
        found += page["messages"]
        if page["next"] is None:
            return found
        params["after"] = page["next"]
    raise AssertionError("the pages have no end")


def load_later(wire: Wire, session_id: str, then: str) -> None:
    """Load until the last access is a later millisecond than `then`."""
    eventually(lambda: wire.call("session.load", id=session_id)["last_accessed_at"] > then, "a later millisecond")


def said(number: int) -> dict[str, Any]:
    return {"role": "user", "content": f"message {number}"}


class TestRows:
    def test_a_new_session_has_every_member_and_its_defaults(self, wire: Wire) -> None:
        row = wire.call("session.create", title="t", provider="p", model="m", working_directory="/w")
        assert set(row) == MEMBERS
        assert str(uuid.UUID(row["id"])) == row["id"]
        assert (row["message_count"], row["status"], row["activity"], row["rev"]) == (0, "open", "active", 1)
        for name in ("external_ids", "parent_candidates", "transcript_files", "task_ids", "projects"):
            assert row[name] == [], name
        for name in ("closed_at", "closed_reason", "alias", "parent_id", "current_turn_id", "first_prompt_preview"):
            assert row[name] is None, name
        assert row["parent_candidates_omitted"] == 0
        assert row["metadata"] == {}
        assert TIME.fullmatch(row["created_at"])
        assert row["last_accessed_at"] == row["created_at"]

    def test_what_was_given_is_there(self, wire: Wire) -> None:
        given: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "title": "Titel \u2028 \U0001f600",
            "provider": "anthropic",
            "model": "m-1",
            "working_directory": "/somewhere/else",
            "metadata": {"a": [None, {"b": 1.5}]},
        }
        row = wire.call("session.create", **given, messages=[said(1), said(2)])
        assert {name: row[name] for name in given} == given
        assert row["message_count"] == 2
        assert wire.call("session.get", id=given["id"]) == row
        assert messages(wire, str(given["id"])) == [said(1), said(2)]

    def test_all_that_is_missing_wrong_or_unknown_is_named_at_once(self, wire: Wire) -> None:
        error = wire.fault("session.create", title=5, provider="p", messages="x", bogus=1)
        assert paths(error) == {"title", "model", "working_directory", "messages", "bogus"}

    @pytest.mark.parametrize(
        ("method", "more"),
        [
            ("get", {}),
            ("load", {}),
            ("append", {"messages": [said(1)]}),
            ("messages", {}),
            ("rename", {"title": "x"}),
            ("close", {}),
            ("restore", {}),
        ],
    )
    def test_a_session_that_is_not_there_is_not_found(self, wire: Wire, method: str, more: dict[str, Any]) -> None:
        before = seq(wire)
        assert wire.fault(f"session.{method}", id=str(uuid.uuid4()), **more)["data"]["kind"] == "not_found"
        assert seq(wire) == before


class TestIds:
    @pytest.mark.parametrize("bad", ["", "..", "a/b", "../../etc/passwd", "../{}", "{}/../x", "{}\n", "{}\x00"])
    @pytest.mark.parametrize(
        "method", ["get", "load", "append", "messages", "rename", "close", "delete", "restore", "save"]
    )
    def test_what_is_no_uuid_is_refused_before_it_becomes_a_path(self, wire: Wire, method: str, bad: str) -> None:
        table: dict[str, dict[str, Any]] = {"append": {"messages": [said(1)]}, "rename": {"title": "x"}}
        more = table.get(method, {})
        before = seq(wire)
        assert paths(wire.fault(f"session.{method}", id=bad.format(uuid.uuid4()), **more)) == {"id"}
        assert seq(wire) == before

    @pytest.mark.parametrize("bad", ["..", "a/b", "../../etc/passwd", "x\x00"])
    def test_nothing_is_made_outside_the_sessions(self, wire: Wire, whole: Perdure, bad: str) -> None:
        reply = wire.ask("session.create", title="t", provider="p", model="m", working_directory="/w", id=bad)
        assert "error" in reply or re.fullmatch(r"[0-9a-f-]{36}", reply["result"]["id"])

    def test_a_foreign_id_becomes_the_uuid_it_holds_and_is_kept(self, wire: Wire) -> None:
        held = str(uuid.uuid4())
        assert made(wire, id=f"sess_{held}") == held
        assert wire.call("session.get", id=held)["external_ids"] == [f"sess_{held}"]

    def test_a_foreign_id_without_uuid_becomes_one_of_its_text(self, wire: Wire) -> None:
        text = f"session_{uuid.uuid4().int % 10**13}"
        session_id = made(wire, id=text)
        assert uuid.UUID(session_id).version == 5
        assert wire.call("session.get", id=session_id)["external_ids"] == [text]

    def test_the_same_id_twice_exists_already(self, wire: Wire) -> None:
        session_id = made(wire)
        error = wire.fault("session.create", id=session_id, title="t", provider="p", model="m", working_directory="/w")
        assert error["data"]["kind"] == "already_exists"


class TestReading:
    def test_get_changes_nothing(self, wire: Wire) -> None:
        session_id = made(wire)
        first, before = wire.call("session.get", id=session_id), seq(wire)
        assert wire.call("session.get", id=session_id) == first
        wire.call("session.messages", id=session_id)
        wire.call("session.list")
        assert wire.call("session.get", id=session_id) == first
        assert seq(wire) == before

    def test_load_touches_the_last_access_and_nothing_else(self, wire: Wire) -> None:
        session_id = made(wire, messages=[said(1)])
        first = wire.call("session.get", id=session_id)
        loaded = wire.call("session.load", id=session_id)
        assert loaded["last_accessed_at"] >= first["last_accessed_at"]
        assert loaded["rev"] == first["rev"] + 1
        assert {**loaded, "rev": 0, "last_accessed_at": ""} == {**first, "rev": 0, "last_accessed_at": ""}
        assert wire.call("session.get", id=session_id) == loaded


class TestMessages:
    def test_appending_says_how_many_there_are(self, wire: Wire) -> None:
        session_id = made(wire, messages=[said(0)])
        assert wire.call("session.append", id=session_id, messages=[said(1), said(2)]) == {
            "id": session_id,
            "rev": 2,
            "message_count": 3,
        }
        assert wire.call("session.get", id=session_id)["message_count"] == 3
        assert messages(wire, session_id) == [said(0), said(1), said(2)]

    @pytest.mark.parametrize("limit", [None, 1, 2, 7, 25, 26])
    def test_pages_give_every_message_once_in_order(self, wire: Wire, limit: int | None) -> None:
        session_id = made(wire, messages=[said(number) for number in range(10)])
        for number in range(10, 25, 5):
            wire.call("session.append", id=session_id, messages=[said(number + step) for step in range(5)])
        assert messages(wire, session_id, limit) == [said(number) for number in range(25)]

    def test_any_object_comes_back_as_it_was(self, wire: Wire) -> None:
        odd = [
            {"content": "a\nb\r\n\u2028\u2029\x00\x85 \U0001f600"},
            {"n": [2**63 - 1, -(2**63), 1.5, 1e300, None, True]},
            {},
            {"": {"": []}, "index": 7, "crc": "00000000", "rev": None},
        ]
        session_id = made(wire, messages=odd)
        wire.call("session.append", id=session_id, messages=odd)
        assert messages(wire, session_id) == odd + odd

    def test_an_append_is_repeated_without_harm(self, wire: Wire) -> None:
        session_id = made(wire)
        replies = [
            wire.call("session.append", id=session_id, messages=[said(1)], idempotency_key=f"append-{session_id}")
            for _ in range(3)
        ]
        assert replies == [{"id": session_id, "rev": 2, "message_count": 1}] * 3
        assert messages(wire, session_id) == [said(1)]

    def test_clients_that_append_at_once_lose_nothing(self, whole: Perdure, wire: Wire) -> None:
        session_id = made(wire)
        with whole.wire() as other:
            for number in range(40):
                (wire, other)[number % 2].post("session.append", id=session_id, messages=[said(number)])
            counts = [(wire, other)[number % 2].reply()["result"]["message_count"] for number in range(40)]
        assert sorted(counts) == list(range(1, 41))
        found = [int(message["content"].split()[1]) for message in messages(wire, session_id)]
        assert sorted(found) == list(range(40))
        assert [number for number in found if number % 2 == 0] == list(range(0, 40, 2))

    @pytest.mark.parametrize(
        ("name", "value"), [("limit", 0), ("limit", -1), ("limit", "5"), ("after", -5), ("after", "x")]
    )
    def test_a_page_that_makes_no_sense_is_refused(self, wire: Wire, name: str, value: Any) -> None:
        assert paths(wire.fault("session.messages", id=made(wire), **{name: value})) == {name}

    @pytest.mark.parametrize("value", [None, "x", {}, 5, ["text"], [[1]]])
    def test_messages_are_a_list_of_objects(self, wire: Wire, value: Any) -> None:
        session_id = made(wire)
        assert paths(wire.fault("session.append", id=session_id, messages=value))
        assert wire.call("session.get", id=session_id)["message_count"] == 0


class TestSave:
    def test_what_is_not_named_stays(self, wire: Wire) -> None:
        session_id = made(wire, messages=[said(1)], metadata={"a": 1})
        first = wire.call("session.get", id=session_id)
        saved = wire.call("session.save", id=session_id, model="other")
        assert (saved["model"], saved["rev"]) == ("other", 2)
        for name in ("title", "provider", "working_directory", "message_count", "metadata", "created_at", "status"):
            assert saved[name] == first[name], name
        assert messages(wire, session_id) == [said(1)]
        assert wire.call("session.get", id=session_id) == saved

    def test_other_messages_replace_the_old_ones_which_are_archived(self, whole: Perdure, wire: Wire) -> None:
        session_id = made(wire, messages=[{"content": "the old words"}, said(2)])
        saved = wire.call("session.save", id=session_id, messages=[{"content": "the new words"}])
        assert saved["message_count"] == 1
        assert messages(wire, session_id) == [{"content": "the new words"}]
        file = whole.state_path / "sessions" / f"{session_id}.jsonl"
        archive = whole.state_path / "archive"

        def archived() -> bool:
            files = [path for path in archive.rglob("*") if path.is_file()]
            return any("the old words" in path.read_text(errors="replace") for path in files)

        eventually(lambda: file.exists() and "the new words" in file.read_text(), "the new file")
        eventually(archived, "the old file in the archive")
        assert "the old words" not in file.read_text()

    def test_a_repeated_save_of_the_same_messages_loses_none(self, wire: Wire) -> None:
        session_id = made(wire, messages=[said(1), said(2)])
        for more in ([said(1), said(2)], [said(1), said(2), said(3)], [said(1)], []):
            assert wire.call("session.save", id=session_id, messages=more)["message_count"] == len(more)
            assert messages(wire, session_id) == more
        wire.call("session.append", id=session_id, messages=[said(9)])
        assert messages(wire, session_id) == [said(9)]


class TestTitles:
    def test_a_title_is_trimmed(self, wire: Wire) -> None:
        session_id = made(wire)
        row = wire.call("session.rename", id=session_id, title=" \t\n a  title \u3000 ")
        assert (row["title"], row["rev"]) == ("a  title", 2)

    @pytest.mark.parametrize("title", ["", "   ", "\n\t", "\u3000"])
    def test_an_empty_title_is_refused(self, wire: Wire, title: str) -> None:
        session_id = made(wire)
        assert paths(wire.fault("session.rename", id=session_id, title=title)) == {"title"}
        assert wire.call("session.get", id=session_id)["title"] == "t"

    def test_blanks_around_a_title_do_not_count(self, wire: Wire) -> None:
        assert wire.call("session.rename", id=made(wire), title=f"  {'x' * 200}  ")["title"] == "x" * 200

    @pytest.mark.parametrize("letter", ["x", "é", "\U0001f600"])
    def test_a_title_has_at_most_two_hundred_characters(self, wire: Wire, letter: str) -> None:
        session_id = made(wire)
        assert wire.call("session.rename", id=session_id, title=letter * 200)["title"] == letter * 200
        assert paths(wire.fault("session.rename", id=session_id, title=letter * 201)) == {"title"}

    def test_a_title_is_kept_by_later_saves(self, wire: Wire) -> None:
        session_id = made(wire)
        wire.call("session.rename", id=session_id, title="mine")
        assert wire.call("session.save", id=session_id, messages=[said(1)])["title"] == "mine"
        assert wire.call("session.load", id=session_id)["title"] == "mine"


class TestList:
    def test_a_working_directory_is_compared_normalised(self, wire: Wire) -> None:
        where = place()
        one = made(wire, working_directory=f"{where}/x/../y")
        two = made(wire, working_directory=f"{where}//y")
        three = made(wire, working_directory=f"{where}/./y")
        made(wire, working_directory=f"{where}/yy")
        made(wire, working_directory=where)
        for asked in (f"{where}/y", f"{where}/y/../y", f"{where}///y"):
            page = wire.call("session.list", working_directory=asked)
            assert {row["id"] for row in page["sessions"]} == {one, two, three}, asked
            assert page["next_cursor"] is None

    def test_the_most_recently_accessed_comes_first_on_request(self, wire: Wire) -> None:
        where = place()
        one, two, three = (made(wire, working_directory=where) for _ in range(3))
        latest = wire.call("session.get", id=three)["last_accessed_at"]
        for touched in (two, three, one):
            load_later(wire, touched, latest)
            latest = wire.call("session.get", id=touched)["last_accessed_at"]
        rows = wire.call("session.list", working_directory=where, order="last_accessed")["sessions"]
        assert [row["id"] for row in rows] == [one, three, two]
        assert [row["last_accessed_at"] for row in rows] == sorted(
            (row["last_accessed_at"] for row in rows), reverse=True
        )

    @pytest.mark.parametrize("order", [{}, {"order": "last_accessed"}])
    def test_pages_give_every_session_once(self, wire: Wire, order: dict[str, str]) -> None:
        where = place()
        ids = {made(wire, working_directory=where) for _ in range(7)}
        seen: list[str] = []
        cursor: dict[str, Any] = {}
        for _ in range(10):
            page = wire.call("session.list", working_directory=where, limit=2, **order, **cursor)
            assert set(page) == {"sessions", "next_cursor"}
            seen += [row["id"] for row in page["sessions"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == 7
        assert set(seen) == ids

    def test_filters_are_kept(self, wire: Wire) -> None:
        where = place()
        one, two = made(wire, working_directory=where), made(wire, working_directory=where)
        wire.call("session.close", id=two)

        def listed(**filters: Any) -> set[str]:
            return {row["id"] for row in wire.call("session.list", working_directory=where, **filters)["sessions"]}

        assert listed(status="open") == {one}
        assert listed(status="closed") == {two}
        assert listed(activity="archived") == set()
        assert listed(activity="active", status="open") == {one}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("status", "idle"),
            ("activity", "open"),
            ("order", "bogus"),
            ("limit", 0),
            ("cursor", "garbage"),
            ("bogus", 1),
        ],
    )
    def test_a_filter_that_makes_no_sense_is_refused(self, wire: Wire, name: str, value: Any) -> None:
        assert paths(wire.fault("session.list", **{name: value})) == {name}


class TestEnds:
    @pytest.mark.parametrize("outcome", OUTCOMES)
    def test_a_session_is_closed_with_its_outcome(self, wire: Wire, outcome: str) -> None:
        session_id = made(wire)
        row = wire.call("session.close", id=session_id, outcome=outcome, reason="that is it")
        assert (row["status"], row["outcome"], row["closed_reason"]) == ("closed", outcome, "that is it")
        assert TIME.fullmatch(row["closed_at"])
        assert row["current_turn_id"] is None
        assert wire.call("session.get", id=session_id) == row

    def test_an_unknown_outcome_is_refused(self, wire: Wire) -> None:
        session_id = made(wire)
        assert paths(wire.fault("session.close", id=session_id, outcome="finished")) == {"outcome"}
        assert wire.call("session.get", id=session_id)["status"] == "open"

    def test_closing_needs_neither_outcome_nor_reason(self, wire: Wire) -> None:
        assert wire.call("session.close", id=made(wire))["status"] == "closed"

    def test_deleting_what_is_not_there_is_fine(self, wire: Wire) -> None:
        session_id = made(wire)
        assert wire.call("session.delete", id=session_id)["deleted"] is True
        before = seq(wire)
        assert wire.call("session.delete", id=session_id)["deleted"] is False
        assert wire.call("session.delete", id=str(uuid.uuid4()))["deleted"] is False
        assert seq(wire) == before
        assert wire.fault("session.get", id=session_id)["data"]["kind"] == "not_found"
        assert wire.fault("session.messages", id=session_id)["data"]["kind"] == "not_found"

    def test_what_was_deleted_comes_back_whole(self, wire: Wire) -> None:
        session_id = made(wire, title="once", messages=[said(1)])
        wire.call("session.append", id=session_id, messages=[said(2)])
        wire.call("session.delete", id=session_id)
        row = wire.call("session.restore", id=session_id)
        assert (row["title"], row["message_count"]) == ("once", 2)
        assert messages(wire, session_id) == [said(1), said(2)]
        assert wire.call("session.append", id=session_id, messages=[said(3)])["message_count"] == 3
        assert messages(wire, session_id) == [said(1), said(2), said(3)]


class TestRetention:
    def test_beyond_the_limit_the_least_recently_accessed_leaves_and_can_be_brought_back(
        self, another: Another
    ) -> None:
        whole = another(sessions__max="2")
        with whole.wire() as wire:
            one = made(wire, title="one", messages=[said(1)])
            two = made(wire, title="two", messages=[said(2)])
            loaded = wire.call("session.get", id=two)["last_accessed_at"]
            eventually(lambda: wire.call("session.load", id=one)["last_accessed_at"] > loaded, "a later millisecond")
            before = seq(wire)
            three = made(wire, title="three")

            def listed() -> set[str]:
                return {row["id"] for row in wire.call("session.list")["sessions"]}

            eventually(lambda: listed() == {one, three}, "the second session's leave")
            events = wire.call("event.list", after_seq=before)["events"]
            assert any(event["id"] == two and event["kind"].startswith("session.") for event in events)
            archive = whole.state_path / "archive"
            eventually(lambda: any(two in str(path) for path in archive.rglob("*")), "its file in the archive")
            row = wire.call("session.restore", id=two)
            assert (row["title"], row["message_count"]) == ("two", 1)
            assert messages(wire, two) == [said(2)]

    def test_a_session_with_a_live_run_stays(self, another: Another) -> None:
        whole = another(sessions__max="2")
        with whole.wire() as wire:
            one = made(wire)
            wire.call("run.put", run={"id": "live", "session_id": one, "status": "running"})
            first = wire.call("session.get", id=one)["last_accessed_at"]
            two = made(wire)
            eventually(lambda: wire.call("session.load", id=two)["last_accessed_at"] > first, "a later millisecond")
            three = made(wire)
            eventually(
                lambda: {row["id"] for row in wire.call("session.list")["sessions"]} == {one, three},
                "the leave of the one without a run",
            )


class TestRestarts:
    def test_sessions_and_messages_outlive_a_kill(self, another: Another) -> None:
        whole = another()
        with whole.wire() as wire:
            session_id = made(wire, messages=[said(number) for number in range(10)])
            wire.call("session.append", id=session_id, messages=[said(10)])
            row = wire.call("session.rename", id=session_id, title="kept")
        whole.kill_runtime()
        with whole.wire() as wire:
            assert wire.call("session.get", id=session_id) == row
            assert messages(wire, session_id, 3) == [said(number) for number in range(11)]

    @pytest.mark.parametrize("bad", [None, b"[1, null]"])
    def test_the_index_is_rebuilt_whatever_became_of_it(self, another: Another, bad: bytes | None) -> None:
        whole = another()
        with whole.wire() as wire:
            ids = {made(wire, title=f"title {number}", messages=[said(number)]) for number in range(3)}
        assert whole.stop() == 0
        index = whole.state_path / "sessions" / "sessions.json"
        assert set(re.findall(r"[0-9a-f-]{36}", index.read_text())) >= ids
        index.unlink()
        if bad is not None:
            index.write_bytes(bad)
        whole.start()
        with whole.wire() as wire:
            assert {row["id"] for row in wire.call("session.list")["sessions"]} == ids
            assert all(len(messages(wire, session_id)) == 1 for session_id in ids)

        def rebuilt() -> bool:
            try:
                return {row["id"] for row in json.loads(index.read_bytes())} >= ids
            except (ValueError, OSError, TypeError, KeyError):
                return False

        eventually(rebuilt, "the index")
