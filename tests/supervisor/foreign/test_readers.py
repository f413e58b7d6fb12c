"""supervisor/foreign: what each tool's reader finds in that tool's sample, and in damaged copies of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.model.ids import foreign_session_id
from supervisor.foreign.kinds import KINDS, WrongKind, check
from supervisor.foreign.values import EventsFound, LogFound, ReportFound, RunFound, SessionFound, Skipped, TaskFound
from tests.kit.foreign import SAMPLES, WHERE, bodies, found_in, passed_over, sample, sessions_in
from tests.kit.perdure import fingerprint


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of lines, read as simply as can be."""
    found = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


class TestWhatADirectoryLooksLike:
    @pytest.mark.parametrize("kind", WHERE)
    def test_each_sample_is_of_its_kind_and_of_no_other(self, kind: str) -> None:
        check(KINDS[kind], sample(kind))
        for other in set(WHERE) - {kind}:
            with pytest.raises(WrongKind, match=f"looks like .*{kind}"):
                check(KINDS[other], sample(kind))

    def test_an_empty_one_is_said_to_be_empty(self, tmp_path: Path) -> None:
        with pytest.raises(WrongKind, match="it is empty"):
            check(KINDS["claude"], tmp_path)
        (tmp_path / "notes.txt").write_text("x")
        with pytest.raises(WrongKind, match="nothing that is known"):
            check(KINDS["claude"], tmp_path)

    @pytest.mark.parametrize("kind", WHERE)
    def test_reading_changes_nothing(self, kind: str) -> None:
        before = fingerprint(sample(kind))
        for found in found_in(kind, sample(kind)):
            if isinstance(found, SessionFound):
                bodies(found)
        assert fingerprint(sample(kind)) == before


class TestNanocoder:
    def test_every_session_is_found_with_its_messages_as_they_are(self) -> None:
        sessions = sessions_in("nanocoder", sample("nanocoder"))
        assert len(sessions) == 7
        for session in sessions:
            source = json.loads((sample("nanocoder") / session.file).read_text())
            assert bodies(session) == source["messages"]
            assert session.members["id"] == source["id"]
            assert session.members["created_at"] == source["createdAt"]
            assert session.members["working_directory"] == source["workingDirectory"]

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda text: text[: len(text) // 2], "not JSON"),
            (lambda _text: "", "empty"),
            (lambda _text: "[]", "no JSON object"),
            (lambda text: text.replace('"messages"', '"massages"'), "messages missing"),
            (lambda text: text.replace('"createdAt": "', '"createdAt": 7, "x": "'), "createdAt missing"),
            (lambda text: text.replace("0dc28ace-dc67", "0dc28ace-dc68"), "not what its name says"),
            (lambda text: text.replace("0dc28ace-dc67-490b-ad6c-2e1e81b96574", "../../etc"), "no UUID"),
        ],
    )
    def test_a_file_that_is_no_session_is_told_and_the_others_are_read(
        self, tmp_path: Path, spoil: Callable[[str], str], reason: str
    ) -> None:
        shutil.copytree(sample("nanocoder"), tmp_path / "n")
        path = tmp_path / "n" / "0dc28ace-dc67-490b-ad6c-2e1e81b96574.json"
        path.write_text(spoil(path.read_text()))
        found = found_in("nanocoder", tmp_path / "n")
        (told,) = [one for one in found if isinstance(one, Skipped)]
        assert told.file == path.name
        assert reason in told.reason
        assert len([one for one in found if isinstance(one, SessionFound)]) == 6


