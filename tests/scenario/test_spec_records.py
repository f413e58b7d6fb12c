"""Events, logs, reports, runs, the state as a whole and the tree of actors as the specification words them.

One Perdure, with chaos allowed, serves the whole module.
"""

import itertools
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.perdure import Perdure, Wire, eventually, perdure

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
RUN_MEMBERS = set(
    re.findall(
        r"\w+",
        "id, task_id, session_id, tool, attempt, argv, cwd, pid, pid_started, status, exit_code, signal, started_at, "
        "ended_at, vendor_session_id, result, error, stdout, stderr, rev",
    )
)
RUN_STATUSES = "queued starting running exited interrupted cancelled timed_out failed_to_start"
METHODS = """
    runtime.ping runtime.status runtime.health runtime.metrics runtime.reload runtime.shutdown actor.list actor.restart
    actor.kill state.save state.backups state.verify state.get task.create task.get task.list task.update task.save
    task.start task.complete task.fail task.cancel task.reopen task.delete task.log task.claim task.heartbeat
    task.release batch.apply session.create session.get session.load session.save session.append session.messages
    session.rename session.list session.close session.delete session.restore run.put run.get run.list event.record
    event.list event.subscribe event.unsubscribe log.append log.read report.save report.get report.list rpc.discover
"""
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    with perdure(tmp_path_factory.mktemp("records") / "p", chaos__enabled="true") as one:
        one.start()
        eventually(lambda: one.call("runtime.ping")["seq"], "its own first fact, which would move a seq later")
        yield one


@pytest.fixture
def wire(whole: Perdure) -> Iterator[Wire]:
    with whole.wire() as one:
        yield one


@pytest.fixture
def other(whole: Perdure) -> Iterator[Wire]:
    with whole.wire() as one:
        yield one


def fresh(stem: str) -> str:
    """A word that no other test uses."""
    return f"{stem}-{next(NUMBERS)}-{uuid.uuid4().hex[:8]}"


def seq(wire: Wire) -> int:
    number: int = wire.call("runtime.ping")["seq"]
    return number


def made(wire: Wire, count: int = 1) -> list[str]:
    """Make tasks, each with a command of its own."""
    return [wire.call("task.create", description="x")["id"] for _ in range(count)]


def made_at_once(wire: Wire, count: int) -> list[str]:
    """Make tasks with one command."""
    commands = [{"method": "task.create", "params": {"description": "x"}}] * count
    return [row["id"] for row in wire.call("batch.apply", commands=commands)["results"]]


def walked(wire: Wire, **params: Any) -> list[dict[str, Any]]:
    """All events, page by page as next_seq says."""
    found: list[dict[str, Any]] = []
    after = params.pop("after_seq", 0)
    for _ in range(10_000):
        page = wire.call("event.list", after_seq=after, **params)
        assert set(page) == {"events", "next_seq"}
        if not page["events"]:
            return found
        found += page["events"]
        assert page["next_seq"] > after
        after = page["next_seq"]
    raise AssertionError("the pages have no end")


