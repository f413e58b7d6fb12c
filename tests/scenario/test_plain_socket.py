"""Every method of the protocol, asked over a plain socket by a program that knows nothing but bytes and lines.

What is expected here is written down from the protocol's description, not taken from the code. `EVERY` has one scene
for each method; a method without a scene fails the first test.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.perdure import Perdure, Wire, perdure
from tests.kit.services import configure


def _members(names: str) -> frozenset[str]:
    return frozenset(names.split())


TASK = _members(
    "id description status tool created_at updated_at started_at completed_at logs result error priority session_id "
    "depends_on attempts max_attempts worker lease lease_expires_at metadata rev"
)
SESSION = _members(
    "id title provider model working_directory created_at last_accessed_at message_count status outcome closed_at "
    "closed_reason alias external_ids parent_id parent_candidates parent_candidates_omitted identity_resolution "
    "fingerprints transcript_files git cwd first_prompt_preview task_ids projects activity last_progress_at "
    "current_turn_id metadata rev"
)
RUN = _members(
    "id task_id session_id tool attempt argv cwd pid pid_started status exit_code signal started_at ended_at "
    "vendor_session_id result error stdout stderr rev"
)
HEALTH = _members(
    "status reasons state_dir_exists writeable disk_free_bytes last_save_time last_save_age_s backup_count journal "
    "actors watchdog quarantine_count"
)
NEW_SESSION = {"title": "Login", "provider": "anthropic", "model": "opus", "working_directory": "/home/me/project"}

Scene = Callable[[Wire], None]
EVERY: dict[str, Scene] = {}


def scene(name: str) -> Callable[[Scene], Scene]:
    """Register the scene of one method."""

    def register(play: Scene) -> Scene:
        EVERY[name] = play
        return play

    return register


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    """One Perdure for the whole module: no scene stops it."""
    with perdure(tmp_path_factory.mktemp("plain")) as one:
        configure(one, {"sleeper": {"command": "sleep", "args": ["3600"]}})
        one.start()
        yield one


@pytest.fixture
def wire(whole: Perdure) -> Iterator[Wire]:
    """A new connection for each test."""
    with whole.wire() as connection:
        yield connection


def made(wire: Wire, **members: Any) -> dict[str, Any]:
    """Make a task."""
    task: dict[str, Any] = wire.call("task.create", **{"description": "a task", **members})
    return task


def session_made(wire: Wire, **members: Any) -> dict[str, Any]:
    """Make a session."""
    session: dict[str, Any] = wire.call("session.create", **{**NEW_SESSION, **members})
    return session


@scene("task.create")
def _create(wire: Wire) -> None:
    task = made(wire, tool="CLAUDECODE", priority=0, metadata={"a": [1, 2.5, None, {"b": True}]})
    assert task.keys() == TASK
    assert (task["status"], task["priority"], task["rev"], task["logs"]) == ("pending", 0, 1, [])
    assert task["metadata"] == {"a": [1, 2.5, None, {"b": True}]}
    assert task["created_at"].endswith("Z")
    assert made(wire, id='create: "me"/now')["id"] == "create menow"


@scene("task.get")
def _get(wire: Wire) -> None:
    task = made(wire)
    assert wire.call("task.get", id=task["id"]) == task


@scene("task.list")
def _list(wire: Wire) -> None:
    wanted = [made(wire, tool="LISTED", description=f"number {n}")["id"] for n in range(5)]
    first = wire.call("task.list", tool="LISTED", limit=3)
    second = wire.call("task.list", tool="LISTED", limit=3, cursor=first["next_cursor"])
    assert [task["id"] for task in first["tasks"] + second["tasks"]] == wanted
    assert second["next_cursor"] is None
    assert [task["id"] for task in wire.call("task.list", tool="LISTED", text="NUMBER 4")["tasks"]] == wanted[4:]
    assert wire.call("task.list", tool="LISTED", status="completed") == {"tasks": [], "next_cursor": None}


@scene("task.update")
def _update(wire: Wire) -> None:
    task = made(wire, tool="SHELL")
    changed = wire.call("task.update", id=task["id"], priority=9, tool=None, if_rev=1)
    assert changed == {**task, "priority": 9, "tool": None, "updated_at": changed["updated_at"], "rev": 2}


@scene("task.save")
def _save(wire: Wire) -> None:
    log = {"timestamp": "2024-01-01T11:20:00.000Z", "level": "info", "type": "system", "message": "Task started"}
    given = {"id": "saved", "description": "whole", "status": "running", "logs": [log], "attempts": 1}
    saved = wire.call("task.save", task=given)
    assert saved.keys() == TASK
    assert {name: saved[name] for name in given} == given
    again = wire.call("task.save", task=saved)
    assert again == {**saved, "rev": 2, "updated_at": again["updated_at"]}


@scene("task.start")
def _start(wire: Wire) -> None:
    task = wire.call("task.start", id=made(wire)["id"])
    assert (task["status"], task["attempts"], task["rev"]) == ("running", 1, 2)
    assert task["started_at"]


@scene("task.complete")
def _complete(wire: Wire) -> None:
    task_id = made(wire)["id"]
    wire.call("task.start", id=task_id)
    task = wire.call("task.complete", id=task_id, result={"passed": [True]})
    assert (task["status"], task["result"], task["error"]) == ("completed", {"passed": [True]}, None)
    assert task["completed_at"]


@scene("task.fail")
def _fail(wire: Wire) -> None:
    for error in ("the tests do not pass", {"kind": "timeout", "message": "after 60 s"}):
        task_id = made(wire)["id"]
        wire.call("task.start", id=task_id)
        task = wire.call("task.fail", id=task_id, error=error)
        assert (task["status"], task["error"]) == ("failed", error)


@scene("task.cancel")
def _cancel(wire: Wire) -> None:
    task = wire.call("task.cancel", id=made(wire)["id"], reason="no longer needed")
    assert task["status"] == "cancelled"


@scene("task.reopen")
def _reopen(wire: Wire) -> None:
    task_id = made(wire)["id"]
    wire.call("task.cancel", id=task_id)
    task = wire.call("task.reopen", id=task_id)
    assert (task["status"], task["error"], task["completed_at"]) == ("pending", None, None)


@scene("task.delete")
def _delete(wire: Wire) -> None:
    task_id = made(wire)["id"]
    gone = wire.call("task.delete", id=task_id)
    assert (gone["id"], gone["deleted"]) == (task_id, True)
    assert wire.fault("task.get", id=task_id)["code"] == -32001


@scene("task.log")
def _log(wire: Wire) -> None:
    task_id = made(wire)["id"]
    assert wire.call("task.log", id=task_id, message="begun") == {"id": task_id, "rev": 2, "log_count": 1}
    entries = [{"message": "one", "level": "warning", "type": "tool"}, {"message": "two"}]
    assert wire.call("task.log", id=task_id, entries=entries) == {"id": task_id, "rev": 3, "log_count": 3}
    logs = wire.call("task.get", id=task_id)["logs"]
    told = [(entry["message"], entry["level"], entry["type"]) for entry in logs]
    assert told == [("begun", "info", "user"), ("one", "warning", "tool"), ("two", "info", "user")]


@scene("task.claim")
def _claim(wire: Wire) -> None:
    assert wire.call("task.claim", worker="w", tools=["CLAIMED"]) is None
    made(wire, tool="CLAIMED", priority=5)
    urgent = made(wire, tool="CLAIMED", priority=1)
    first = wire.call("task.claim", worker="w", tools=["CLAIMED"], lease_s=30)
    second = wire.call("task.claim", worker="w", tools=["CLAIMED"])
    assert (first["id"], first["status"], first["worker"]) == (urgent["id"], "running", "w")
    assert first.keys() == TASK
    assert isinstance(first["lease"], int)
    assert second["lease"] > first["lease"]
    assert wire.call("task.claim", worker="w", tools=["CLAIMED"]) is None


@scene("task.heartbeat")
def _heartbeat(wire: Wire) -> None:
    made(wire, tool="BEATEN")
    task = wire.call("task.claim", worker="w", tools=["BEATEN"])
    before = wire.call("runtime.ping")["seq"]
    beaten = wire.call("task.heartbeat", id=task["id"], lease=task["lease"], lease_s=600)
    assert beaten["lease_expires_at"] > task["lease_expires_at"]
    assert wire.call("runtime.ping")["seq"] == before, "a heartbeat was journalled"


@scene("task.release")
def _release(wire: Wire) -> None:
    made(wire, tool="RELEASED")
    task = wire.call("task.claim", worker="w", tools=["RELEASED"])
    given_back = wire.call("task.release", id=task["id"], lease=task["lease"])
    assert (given_back["status"], given_back["lease"]) == ("pending", None)


@scene("batch.apply")
def _batch(wire: Wire) -> None:
    commands = [
        {"method": "task.create", "params": {"id": "batched", "description": "of a batch"}},
        {"method": "session.create", "params": NEW_SESSION},
        {"method": "task.log", "params": {"id": "batched", "message": "made just before"}},
    ]
    task, session, logged = wire.call("batch.apply", commands=commands)["results"]
    assert (task.keys(), session.keys()) == (TASK, SESSION)
    assert logged == {"id": "batched", "rev": 2, "log_count": 1}


@scene("session.create")
def _session_create(wire: Wire) -> None:
    session = session_made(wire, messages=[{"role": "user", "content": "hello"}])
    assert session.keys() == SESSION
    assert {name: session[name] for name in NEW_SESSION} == NEW_SESSION
    assert (session["status"], session["message_count"], session["rev"]) == ("open", 1, 1)
    foreign = session_made(wire, id="session_1704067200001")
    assert foreign["external_ids"] == ["session_1704067200001"]
    assert wire.call("session.get", id="session_1704067200001")["id"] == foreign["id"] != "session_1704067200001"


@scene("session.get")
def _session_get(wire: Wire) -> None:
    session = session_made(wire)
    assert wire.call("session.get", id=session["id"]) == session == wire.call("session.get", id=session["id"])


@scene("session.load")
def _session_load(wire: Wire) -> None:
    session = session_made(wire)
    loaded = wire.call("session.load", id=session["id"])
    assert loaded == {**session, "last_accessed_at": loaded["last_accessed_at"], "rev": 2}


@scene("session.save")
def _session_save(wire: Wire) -> None:
    session_id = session_made(wire, messages=[{"content": "old"}])["id"]
    saved = wire.call("session.save", id=session_id, title="  New  ", messages=[{"content": "a"}, {"content": "b"}])
    assert (saved["title"], saved["message_count"]) == ("New", 2)
    assert wire.call("session.messages", id=session_id)["messages"] == [{"content": "a"}, {"content": "b"}]


@scene("session.append")
def _session_append(wire: Wire) -> None:
    session_id = session_made(wire)["id"]
    appended = wire.call("session.append", id=session_id, messages=[{"content": "a"}, {"content": "b"}])
    assert appended == {"id": session_id, "rev": 2, "message_count": 2}


@scene("session.messages")
def _session_messages(wire: Wire) -> None:
    messages = [{"role": "user", "content": f"message {n}"} for n in range(1, 8)]
    session_id = session_made(wire, messages=messages)["id"]
    read: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = wire.call("session.messages", id=session_id, after=after, limit=3)
        read += page["messages"]
        after = page["next"]
    assert read == messages


@scene("session.rename")
def _session_rename(wire: Wire) -> None:
    session_id = session_made(wire)["id"]
    assert wire.call("session.rename", id=session_id, title="  Logging in ")["title"] == "Logging in"
    assert wire.call("session.save", id=session_id, model="sonnet")["title"] == "Logging in"


@scene("session.list")
def _session_list(wire: Wire) -> None:
    ids = [session_made(wire, working_directory="/listed", title=f"{9 - n}")["id"] for n in range(3)]
    found = wire.call("session.list", working_directory="/listed/./x/..", order="title")
    assert [session["id"] for session in found["sessions"]] == ids[::-1]
    first = wire.call("session.list", working_directory="/listed", limit=2)
    rest = wire.call("session.list", working_directory="/listed", limit=2, cursor=first["next_cursor"])
    assert [session["id"] for session in first["sessions"] + rest["sessions"]] == ids[::-1]


@scene("session.close")
def _session_close(wire: Wire) -> None:
    session = wire.call("session.close", id=session_made(wire)["id"], outcome="done", reason="all green")
    assert (session["status"], session["outcome"], session["closed_reason"]) == ("closed", "done", "all green")
    assert session["closed_at"]


@scene("session.delete")
def _session_delete(wire: Wire) -> None:
    session_id = session_made(wire)["id"]
    assert wire.call("session.delete", id=session_id) == {"id": session_id, "deleted": True}
    assert wire.call("session.delete", id=session_id) == {"id": session_id, "deleted": False}


@scene("session.restore")
def _session_restore(wire: Wire) -> None:
    session = session_made(wire, messages=[{"content": "kept"}])
    wire.call("session.delete", id=session["id"])
    restored = wire.call("session.restore", id=session["id"])
    assert restored.keys() == SESSION
    assert restored["rev"] > session["rev"]
    assert wire.call("session.messages", id=session["id"])["messages"] == [{"content": "kept"}]


@scene("session.put")
def _session_put(wire: Wire) -> None:
    put = wire.call("session.put", session={"id": "session_1704067200777", "title": "Brought along"})
    assert put.keys() == SESSION
    assert put["external_ids"] == ["session_1704067200777"]
    again = wire.call("session.put", session={"id": put["id"], "model": "opus"})
    assert (again["id"], again["title"], again["model"], again["rev"]) == (put["id"], "Brought along", "opus", 2)


@scene("session.seen")
def _session_seen(wire: Wire) -> None:
    first = wire.call("session.seen", external_id="seen-1", cwd="/home/me/seen")
    assert (first["minted"], first["session"].keys()) == (True, SESSION)
    again = wire.call("session.seen", external_id="seen-1")
    assert (again["minted"], again["session"]["id"]) == (False, first["session"]["id"])
    assert again["identity_resolution"]["confidence"] == "exact"


@scene("session.find")
def _session_find(wire: Wire) -> None:
    session = session_made(wire, title="Where the needle is", working_directory="/found")
    for by in ({"id": session["id"]}, {"text": "NEEDLE"}):
        assert [found["id"] for found in wire.call("session.find", **by)["sessions"]] == [session["id"]]
    assert wire.call("session.find", external_id="nobody-knows-it") == {"sessions": []}


@scene("session.alias")
def _session_alias(wire: Wire) -> None:
    session, other = session_made(wire), session_made(wire)
    assert wire.call("session.alias", id=session["id"], alias="called")["alias"] == "called"
    assert wire.fault("session.alias", id=other["id"], alias="called")["code"] == -32002
    assert wire.call("session.alias", id=session["id"], alias=None)["alias"] is None


@scene("session.parent")
def _session_parent(wire: Wire) -> None:
    parent, child = session_made(wire), session_made(wire)
    assert wire.call("session.parent", id=child["id"], parent_id=parent["id"])["parent_id"] == parent["id"]
    assert "error" in wire.ask("session.parent", id=parent["id"], parent_id=child["id"]), "a cycle was made"
    assert wire.call("session.parent", id=child["id"], parent_id=None)["parent_id"] is None


@scene("session.link")
def _session_link(wire: Wire) -> None:
    task, session = made(wire), session_made(wire)
    linked = wire.call("session.link", id=session["id"], tasks=[task["id"]], projects=["login"])
    assert (linked["task_ids"], linked["projects"]) == ([task["id"]], ["login"])


@scene("session.unlink")
def _session_unlink(wire: Wire) -> None:
    session = session_made(wire)
    wire.call("session.link", id=session["id"], projects=["login", "logout"])
    assert wire.call("session.unlink", id=session["id"], projects=["login"])["projects"] == ["logout"]


@scene("session.tree")
def _session_tree(wire: Wire) -> None:
    parent, child = session_made(wire), session_made(wire)
    wire.call("session.parent", id=child["id"], parent_id=parent["id"])
    (root,) = wire.call("session.tree", id=parent["id"])["roots"]
    assert root["session"]["id"] == parent["id"]
    assert [one["session"]["id"] for one in root["children"]] == [child["id"]]


@scene("session.sweep")
def _session_sweep(wire: Wire) -> None:
    session_made(wire)
    assert wire.call("session.sweep", dry_run=True) == {"changed": []}, "a session made just now counts as unused"


@scene("run.put")
def _run_put(wire: Wire) -> None:
    run = wire.call("run.put", run={"id": "run_put", "status": "running", "argv": ["make", "test"], "pid": 4711})
    assert run.keys() == RUN
    ended = wire.call("run.put", run={"id": "run_put", "status": "exited", "exit_code": 0})
    assert (ended["argv"], ended["exit_code"], ended["rev"]) == (["make", "test"], 0, 2)


@scene("run.get")
def _run_get(wire: Wire) -> None:
    run = wire.call("run.put", run={"id": "run_get"})
    assert wire.call("run.get", id="run_get") == run


@scene("run.list")
def _run_list(wire: Wire) -> None:
    task_id = made(wire)["id"]
    runs = [wire.call("run.put", run={"id": f"run_list_{n}", "task_id": task_id}) for n in range(3)]
    found = wire.call("run.list", task_id=task_id)
    assert sorted(run["id"] for run in found["runs"]) == [run["id"] for run in runs]
    assert found["next_cursor"] is None


@scene("run.exec")
def _run_exec(wire: Wire) -> None:
    run = wire.call("run.exec", argv=["true"])
    assert run.keys() == RUN
    assert (run["tool"], run["argv"], run["attempt"]) == ("SHELL", ["true"], 1)
    assert wire.call("task.get", id=run["task_id"])["metadata"]["argv"] == ["true"]


@scene("run.start")
def _run_start(wire: Wire) -> None:
    task = made(wire, tool="SHELL", metadata={"argv": ["true"]})
    run = wire.call("run.start", task_id=task["id"])
    assert run.keys() == RUN
    assert run["task_id"] == task["id"]


@scene("run.stop")
def _run_stop(wire: Wire) -> None:
    run = wire.call("run.exec", argv=["sleep", "600"])
    stopped = wire.call("run.stop", id=run["id"], grace_s=5)
    assert stopped["status"] == "cancelled"
    assert wire.call("task.get", id=run["task_id"])["status"] == "cancelled"


@scene("run.output")
def _run_output(wire: Wire) -> None:
    run = wire.call("run.exec", argv=["echo", "hello"])
    _output_followed(wire, run["id"])
    read = {"id": run["id"], "stream": "stdout", "offset": 1, "limit": 4}
    assert wire.call("run.output", **read) == {"data": "ello", "next_offset": 5, "eof": False}
    assert wire.call("run.output", **read, encoding="base64")["data"] == "ZWxsbw=="


@scene("output.subscribe")
def _output_subscribe(wire: Wire) -> None:
    run = wire.call("run.exec", argv=["echo", "hello"])
    assert _output_followed(wire, run["id"]) == "hello\n"


def _output_followed(wire: Wire, run_id: str) -> str:
    """What a run prints on stdout, followed to its end."""
    wire.call("output.subscribe", id=run_id, stream="stdout")
    said: list[str] = []
    while True:
        note = wire.notifications.popleft() if wire.notifications else wire.line()
        if note["method"] == "output":
            said.append(note["params"]["data"])
            if note["params"]["eof"]:
                return "".join(said)


@scene("output.unsubscribe")
def _output_unsubscribe(wire: Wire) -> None:
    run = wire.call("run.exec", argv=["sleep", "300"])
    begun = wire.call("output.subscribe", id=run["id"])
    assert wire.call("output.unsubscribe", subscription=begun["subscription"]) == begun
    wire.call("run.stop", id=run["id"], grace_s=1)
    wire.call("runtime.ping")
    assert [note for note in wire.notifications if note["method"] == "output"] == []


@scene("event.record")
def _event_record(wire: Wire) -> None:
    event = wire.call("event.record", type="deploy:done", message="version 4", detail={"to": ["a", "b"]})
    told = {"type": "deploy:done", "message": "version 4", "level": "info", "detail": {"to": ["a", "b"]}}
    assert {name: event[name] for name in told} == told


@scene("event.list")
def _event_list(wire: Wire) -> None:
    before = wire.call("runtime.ping")["seq"]
    task = made(wire, description="told")
    found = wire.call("event.list", after_seq=before, kinds=["task.created"])
    (event,) = [one for one in found["events"] if one["id"] == task["id"]]
    assert (event["kind"], event["rev"], event["data"]["description"]) == ("task.created", 1, "told")
    assert found["next_seq"] >= event["seq"] > before


@scene("event.subscribe")
def _event_subscribe(wire: Wire) -> None:
    begun = wire.call("event.subscribe", kinds=["task.created"])
    assert begun.keys() == {"subscription", "seq"}
    task = made(wire)
    told = wire.event()
    assert (told["method"], told["subscription"], told["seq"]) == ("event", begun["subscription"], begun["seq"] + 1)
    assert [(event["kind"], event["id"]) for event in told["events"]] == [("task.created", task["id"])]


@scene("event.unsubscribe")
def _event_unsubscribe(wire: Wire) -> None:
    begun = wire.call("event.subscribe")
    wire.call("event.unsubscribe", subscription=begun["subscription"])
    made(wire)
    wire.call("runtime.ping")
    assert [note for note in wire.notifications if note["params"]["seq"] not in (None, begun["seq"])] == []


@scene("log.append")
def _log_append(wire: Wire) -> None:
    session_id = session_made(wire)["id"]
    assert wire.call("log.append", session_id=session_id, text="hé\n") == {"bytes": 4}


@scene("log.read")
def _log_read(wire: Wire) -> None:
    session_id = session_made(wire)["id"]
    wire.call("log.append", session_id=session_id, text="hé")
    wire.call("log.append", session_id=session_id, text="llo\n")
    assert wire.call("log.read", session_id=session_id) == {"text": "héllo\n", "next_offset": 7}
    assert wire.call("log.read", session_id=session_id, offset=3, limit=4) == {"text": "llo\n", "next_offset": 7}


@scene("report.save")
def _report_save(wire: Wire) -> None:
    saved = wire.call("report.save", id="weekly", data={"passed": 12})
    assert saved == {"id": "weekly", "path": "reports/report_weekly.json"}


@scene("report.get")
def _report_get(wire: Wire) -> None:
    report_id = wire.call("report.save", data=[1, {"two": None}])["id"]
    report = wire.call("report.get", id=report_id)
    assert report.keys() == {"id", "created_at", "data"}
    assert report["data"] == [1, {"two": None}]


@scene("report.list")
def _report_list(wire: Wire) -> None:
    saved = [wire.call("report.save", data=n)["id"] for n in range(2)]
    assert [report["id"] for report in wire.call("report.list")["reports"]][-2:] == saved


@scene("state.save")
def _state_save(wire: Wire) -> None:
    made(wire)
    saved = wire.call("state.save")
    assert saved.keys() == {"path", "seq", "bytes", "duration_s"}
    assert saved["seq"] == wire.call("runtime.ping")["seq"]
    state = json.loads(Path(saved["path"]).read_bytes())
    assert (state["version"], state["seq"]) == ("2.0.0", saved["seq"])


@scene("state.backups")
def _state_backups(wire: Wire) -> None:
    for _ in range(2):
        made(wire)
        wire.call("state.save")
    backups = wire.call("state.backups")["backups"]
    assert backups
    assert all(Path(backup["path"]).is_file() and backup["bytes"] > 0 for backup in backups)


@scene("state.verify")
def _state_verify(wire: Wire) -> None:
    verified = wire.call("state.verify")
    assert verified["ok"] is True
    assert verified["findings"] == []


@scene("state.get")
def _state_get(wire: Wire) -> None:
    task = made(wire)
    state = wire.call("state.get")
    expected = {"version", "seq", "last_saved", "metrics", "tasks", "sessions", "runs", "recent_events"}
    assert expected <= state.keys()
    assert state["version"] == "2.0.0"
    assert task in state["tasks"]
    metrics = {"total_tasks", "completed_tasks", "failed_tasks", "average_completion_time"}
    assert metrics <= state["metrics"].keys()


@scene("runtime.ping")
def _ping(wire: Wire) -> None:
    before = wire.call("runtime.ping")["seq"]
    made(wire)
    assert wire.call("runtime.ping")["seq"] > before


@scene("runtime.status")
def _status(wire: Wire) -> None:
    status = wire.call("runtime.status")
    assert {"identity", "seq", "pids", "daemon", "actors", "counts", "recovery", "config"} <= status.keys()
    assert status["pids"].keys() == {"root", "runtime", "standby", "host", "agents"}
    assert status["identity"].keys() >= {"daemon_id", "node_id", "created_at", "version"}
    assert status["daemon"]["started"] is True
    assert status["daemon"]["pid"] == status["pids"]["root"]


@scene("runtime.health")
def _health(wire: Wire) -> None:
    health = wire.call("runtime.health")
    assert health.keys() >= HEALTH
    assert (health["status"], health["state_dir_exists"], health["writeable"]) == ("ok", True, True)
    assert health["journal"].keys() == {"seq", "bytes", "segments", "lag"}


@scene("runtime.metrics")
def _metrics(wire: Wire) -> None:
    made(wire)
    counted = {
        (row["labels"]["method"], row["labels"]["outcome"]): row["value"]
        for row in wire.call("runtime.metrics")["perdure_commands_total"]
    }
    assert counted["task.create", "ok"] >= 1
    text = wire.call("runtime.metrics", format="openmetrics")["text"]
    assert text.endswith("# EOF\n")
    assert 'perdure_commands_total{method="task.create",outcome="ok"}' in text


@scene("runtime.reload")
def _reload(wire: Wire) -> None:
    assert wire.call("runtime.reload") == {"applied": [], "needs_restart": []}


@scene("runtime.shutdown")
def _shutdown(wire: Wire) -> None:
    # Played in the last test: it would end the others.
    assert wire.fault("runtime.shutdown", now=True)["data"]["violations"][0]["path"] == "now"


@scene("actor.list")
def _actors(wire: Wire) -> None:
    rows = {row["name"]: row for row in wire.call("actor.list")["actors"]}
    assert {"writer", "tasks", "sessions", "runs", "events", "autosave", "gateway"} <= rows.keys()
    for row in (rows["writer"], rows["tasks"]):
        assert row["state"] == "running"
        assert {"restarts", "mailbox_depth", "mailbox_depth_max", "last_crash"} <= row.keys()


@scene("actor.restart")
def _actor_restart(wire: Wire) -> None:
    before = {row["name"]: row["incarnation"] for row in wire.call("actor.list")["actors"]}
    assert wire.call("actor.restart", name="reports")["name"] == "reports"
    after = {row["name"]: row["incarnation"] for row in wire.call("actor.list")["actors"]}
    assert after == {**before, "reports": before["reports"] + 1}


@scene("actor.kill")
def _actor_kill(wire: Wire) -> None:
    assert wire.call("actor.kill", name="runs", how="crash") == {"name": "runs", "how": "crash"}
    assert wire.call("run.put", run={"id": "after_the_kill"})["rev"] == 1


@scene("service.list")
def _service_list(wire: Wire) -> None:
    (sleeper,) = wire.call("service.list")["services"]
    assert (sleeper["name"], sleeper["command"], sleeper["args"]) == ("sleeper", "sleep", ["3600"])


@scene("service.start")
def _service_start(wire: Wire) -> None:
    assert wire.call("service.start", name="sleeper")["status"] == "running"


@scene("service.stop")
def _service_stop(wire: Wire) -> None:
    stopped = wire.call("service.stop", name="sleeper")
    assert (stopped["status"], stopped["pid"], stopped["wanted"]) == ("stopped", None, False)


@scene("service.restart")
def _service_restart(wire: Wire) -> None:
    before = wire.call("service.start", name="sleeper", idempotency_key="a-key-of-services")
    again = wire.call("service.restart", name="sleeper", idempotency_key="another-key-of-services")
    assert (again["status"], again["lives"], again["pid"] == before["pid"]) == ("running", before["lives"] + 1, False)
    assert wire.call("service.restart", name="sleeper", idempotency_key="another-key-of-services") == again


@scene("rpc.discover")
def _discover(wire: Wire) -> None:
    document = wire.call("rpc.discover")
    (create,) = [method for method in document["methods"] if method["name"] == "task.create"]
    assert {param["name"] for param in create["params"]} >= {"description", "idempotency_key"}


def test_every_method_that_is_described_is_played_here(wire: Wire) -> None:
    described = {method["name"] for method in wire.call("rpc.discover")["methods"]}
    assert described == set(EVERY)


def test_the_description_is_an_openrpc_document_whose_examples_are_good_calls(wire: Wire) -> None:
    document = wire.call("rpc.discover")
    assert document["openrpc"].startswith("1.")
    errors = {error["data"]["kind"]: error["code"] for error in document["components"]["errors"].values()}
    assert errors["not_found"] == -32001
    assert len(set(errors.values())) == len(errors)
    for method in document["methods"]:
        given = {param["name"] for param in method["params"]}
        required = {param["name"] for param in method["params"] if param["required"]}
        example = {param["name"] for param in method["examples"][0]["params"]}
        assert required <= example <= given, method["name"]


@pytest.mark.parametrize("name", list(EVERY))
def test_a_good_call_is_answered_in_the_described_shape(name: str, wire: Wire) -> None:
    EVERY[name](wire)


def test_shutdown_stops_the_whole_of_perdure(tmp_path: Path) -> None:
    with perdure(tmp_path / "own") as own:
        own.start()
        with own.wire() as wire:
            made(wire, id="kept")
            assert wire.call("runtime.shutdown") == {"stopping": True}
            assert wire.reply() is None, "the connection is closed at the end"
        assert own.wait() == 0
        assert "kept" in (own.state_path / "state.json").read_text()