class TestSessionsDb:
    def test_the_events_give_what_the_projection_holds(self) -> None:
        projection = json.loads((sample("sessions-db") / "sessions-db.json").read_text())["sessions"]
        sessions = sessions_in("sessions-db", sample("sessions-db"))
        found = {session.members["external_ids"][0]: session for session in sessions}
        assert list(found) == list(projection)
        for stable_id, record in projection.items():
            members = found[stable_id].members
            assert foreign_session_id(members["id"]) == stable_id.removeprefix("sess_")
            assert members["external_ids"][1:] == record["claude_session_ids"]
            assert members.get("alias") == record["alias"]
            assert members.get("outcome", "open") == record["outcome"]
            assert members.get("closed_reason") == record["closed_reason"]
            assert members.get("task_ids", []) == record["tasks"]
            assert members.get("projects", []) == record["projects"]
            assert members["first_prompt_preview"] == record["first_prompt_preview"]
            assert members["last_progress_at"] == record["last_progress_at"]
            assert members["created_at"] == record["created_at"]
            assert members["git"]["branch"] == record["branch_current"]
            assert found[stable_id].parent == record["parent_session_id"]
            assert members["identity_resolution"] == record["identity_resolution"]

    def test_a_torn_tail_costs_the_last_line(self) -> None:
        found = found_in("sessions-db", SAMPLES / "sessions-db" / "torn-tail")
        assert passed_over(found) == [("sessions-db-events.jsonl", 13)]
        sessions = [one for one in found if isinstance(one, SessionFound)]
        assert len(sessions) == 6
        assert sessions[0].members["identity_resolution"]["source"] == "minted"

    def test_a_bad_line_in_the_middle_costs_itself(self) -> None:
        found = found_in("sessions-db", SAMPLES / "sessions-db" / "bad-middle")
        assert passed_over(found) == [("sessions-db-events.jsonl", 5)]
        previews = [one.members["first_prompt_preview"][-1] for one in found if isinstance(one, SessionFound)]
        assert previews == ["0", "1", "2", "3", "5"]

    def test_without_events_the_projection_is_read(self, tmp_path: Path) -> None:
        shutil.copy(sample("sessions-db") / "sessions-db.json", tmp_path)
        from_events = [one.members for one in sessions_in("sessions-db", sample("sessions-db"))]
        assert [one.members for one in sessions_in("sessions-db", tmp_path)] == from_events

    def test_an_unknown_kind_of_event_is_told(self, tmp_path: Path) -> None:
        event = {"ts": "2026-01-01T00:00:00Z", "op": "dance", "stable_id": "sess_x", "payload": {}}
        (tmp_path / "sessions-db-events.jsonl").write_text(json.dumps(event) + "\n{}\n")
        assert passed_over(found_in("sessions-db", tmp_path)) == [
            ("sessions-db-events.jsonl", 1),
            ("sessions-db-events.jsonl", 2),
        ]


class TestClaude:
    @pytest.mark.parametrize("name", ["edge_cases", "representative_messages", "session_b", "todowrite_examples"])
    def test_messages_their_order_ids_and_tool_calls_are_kept(self, name: str) -> None:
        (session,) = [one for one in sessions_in("claude", sample("claude")) if one.file == f"{name}.jsonl"]
        said = [line for line in lines_of(sample("claude") / session.file) if line.get("type") in ("user", "assistant")]
        kept = bodies(session)
        assert [one["uuid"] for one in kept] == [line["uuid"] for line in said]
        for one, line in zip(kept, said, strict=True):
            inner = line["message"] if isinstance(line["message"], dict) else {"content": line["message"]}
            assert one["role"] == inner.get("role", line["type"])
            assert one.get("content") == inner.get("content")
            assert one.get("timestamp") == line.get("timestamp")
            assert one.get("toolUseResult") == line.get("toolUseResult")
            assert one.get("id") == inner.get("id")

    def test_lines_that_are_none_of_a_transcript_are_told(self) -> None:
        (session,) = [one for one in sessions_in("claude", sample("claude")) if one.file == "edge_cases.jsonl"]
        assert passed_over(session.messages()) == [("edge_cases.jsonl", n) for n in (13, 14, 15, 16)]

    def test_the_session_is_named_by_its_summary_or_by_its_first_prompt(self) -> None:
        sessions = {one.file: one.members for one in sessions_in("claude", sample("claude"))}
        assert sessions["edge_cases.jsonl"]["title"].startswith("Tested various edge cases")
        assert sessions["session_b.jsonl"]["title"].startswith("This is from a different session file")
        assert sessions["session_b.jsonl"]["external_ids"] == ["session_b"]
        assert sessions["representative_messages.jsonl"]["external_ids"] == ["test_session", "representative_messages"]
        assert sessions["todowrite_examples.jsonl"]["model"] == "claude-sonnet-4"
        assert sessions["todowrite_examples.jsonl"]["cwd"] == "/tmp"

    def test_a_file_named_by_a_uuid_is_that_session_whatever_its_lines_say(self, tmp_path: Path) -> None:
        project = tmp_path / "projects" / "-tmp"
        project.mkdir(parents=True)
        uuid = "0b3c4d5e-0000-4000-8000-000000000000"
        shutil.copy(sample("claude") / "session_b.jsonl", project / f"{uuid}.jsonl")
        agent = {**lines_of(sample("claude") / "session_b.jsonl")[0], "isSidechain": True, "sessionId": uuid}
        (project / "agent-1234abcd.jsonl").write_text(json.dumps(agent) + "\n")
        session, helper = sessions_in("claude", tmp_path)
        assert (session.members["id"], session.members["external_ids"]) == (uuid, [uuid])
        assert session.members["metadata"]["claude"]["project"] == "-tmp"
        assert (helper.parent, helper.members["external_ids"]) == (uuid, ["agent-1234abcd"])

    def test_a_file_without_messages_is_told(self, tmp_path: Path) -> None:
        shutil.copy(sample("claude") / "session_b.jsonl", tmp_path)
        (tmp_path / "history.jsonl").write_text('{"display":"x"}\n')
        assert passed_over(found_in("claude", tmp_path)) == [("history.jsonl", None)]