class TestEvents:
    def test_a_recorded_event_is_returned_and_listed(self, wire: Wire) -> None:
        before, kind = seq(wire), fresh("kind")
        event = wire.call("event.record", type=kind, message="m", level="warning", detail={"a": [None]})
        for row in (event, wire.call("event.list", after_seq=before, kinds=["event.recorded"])["events"][-1]["data"]):
            assert (row["type"], row["message"], row["level"]) == (kind, "m", "warning")
            assert row["detail"] == {"a": [None]}

    def test_its_level_is_info_unless_said_otherwise(self, wire: Wire) -> None:
        assert wire.call("event.record", type="t", message="m")["level"] == "info"

    def test_every_fact_is_an_event_with_its_place(self, wire: Wire) -> None:
        before = seq(wire)
        row = wire.call("task.create", description="x")
        (event,) = wire.call("event.list", after_seq=before)["events"]
        assert (event["seq"], event["kind"], event["id"], event["rev"]) == (before + 1, "task.created", row["id"], 1)
        assert event["data"]["description"] == "x"
        assert TIME.fullmatch(event["ts"])

    def test_the_list_is_gap_free_from_one(self, wire: Wire) -> None:
        made(wire, 3)
        made_at_once(wire, 3)
        seqs = [event["seq"] for event in walked(wire, limit=7)]
        assert seqs == sorted(seqs)
        assert sorted(set(seqs)) == list(range(1, seqs[-1] + 1))

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_a_small_page_loses_nothing_of_a_line_with_many_facts(self, wire: Wire, limit: int) -> None:
        before = seq(wire)
        ids = [*made(wire), *made_at_once(wire, 5), *made(wire, 2)]
        found = [event["id"] for event in walked(wire, after_seq=before, limit=limit, kinds=["task.created"])]
        assert found == ids

    def test_kinds_are_exact_or_prefixes(self, wire: Wire) -> None:
        before = seq(wire)
        (task_id,) = made(wire)
        wire.call("task.start", id=task_id)
        wire.call("event.record", type="t", message="m")
        session = wire.call("session.create", title="t", provider="p", model="m", working_directory="/w")["id"]

        def listed(*kinds: str) -> set[str]:
            return {event["id"] for event in walked(wire, after_seq=before, kinds=list(kinds))}

        assert listed("task.*") == {task_id}
        assert listed("session.*") == {session}
        assert listed("task.created", "session.created") == {task_id, session}
        assert listed("task") == set()
        assert listed("task.create") == set()
        assert [event["kind"] for event in walked(wire, after_seq=before, kinds=["task.created"])] == ["task.created"]

    def test_after_the_end_there_is_nothing(self, wire: Wire) -> None:
        end = seq(wire)
        page = wire.call("event.list", after_seq=end)
        assert page["events"] == []
        assert page["next_seq"] >= end

    @pytest.mark.parametrize(("name", "value"), [("after_seq", -1), ("kinds", "task.*"), ("limit", 0), ("bogus", 1)])
    def test_a_list_that_makes_no_sense_is_refused(self, wire: Wire, name: str, value: Any) -> None:
        error = wire.fault("event.list", **{name: value})
        assert [violation["path"] for violation in error["data"]["violations"]] == [name]


class TestSubscriptions:
    def test_from_the_beginning_everything_comes_once_and_in_order(self, wire: Wire, other: Wire) -> None:
        made(other, 3)
        made_at_once(other, 4)
        begun = wire.call("event.subscribe", after_seq=0)
        assert set(begun) == {"subscription", "seq"}
        made(other, 3)
        end = seq(other)
        seqs: list[int] = []
        while not seqs or seqs[-1] < end:
            event = wire.event()
            assert event["method"] == "event"
            assert event["subscription"] == begun["subscription"]
            if event["seq"] is not None:
                seqs.append(event["seq"])
        assert seqs == list(range(1, end + 1))

    def test_one_notification_comes_per_journal_line(self, wire: Wire, other: Wire) -> None:
        begun = wire.call("event.subscribe", kinds=["task.*"])
        ids = made_at_once(other, 3)
        event = wire.event()
        assert set(event) == {"method", "subscription", "seq", "ts", "events"}
        assert event["seq"] > begun["seq"]
        assert TIME.fullmatch(event["ts"])
        assert [set(one) for one in event["events"]] == [{"kind", "id", "rev", "data"}] * 3
        assert [one["id"] for one in event["events"]] == ids

    def test_without_a_place_only_what_is_new_comes(self, wire: Wire, other: Wire) -> None:
        made(other)
        wire.call("event.subscribe", kinds=["task.*"])
        (task_id,) = made(other)
        assert [one["id"] for one in wire.event()["events"]] == [task_id]

    def test_a_filter_leaves_out_the_rest_even_of_the_same_line(self, wire: Wire, other: Wire) -> None:
        wire.call("event.subscribe", kinds=["event.recorded", "task.started"])
        made(other)
        name = fresh("t")
        other.call(
            "batch.apply",
            commands=[
                {"method": "task.create", "params": {"description": "x", "id": name}},
                {"method": "task.start", "params": {"id": name}},
            ],
        )
        events = wire.event()["events"]
        assert [(one["kind"], one["id"]) for one in events] == [("task.started", name)]

    def test_two_subscriptions_of_one_connection_are_served_both_until_one_ends(self, wire: Wire, other: Wire) -> None:
        first, second = (wire.call("event.subscribe", kinds=["task.*"])["subscription"] for _ in range(2))
        assert first != second
        made(other)
        assert {wire.event()["subscription"] for _ in range(2)} == {first, second}
        wire.call("event.unsubscribe", subscription=first)
        made(other, 2)
        assert [wire.event()["subscription"] for _ in range(2)] == [second] * 2

    @pytest.mark.parametrize("name", ["tasks", "events", "writer"])
    def test_nothing_is_missed_when_an_actor_crashes(self, wire: Wire, other: Wire, name: str) -> None:
        begun = wire.call("event.subscribe")["seq"]
        made(other, 2)
        other.call("actor.kill", name=name, how="crash")
        made(other, 3)
        end = seq(other)
        seqs: list[int] = []
        while not seqs or seqs[-1] < end:
            event = wire.event()
            assert event["method"] == "event"
            if event["seq"] is not None:
                seqs.append(event["seq"])
        assert seqs == list(range(begun + 1, seqs[-1] + 1))

    def test_a_save_is_told_live_only(self, wire: Wire, other: Wire) -> None:
        wire.call("event.subscribe", kinds=["state:saved"])
        made(other)
        other.call("state.save")
        event = wire.event()
        assert event["seq"] is None
        assert event["events"][0]["kind"] == "state:saved"
        assert not [one for one in walked(other) if one["kind"] == "state:saved"]

    def test_a_crash_is_told_live_and_recorded(self, wire: Wire, other: Wire) -> None:
        before = seq(other)
        wire.call("event.subscribe", kinds=["actor:*"])
        other.call("actor.kill", name="sessions", how="crash")
        kinds: set[str] = set()
        while kinds != {"actor:crashed", "actor:restarted"}:
            event = wire.event()
            assert event["seq"] is None
            kinds |= {one["kind"] for one in event["events"]}

        def recorded() -> set[str]:
            return {event["data"]["type"] for event in walked(other, after_seq=before, kinds=["event.recorded"])}

        eventually(lambda: recorded() >= {"actor:crashed", "actor:restarted"}, "both as facts")