class TestCodex:
    def test_a_rollout_gives_its_session_and_its_items(self) -> None:
        (session,) = sessions_in("codex", sample("codex"))
        members = session.members
        assert members["id"] == "0190163d-8694-739b-aea5-966c26f8ad91"
        assert (members["title"], members["model"], members["cwd"]) == ("Fix the login", "gpt-5.1-codex", "/w")
        assert members["git"]["branch_at_start"] == "main"
        kept = bodies(session)
        assert [one["role"] for one in kept] == ["user", "user", "assistant", "tool"]
        assert (kept[2]["call_id"], kept[3]["output"]) == ("c1", "ok")

    def test_items_that_are_not_known_are_told(self, tmp_path: Path) -> None:
        path = tmp_path / "rollout-2026-01-01T00-00-00-0190163d-8694-739b-aea5-966c26f8ad91.jsonl"
        path.write_text(
            '{"type":"response_item","payload":{"role":"user","content":"x"}}\n{"type":"new","payload":{}}\n{}\n'
        )
        (session,) = sessions_in("codex", tmp_path)
        assert session.members["external_ids"] == ["0190163d-8694-739b-aea5-966c26f8ad91"]
        assert passed_over(session.messages()) == [(path.name, 2), (path.name, 3)]


class TestCodexd:
    def test_the_store_gives_sessions_runs_events_and_who_it_is(self) -> None:
        found = found_in("codexd", sample("codexd"))
        report, session, run, events = found
        assert isinstance(report, ReportFound)
        assert isinstance(session, SessionFound)
        assert isinstance(run, RunFound)
        assert isinstance(events, EventsFound)
        assert report.id == "codexd_d1"
        assert set(report.data) == {"identity", "daemon"}
        assert session.members["current_turn_id"] == "t1"
        assert session.members["external_ids"] == ["s1", "01a1fc9d-a082-7250-ba51-dce81d914763"]
        assert run.run["status"] == "exited"
        assert [event[0] for event in events.events() if not isinstance(event, Skipped)] == [1]

    def test_a_registry_that_cannot_be_read_costs_itself(self, tmp_path: Path) -> None:
        shutil.copytree(sample("codexd"), tmp_path / "c")
        (tmp_path / "c" / "state" / "run-registry.json").write_text('{"runs": [')
        found = found_in("codexd", tmp_path / "c")
        assert passed_over(found) == [("state/run-registry.json", 1)]
        assert any(isinstance(one, SessionFound) for one in found)


class TestStateV1:
    def test_a_directory_of_version_1_gives_what_a_migration_gives(self) -> None:
        found = found_in("state-v1", sample("state-v1"))
        tasks = [one.task for one in found if isinstance(one, TaskFound)]
        assert [task["status"] for task in tasks] == [
            "completed",
            "completed",
            "failed",
            "pending",
            "pending",
            "pending",
        ]
        assert tasks[3]["metadata"]["original_status"] == "in_progress"
        assert len([one for one in found if isinstance(one, SessionFound)]) == 2
        (report,) = [one for one in found if isinstance(one, ReportFound)]
        assert report.data == {"completed": 2, "failed": 1}
        (log,) = [one for one in found if isinstance(one, LogFound)]
        assert "".join(log.text()) == (sample("state-v1") / "logs" / "session_1704067200001.log").read_text()