class TestLogs:
    TEXTS = ("first line\n", "zweite: äöü\n", "\U0001f600 third", "\n", "x" * 5000, "end")

    def test_what_was_appended_is_read_in_pieces_and_lies_in_the_file(self, whole: Perdure, wire: Wire) -> None:
        session = str(uuid.uuid4())
        for text in self.TEXTS:
            assert set(wire.call("log.append", session_id=session, text=text)) == {"bytes"}
        expected = "".join(self.TEXTS)
        for limit in (4, 7, 100, 100_000):
            text, offset = "", 0
            while True:
                page = wire.call("log.read", session_id=session, offset=offset, limit=limit)
                assert set(page) == {"text", "next_offset"}
                if not page["text"]:
                    break
                assert page["next_offset"] > offset
                text, offset = text + page["text"], page["next_offset"]
            assert text == expected, limit
        assert wire.call("log.read", session_id=session)["text"] == expected
        file = whole.state_path / "logs" / f"session_{session}.log"
        eventually(lambda: file.exists() and file.read_bytes() == expected.encode(), "the file")

    def test_bytes_are_bytes(self, wire: Wire) -> None:
        assert wire.call("log.append", session_id=str(uuid.uuid4()), text="ä\U0001f600")["bytes"] == 6

    def test_an_append_is_repeated_without_harm(self, wire: Wire) -> None:
        session, key = str(uuid.uuid4()), fresh("key")
        for _ in range(3):
            wire.call("log.append", session_id=session, text="once", idempotency_key=key)
        assert wire.call("log.read", session_id=session)["text"] == "once"

    @pytest.mark.parametrize("bad", ["", "..", "../../x", "a/b", "hello"])
    def test_a_session_that_is_no_uuid_is_refused(self, wire: Wire, bad: str) -> None:
        assert wire.fault("log.append", session_id=bad, text="x")["data"]["kind"] == "invalid_params"
        assert wire.fault("log.read", session_id=bad)["data"]["kind"] == "invalid_params"


class TestReports:
    @pytest.mark.parametrize("data", [{"a": {"b": [1, None]}}, [1, 2], "text", 5, None])
    def test_a_report_is_saved_got_and_listed(self, whole: Perdure, wire: Wire, data: Any) -> None:
        saved = wire.call("report.save", data=data)
        assert set(saved) == {"id", "path"}
        assert wire.call("report.get", id=saved["id"])["data"] == data
        assert saved["id"] in {row["id"] for row in wire.call("report.list")["reports"]}
        assert saved["path"].endswith(f"reports/report_{saved['id']}.json")
        file = whole.state_path / "reports" / f"report_{saved['id']}.json"
        eventually(file.exists, "the file")
        content = json.loads(file.read_text())
        assert data in (content, content.get("data") if isinstance(content, dict) else None)

    @pytest.mark.parametrize("character", '/\\:*?"<>|')
    def test_its_id_is_cleaned(self, wire: Wire, character: str) -> None:
        name = fresh("r")
        assert wire.call("report.save", id=f"{character}{name}{character}", data=1)["id"] == name
        assert wire.call("report.get", id=name)["data"] == 1

    @pytest.mark.parametrize(
        "bad", ["", "/", ".", "..", "/../", ".x", "a\nb", "a\x00", "x" * 201, "é" * 101, "CON", "n/ul"]
    )
    def test_an_id_that_is_no_safe_name_is_refused(self, wire: Wire, bad: str) -> None:
        error = wire.fault("report.save", id=bad, data=1)
        assert [violation["path"] for violation in error["data"]["violations"]] == ["id"]

    def test_two_ids_that_clean_to_the_same_one_exist_already(self, wire: Wire) -> None:
        name = fresh("r")
        wire.call("report.save", id=f"{name}/1", data="first")
        assert wire.fault("report.save", id=f"{name}:1", data="second")["data"]["kind"] == "already_exists"
        assert wire.call("report.get", id=f"{name}1")["data"] == "first"

    def test_the_cleaned_id_is_the_reports_from_then_on(self, wire: Wire) -> None:
        name = wire.call("report.save", id=f"{fresh('r')}/1", data="first")["id"]
        assert wire.call("report.save", id=name, data="second")["id"] == name
        assert wire.call("report.get", id=name)["data"] == "second"

    def test_a_report_that_is_not_there_is_not_found(self, wire: Wire) -> None:
        assert wire.fault("report.get", id="nobody")["data"]["kind"] == "not_found"


class TestRuns:
    def test_a_run_has_every_member(self, wire: Wire) -> None:
        row = wire.call("run.put", run={"id": fresh("run")})
        assert set(row) == RUN_MEMBERS
        assert row["rev"] == 1
        assert set(row["stdout"]) == set(row["stderr"]) == {"bytes", "path"}
        assert wire.call("run.get", id=row["id"]) == row

    def test_a_run_is_taken_as_it_is(self, wire: Wire) -> None:
        (task_id,) = made(wire)
        session = wire.call("session.create", title="t", provider="p", model="m", working_directory="/w")["id"]
        run = {
            "id": fresh("run"),
            "task_id": task_id,
            "session_id": session,
            "tool": "CODEX",
            "attempt": 2,
            "argv": ["codex", "exec", "a b"],
            "cwd": "/w",
            "pid": 77,
            "status": "exited",
            "exit_code": 3,
            "signal": None,
            "started_at": "2024-01-01T10:00:00.000Z",
            "ended_at": "2024-01-01T10:00:05.500Z",
            "vendor_session_id": "v-1",
        }
        row = wire.call("run.put", run=run)
        assert {name: row[name] for name in run} == run

    def test_putting_again_changes_the_run(self, wire: Wire) -> None:
        name = fresh("run")
        wire.call("run.put", run={"id": name, "status": "running"})
        row = wire.call("run.put", run={"id": name, "status": "exited", "exit_code": 0})
        assert (row["status"], row["exit_code"], row["rev"]) == ("exited", 0, 2)
        assert wire.call("run.get", id=name) == row
        assert [run["id"] for run in wire.call("run.list", limit=1000)["runs"]].count(name) == 1

    def test_what_get_says_can_be_put(self, wire: Wire) -> None:
        row = wire.call("run.put", run={"id": fresh("run"), "status": "running"})
        again = wire.call("run.put", run=row)
        assert {**again, "rev": 0} == {**row, "rev": 0}

    @pytest.mark.parametrize("status", RUN_STATUSES.split())
    def test_every_status_is_known(self, wire: Wire, status: str) -> None:
        name = fresh("run")
        assert wire.call("run.put", run={"id": name, "status": status})["status"] == status
        assert name in {run["id"] for run in wire.call("run.list", status=status, limit=1000)["runs"]}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("status", "done"),
            ("argv", "ls"),
            ("exit_code", "0"),
            ("attempt", 1.5),
            ("bogus", 1),
        ],
    )
    def test_a_run_that_is_none_is_refused(self, wire: Wire, name: str, value: Any) -> None:
        before = seq(wire)
        error = wire.fault("run.put", run={"id": fresh("run"), name: value})
        assert error["data"]["kind"] == "invalid_params"
        assert all(name in violation["path"] for violation in error["data"]["violations"])
        assert seq(wire) == before

    @pytest.mark.parametrize("when", ["soon", "2024-13-41", "2024-01-01T10:00:00Z", "2024-01-01T12:00:00+02:00"])
    def test_a_time_of_a_run_is_refused_or_made_one_of_ours(self, wire: Wire, when: str) -> None:
        reply = wire.ask("run.put", run={"id": fresh("run"), "started_at": when})
        assert "error" in reply or TIME.fullmatch(reply["result"]["started_at"])

    @pytest.mark.parametrize("bad", ["../../x", "a/../../b", "\x00", ".."])
    def test_no_id_of_a_run_is_a_path(self, wire: Wire, bad: str) -> None:
        reply = wire.ask("run.put", run={"id": bad})
        assert "error" in reply or not set(reply["result"]["id"]) & set("/\\\x00")

    def test_runs_are_listed_by_task_and_in_pages(self, wire: Wire) -> None:
        (task_id,) = made(wire)
        names = {fresh("run") for _ in range(5)}
        for name in names:
            wire.call("run.put", run={"id": name, "task_id": task_id})
        seen: list[str] = []
        cursor: dict[str, Any] = {}
        for _ in range(10):
            page = wire.call("run.list", task_id=task_id, limit=2, **cursor)
            assert set(page) == {"runs", "next_cursor"}
            seen += [run["id"] for run in page["runs"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == 5
        assert set(seen) == names

    def test_a_run_that_is_not_there_is_not_found(self, wire: Wire) -> None:
        assert wire.fault("run.get", id="nobody")["data"]["kind"] == "not_found"


class TestState:
    def test_the_whole_state_is_what_the_seeds_load(self, wire: Wire) -> None:
        (task_id,) = made(wire)
        state = wire.call("state.get")
        assert {"tasks", "sessions", "metrics", "last_saved"} <= set(state)
        assert task_id in {task["id"] for task in state["tasks"]}
        counts = {"total_tasks", "completed_tasks", "failed_tasks", "average_completion_time"}
        assert counts <= set(state["metrics"])
        assert state["metrics"]["total_tasks"] == len(state["tasks"])

    def test_a_save_says_where_and_what(self, whole: Perdure, wire: Wire) -> None:
        made(wire)
        now = seq(wire)
        saved = wire.call("state.save")
        assert set(saved) >= {"path", "seq", "bytes", "duration_s"}
        assert saved["seq"] >= now
        assert saved["bytes"] == (whole.state_path / "state.json").stat().st_size
        assert saved["path"] == str(whole.state_path / "state.json")

    def test_what_is_sound_is_verified_without_a_change(self, wire: Wire) -> None:
        before = seq(wire)
        assert wire.call("state.verify")["ok"] is True
        assert seq(wire) == before

    def test_status_says_what_is_running(self, whole: Perdure, wire: Wire) -> None:
        status = wire.call("runtime.status")
        assert {"identity", "seq", "pids", "daemon", "actors", "counts", "recovery", "config"} <= set(status)
        assert set(status["pids"]) == {"root", "runtime", "standby", "host", "agents"}
        assert status["pids"]["root"] == whole.root_pid
        assert status["daemon"]["started"] is True
        daemon = {"started", "started_at", "stopped_at", "updated_at", "pid"}
        assert daemon <= set(status["daemon"])
        assert TIME.fullmatch(status["daemon"]["started_at"])
        assert {"daemon_id", "node_id", "created_at", "version"} <= set(status["identity"])

    def test_health_has_the_members(self, wire: Wire) -> None:
        health = wire.call("runtime.health")
        wanted = "status reasons state_dir_exists writeable disk_free_bytes last_save_time last_save_age_s backup_count"
        assert set(wanted.split()) | {"journal", "actors", "watchdog"} <= set(health)
        assert health["status"] in {"ok", "degraded", "read_only", "recovering"}
        assert (health["state_dir_exists"], health["writeable"]) == (True, True)
        assert set(health["journal"]) >= {"seq", "bytes", "segments", "lag"}
        assert isinstance(health["disk_free_bytes"], int)

    def test_metrics_are_open_metrics_on_request(self, wire: Wire) -> None:
        made(wire)
        assert isinstance(wire.call("runtime.metrics"), dict)
        reply = wire.call("runtime.metrics", format="openmetrics")
        text = reply if isinstance(reply, str) else reply["text"]
        assert text.endswith("# EOF\n")
        assert re.search(r"task\.create", text), "commands by method"
        for word in ("commit", "fsync", "batch", "restart", "mailbox", "queue", "save", "failure", "recovery", "runs"):
            assert word in text, word

    def test_metrics_count_files_by_kind_and_the_events_lag(self, wire: Wire) -> None:
        reply = wire.call("runtime.metrics", format="openmetrics")
        text = reply if isinstance(reply, str) else reply["text"]
        assert re.search(r"perdure_\w*files\w*\{[^}]*kind=", text), "files by kind"
        assert re.search(r"perdure_\w*bytes\w*\{[^}]*kind=", text), "bytes by kind"
        assert re.search(r"perdure_\w*event\w*lag", text), "event lag"


class TestActors:
    def test_the_tree_says_how_every_actor_is(self, wire: Wire) -> None:
        actors = {actor["name"]: actor for actor in wire.call("actor.list")["actors"]}
        assert {"writer", "tasks", "sessions", "runs", "events", "autosave", "gateway"} <= set(actors)
        for name in ("writer", "tasks", "sessions"):
            assert actors[name]["state"] == "running"
            assert isinstance(actors[name]["restarts"], int)
            assert "last_crash" in actors[name]
            assert {"mailbox_depth", "mailbox_depth_max"} <= set(actors[name])

    def test_a_restarted_actor_serves_on(self, wire: Wire) -> None:
        wire.call("actor.restart", name="tasks")
        assert made(wire)
        assert wire.fault("actor.restart", name="nobody")["data"]["kind"] == "not_found"

    @pytest.mark.parametrize("name", ["tasks", "sessions", "runs", "writer"])
    def test_a_crash_is_counted_and_told_and_nobody_sees_it(self, wire: Wire, name: str) -> None:
        def actor() -> dict[str, Any]:
            found: dict[str, Any] = next(one for one in wire.call("actor.list")["actors"] if one["name"] == name)
            return found

        before = actor()["restarts"]
        wire.call("actor.kill", name=name, how="crash")
        assert made(wire)
        eventually(lambda: actor()["restarts"] > before and actor()["last_crash"], "the restart in the tree")

    def test_a_kill_of_another_kind_is_refused(self, wire: Wire) -> None:
        assert wire.fault("actor.kill", name="tasks", how="nicely")["data"]["kind"] == "invalid_params"

    def test_without_chaos_nothing_is_killed(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        with perdure(tmp_path_factory.mktemp("calm") / "p", chaos__enabled="false") as calm:
            calm.start()
            with calm.wire() as wire:
                error = wire.fault("actor.kill", name="tasks", how="crash")
                assert (error["code"], error["data"]["kind"]) == (-32010, "forbidden")


class TestDiscovery:
    def test_every_method_is_described(self, wire: Wire) -> None:
        document = wire.call("rpc.discover")
        assert document["openrpc"]
        assert {method["name"] for method in document["methods"]} >= set(METHODS.split()) - {"rpc.discover"}

    def test_what_is_described_is_there_and_refuses_what_is_unknown(self, wire: Wire) -> None:
        for method in wire.call("rpc.discover")["methods"]:
            error = wire.fault(method["name"], no_such_parameter=1)
            assert error["data"]["kind"] == "invalid_params", method["name"]
            paths = {violation["path"] for violation in error["data"]["violations"]}
            required = {param["name"] for param in method["params"] if param.get("required")}
            assert paths >= {"no_such_parameter"} | required, method["name"]
