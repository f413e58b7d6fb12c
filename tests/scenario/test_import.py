"""`perdure import` and `perdure export`, against a real Perdure that runs, and where none runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from supervisor.client import Client
from supervisor.foreign.importer import import_from
from supervisor.foreign.kinds import KINDS
from supervisor.foreign.report import Report
from tests.kit.foreign import SAMPLES, WHERE, bodies, sample, sessions_in
from tests.kit.perdure import WITHIN_S, Perdure, fingerprint
from tests.scenario.conftest import Make

UUID = "0b3c4d5e-0000-4000-8000-000000000000"


@pytest.fixture
def whole(make: Make) -> Perdure:
    one = make(sessions__max="0")
    one.start()
    return one


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with nothing else in it."""
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def client(whole: Perdure) -> Iterator[Client]:
    with whole.client() as one:
        yield one


def brought(client: Client, kind: str, directory: Path, *, dry_run: bool = False) -> Report:
    return import_from(KINDS[kind], directory, client, dry_run=dry_run)


def counted(report: Report, noun: str = "sessions") -> dict[str, int]:
    found: Mapping[Any, int] = report.outcomes.get(noun, {})
    return {name: found[name] for name in ("new", "changed", "unchanged") if found.get(name)}


def messages(client: Client, session_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call("session.messages", id=session_id, limit=1000)["messages"]
    return found


def settled_seq(client: Client) -> int:
    """The last seq, once the first line is there: Perdure writes that by itself, and is ready before."""
    while not (seq := int(client.call("runtime.ping")["seq"])):
        continue
    return seq


class TestTwice:
    @pytest.mark.parametrize("kind", WHERE)
    def test_importing_again_changes_nothing_at_all(self, client: Client, kind: str) -> None:
        first = brought(client, kind, sample(kind))
        seq = settled_seq(client)
        before = client.call("state.get")
        again = brought(client, kind, sample(kind))
        assert settled_seq(client) == seq
        after = client.call("state.get")
        assert after["sessions"] == before["sessions"]
        assert after["tasks"] == before["tasks"]
        assert again.messages == 0
        for noun, outcomes in first.outcomes.items():
            assert counted(again, noun) == {"unchanged": sum(outcomes.values())}
        assert again.skipped == first.skipped

    @pytest.mark.parametrize("kind", WHERE)
    def test_a_dry_run_says_the_same_and_changes_nothing(self, client: Client, kind: str) -> None:
        seq = settled_seq(client)
        dry = brought(client, kind, sample(kind), dry_run=True)
        assert settled_seq(client) == seq
        wet = brought(client, kind, sample(kind))
        assert dry.outcomes == wet.outcomes
        assert (dry.messages, dry.skipped) == (wet.messages, wet.skipped)


class TestSessions:
    @pytest.mark.parametrize("kind", ["nanocoder", "claude", "codex"])
    def test_the_messages_are_those_of_the_source(self, client: Client, kind: str) -> None:
        brought(client, kind, sample(kind))
        for session in sessions_in(kind, sample(kind)):
            row = client.call("session.get", id=session.members["id"])
            assert messages(client, row["id"]) == bodies(session)
            assert row["message_count"] == len(bodies(session))
            for name in ("title", "created_at", "last_accessed_at"):
                if name in session.members:
                    assert row[name] == session.members[name]

    def test_what_the_source_adds_is_appended_and_what_was_changed_here_stays(
        self, client: Client, source: Path
    ) -> None:
        path = source / f"{UUID}.jsonl"
        lines = (sample("claude") / "session_b.jsonl").read_text().splitlines()
        path.write_text("\n".join(lines[:2]) + "\n")
        brought(client, "claude", source)
        client.call("session.rename", id=UUID, title="my own name for it")
        path.write_text("\n".join(lines) + "\n")
        report = brought(client, "claude", source)
        assert (counted(report), report.messages) == ({"changed": 1}, 1)
        row = client.call("session.get", id=UUID)
        assert (row["title"], row["message_count"]) == ("my own name for it", 3)
        assert row["transcript_files"][0]["last_uuid"] == "session_b_003"
        assert counted(brought(client, "claude", source)) == {"unchanged": 1}

    def test_a_conversation_that_went_on_here_stays_as_it_is(self, client: Client) -> None:
        brought(client, "nanocoder", sample("nanocoder"))
        session_id = sessions_in("nanocoder", sample("nanocoder"))[0].members["id"]
        client.call("session.append", id=session_id, messages=[{"role": "user", "content": "and on"}])
        seq = settled_seq(client)
        assert counted(brought(client, "nanocoder", sample("nanocoder"))) == {"unchanged": 7}
        assert settled_seq(client) == seq

    def test_a_source_that_rewrote_its_messages_replaces_them_and_the_old_ones_are_kept(
        self, whole: Perdure, client: Client, source: Path
    ) -> None:
        shutil.copytree(sample("nanocoder"), source / "n")
        session = sessions_in("nanocoder", sample("nanocoder"))[0]
        path = source / "n" / session.file
        brought(client, "nanocoder", source / "n")
        rewritten = json.loads(path.read_text())
        rewritten["messages"] = [{"role": "system", "content": "summary of what was said"}]
        path.write_text(json.dumps(rewritten))
        report = brought(client, "nanocoder", source / "n")
        assert counted(report) == {"changed": 1, "unchanged": 6}
        assert messages(client, session.members["id"]) == rewritten["messages"]
        client.call("state.save")
        kept = list((whole.state_path / "archive" / "sessions" / session.members["id"]).rglob("*.jsonl"))
        assert len(kept) == 1
        assert counted(brought(client, "nanocoder", source / "n")) == {"unchanged": 7}

    def test_when_both_sides_went_on_differently_neither_is_overwritten(self, client: Client, source: Path) -> None:
        path = source / f"{UUID}.jsonl"
        lines = (sample("claude") / "session_b.jsonl").read_text().splitlines()
        path.write_text("\n".join(lines[:2]) + "\n")
        brought(client, "claude", source)
        client.call("session.append", id=UUID, messages=[{"role": "user", "content": "here"}])
        path.write_text("\n".join(lines) + "\n")
        before = messages(client, UUID)
        report = brought(client, "claude", source)
        assert [one.file for one in report.skipped] == [path.name]
        assert messages(client, UUID) == before

    def test_one_conversation_in_two_tools_is_one_session(self, client: Client, source: Path) -> None:
        brought(client, "sessions-db", sample("sessions-db"))
        shutil.copy(sample("claude") / "session_b.jsonl", source / f"{UUID}.jsonl")
        report = brought(client, "claude", source)
        assert counted(report) == {"changed": 1}
        row = client.call("session.find", alias="login-fix")["sessions"][0]
        assert row["message_count"] == 3
        assert row["title"] == "Fix the login redirect 0"
        assert set(row["external_ids"]) == {"sess_01a1fcc4-540f-7a6f-bb54-ba7667975123", UUID}
        assert counted(brought(client, "claude", source)) == {"unchanged": 1}
        assert counted(brought(client, "sessions-db", sample("sessions-db"))) == {"unchanged": 6}

    def test_lineage_links_and_outcomes_come_along(self, client: Client) -> None:
        brought(client, "sessions-db", sample("sessions-db"))
        rows = {row["first_prompt_preview"][-1]: row for row in client.call("session.list")["sessions"]}
        assert rows["1"]["parent_id"] == rows["0"]["id"]
        assert rows["3"]["parent_id"] == rows["1"]["id"]
        assert rows["3"]["task_ids"] == ["task_42"]
        assert rows["3"]["projects"] == ["login"]
        assert (rows["2"]["status"], rows["2"]["outcome"], rows["2"]["closed_reason"]) == (
            "closed",
            "merged",
            "PR merged",
        )

    def test_an_alias_that_is_taken_is_told_and_the_session_imported_without_it(self, client: Client) -> None:
        other = client.call("session.create", title="x", provider="p", model="m", working_directory="/w")["id"]
        client.call("session.put", session={"id": other, "alias": "login-fix"})
        report = brought(client, "sessions-db", sample("sessions-db"))
        assert [one.reason for one in report.skipped] == [
            f"the alias 'login-fix' was not taken over: session {other} has it"
        ]
        assert sum(counted(report).values()) == 6

    def test_a_session_that_was_deleted_here_does_not_rise_from_the_archive(self, client: Client) -> None:
        brought(client, "nanocoder", sample("nanocoder"))
        session_id = sessions_in("nanocoder", sample("nanocoder"))[0].members["id"]
        client.call("session.delete", id=session_id)
        report = brought(client, "nanocoder", sample("nanocoder"))
        assert counted(report) == {"unchanged": 6}
        assert "archive" in report.skipped[0].reason
        client.call("session.restore", id=session_id)
        assert counted(brought(client, "nanocoder", sample("nanocoder"))) == {"unchanged": 7}

    def test_two_files_of_one_session_are_one_and_the_second_is_told(self, client: Client, source: Path) -> None:
        for name in ("a", "b"):
            shutil.copy(sample("claude") / "session_b.jsonl", source / f"{name}.jsonl")
        report = brought(client, "claude", source)
        assert counted(report) == {"new": 1}
        assert [one.file for one in report.skipped] == ["b.jsonl"]

    def test_a_message_that_the_runtime_refuses_costs_itself_alone(self, client: Client, source: Path) -> None:
        deep: Any = "x"
        for _level in range(200):
            deep = [deep]
        said = json.loads((sample("claude") / "session_b.jsonl").read_text().splitlines()[0])
        lines = [json.dumps({**said, "n": n, **({"deep": deep} if n == 1500 else {})}) for n in range(3000)]
        (source / f"{UUID}.jsonl").write_text("\n".join(lines) + "\n")
        report = brought(client, "claude", source)
        assert [(one.file, one.line) for one in report.skipped] == [(f"{UUID}.jsonl", 1501)]
        assert client.call("session.get", id=UUID)["message_count"] == 2999
        seq = settled_seq(client)
        assert counted(brought(client, "claude", source)) == {"unchanged": 1}
        assert settled_seq(client) == seq

    def test_an_import_that_was_broken_off_is_gone_on_with(self, client: Client, source: Path) -> None:
        said = json.loads((sample("claude") / "session_b.jsonl").read_text().splitlines()[0])
        lines = [json.dumps({**said, "n": n}) for n in range(4500)]
        (source / f"{UUID}.jsonl").write_text("\n".join(lines) + "\n")

        class BreaksOff:
            """Takes two pieces, then the machine is gone."""

            appended = 0

            def call(self, method: str, /, **params: Any) -> Any:
                if method == "session.append":
                    self.appended += 1
                    if self.appended > 2:
                        raise ConnectionError
                return client.call(method, **params)

        with pytest.raises(ConnectionError):
            import_from(KINDS["claude"], source, BreaksOff(), dry_run=False)
        assert client.call("session.get", id=UUID)["message_count"] == 2000
        report = brought(client, "claude", source)
        assert report.messages == 2500
        assert [one["n"] for one in messages(client, UUID)] == list(range(1000))
        assert client.call("session.get", id=UUID)["message_count"] == 4500
        assert counted(brought(client, "claude", source)) == {"unchanged": 1}


class TestOtherNouns:
    def test_a_task_that_was_changed_here_stays(self, client: Client) -> None:
        brought(client, "state-v1", sample("state-v1"))
        client.call("task.update", id="task_1704067200004", description="mine")
        report = brought(client, "state-v1", sample("state-v1"))
        assert counted(report, "tasks") == {"unchanged": 6}
        assert client.call("task.get", id="task_1704067200004")["description"] == "mine"

    def test_a_task_of_the_same_id_that_is_another_one_is_told(self, client: Client) -> None:
        client.call("task.create", id="task_1704067200004", description="mine")
        report = brought(client, "state-v1", sample("state-v1"))
        assert counted(report, "tasks") == {"new": 5}
        assert "another one" in report.skipped[0].reason

    def test_tasks_do_not_start_by_themselves(self, client: Client) -> None:
        brought(client, "state-v1", sample("state-v1"))
        assert client.call("run.list")["runs"] == []

    def test_a_log_is_taken_over_byte_for_byte_and_only_what_is_new(self, client: Client, tmp_path: Path) -> None:
        shutil.copytree(sample("state-v1"), tmp_path / "v1")
        log = tmp_path / "v1" / "logs" / "session_1704067200001.log"
        brought(client, "state-v1", tmp_path / "v1")
        log.write_text(log.read_text() + "more\n")
        assert counted(brought(client, "state-v1", tmp_path / "v1"), "logs") == {"changed": 1}
        assert client.call("log.read", session_id="session_1704067200001")["text"] == log.read_text()
        log.write_text("something else\n")
        report = brought(client, "state-v1", tmp_path / "v1")
        assert [one.file for one in report.skipped] == ["logs/session_1704067200001.log"]

    def test_events_are_recorded_once_and_new_ones_after_them(self, client: Client, tmp_path: Path) -> None:
        shutil.copytree(sample("codexd"), tmp_path / "c")
        brought(client, "codexd", tmp_path / "c")
        path = tmp_path / "c" / "state" / "recent-events.json"
        cache = json.loads(path.read_text())
        cache["events"].append({**cache["events"][0], "seq": 2, "type": "b"})
        path.write_text(json.dumps(cache))
        assert counted(brought(client, "codexd", tmp_path / "c"), "events") == {"new": 1, "unchanged": 1}
        recorded = client.call("event.list", kinds=["event.recorded"])["events"]
        assert [one["data"]["type"] for one in recorded if "codexd" in (one["data"]["detail"] or {})] == ["a", "b"]


class TestExport:
    def test_nanocoders_sessions_come_out_as_they_went_in(self, whole: Perdure, client: Client) -> None:
        brought(client, "nanocoder", sample("nanocoder"))
        ended = whole.ended("export", "nanocoder", str(whole.folder / "out"), "--json")
        assert ended.returncode == 0, ended.stderr
        for path in sample("nanocoder").iterdir():
            written = (whole.folder / "out" / path.name).read_text()
            if path.name == "sessions.json":
                by_id = {one["id"]: one for one in json.loads(written)}
                assert by_id == {one["id"]: one for one in json.loads(path.read_text())}
            else:
                assert written == path.read_text()
        assert (whole.folder / "out").stat().st_mode & 0o777 == 0o700
        again = json.loads(whole.ended("export", "nanocoder", str(whole.folder / "out"), "--json").stdout)
        assert again["sessions"] == {"new": 0, "changed": 0, "unchanged": 7}

    def test_what_nanocoder_went_on_with_is_not_overwritten(
        self, whole: Perdure, client: Client, tmp_path: Path
    ) -> None:
        brought(client, "nanocoder", sample("nanocoder"))
        out = tmp_path / "out"
        shutil.copytree(sample("nanocoder"), out)
        session_id = sessions_in("nanocoder", sample("nanocoder"))[0].members["id"]
        path = out / f"{session_id}.json"
        longer = json.loads(path.read_text())
        longer["messages"].append({"role": "user", "content": "in nanocoder"})
        path.write_text(json.dumps(longer))
        before = fingerprint(path)
        report = json.loads(whole.ended("export", "nanocoder", str(out), "--json").stdout)
        assert [one["file"] for one in report["skipped"]] == [path.name]
        assert fingerprint(path) == before
        assert not list(out.glob(".*"))

    @pytest.mark.parametrize("name", ["all.tar", "all.tar.gz"])
    def test_an_archive_unpacked_is_the_state_directory(
        self, whole: Perdure, client: Client, name: str, make: Make
    ) -> None:
        for kind in WHERE:
            brought(client, kind, sample(kind))
        assert client.call("session.find", text="said nowhere")["messages"] == "searched"
        assert (whole.state_path / "sessions" / "search.sqlite").exists()
        ended = whole.ended("export", "archive", str(whole.folder / name), "--json")
        assert ended.returncode == 0, ended.stderr
        again = make(sessions__max="0")
        again.state_path.mkdir(mode=0o700)
        with tarfile.open(whole.folder / name) as tar:
            tar.extractall(again.state_path, filter="data")
        assert not list((again.state_path / "sessions").glob("search.sqlite*"))
        manifest = json.loads((again.state_path / "manifest.json").read_text())
        assert len(manifest["files"]) == json.loads(ended.stdout)["files"]
        for entry in manifest["files"]:
            data = (again.state_path / entry["path"]).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])
        again.start()
        mine, theirs = again.call("state.get"), client.call("state.get")
        assert mine["sessions"] == theirs["sessions"]
        assert mine["tasks"] == theirs["tasks"]
        for row in mine["sessions"]:
            with again.client() as other:
                assert messages(other, row["id"]) == messages(client, row["id"])

    def test_an_archive_is_not_written_over_another_or_into_itself(self, whole: Perdure) -> None:
        target = whole.folder / "a.tar"
        target.write_text("mine")
        assert whole.ended("export", "archive", str(target)).returncode == 5
        assert target.read_text() == "mine"
        assert whole.ended("export", "archive", str(whole.state_path / "a.tar")).returncode == 2

    @pytest.mark.long
    def test_nanocoder_itself_lists_and_loads_what_was_exported(
        self, whole: Perdure, client: Client, tmp_path: Path
    ) -> None:
        package = nanocoder_package(tmp_path)
        said = [{"role": "user", "content": "Fix it"}, {"role": "assistant", "content": "Done"}]
        made = {"provider": "p", "model": "m", "working_directory": "/w"}
        ids = [client.call("session.create", title=f"s{n}", messages=said, **made)["id"] for n in range(3)]
        assert whole.ended("export", "nanocoder", str(tmp_path / "out")).returncode == 0
        program = tmp_path / "load.mjs"
        program.write_text(LOADER)
        argv = ["node", str(program), str(package), str(tmp_path / "out")]
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == 0, ended.stderr
        loaded = json.loads(ended.stdout.splitlines()[-1])
        assert [one["id"] for one in loaded] == ids
        assert all(one["messages"] == said and one["messageCount"] == 2 for one in loaded)


NANOCODER = "@nanocollective/nanocoder@1.25.2"

LOADER = """
const { SessionManager } = await import(process.argv[2] + '/dist/session/session-manager.js');
const manager = new SessionManager(process.argv[3]);
await manager.initialize();
const loaded = [];
for (const one of await manager.listSessions()) loaded.push(await manager.loadSession(one.id));
console.log(JSON.stringify(loaded));
"""


def nanocoder_package(folder: Path) -> Path:
    """Where nanocoder is installed: where PERDURE_TEST_NANOCODER says, else npm installs it."""
    if given := os.environ.get("PERDURE_TEST_NANOCODER"):
        return Path(given)
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("there is no npm here to install nanocoder with")
    argv = [npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", NANOCODER]
    try:
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install {NANOCODER} within five minutes")
    if ended.returncode:
        pytest.skip(f"npm could not install {NANOCODER}: {ended.stderr.strip()[-200:]}")
    return folder / "node_modules" / "@nanocollective" / "nanocoder"


class TestCommand:
    def test_with_nothing_running_one_runs_for_the_duration(self, make: Make) -> None:
        one = make()
        ended = one.ended("import", "claude", str(sample("claude")), "--json")
        assert ended.returncode == 0, ended.stderr
        report = json.loads(ended.stdout)
        assert report["sessions"] == {"new": 4, "changed": 0, "unchanged": 0}
        assert report["skipped_count"] == 4
        assert {(skip["file"], skip["line"]) for skip in report["skipped"]} == {
            ("edge_cases.jsonl", line) for line in (13, 14, 15, 16)
        }
        assert one.ended("status").returncode == 3
        again = one.ended("import", "claude", str(sample("claude")))
        assert again.returncode == 0, again.stderr
        assert again.stdout.splitlines()[1].split() == ["sessions", "0", "0", "4"]
        assert "edge_cases.jsonl:13: the line is no JSON object" in again.stderr

    def test_a_dry_run_where_nothing_is_makes_nothing(self, make: Make) -> None:
        one = make()
        ended = one.ended("import", "nanocoder", str(sample("nanocoder")), "--dry-run")
        assert ended.returncode == 0, ended.stderr
        assert "7" in ended.stdout
        assert not one.state_path.exists()

    @pytest.mark.parametrize(
        ("kind", "directory", "code", "said"),
        [
            ("claude", SAMPLES / "sessions-db" / "good", 2, "looks like a database of sessions-db"),
            ("nanocoder", SAMPLES / "nowhere", 2, "no directory"),
            ("frobnicate", SAMPLES, 2, "frobnicate"),
        ],
    )
    def test_a_wrong_directory_is_told_in_one_line(
        self, make: Make, kind: str, directory: Path, code: int, said: str
    ) -> None:
        one = make()
        ended = one.ended("import", kind, str(directory))
        assert ended.returncode == code
        assert len(ended.stderr.splitlines()) == 1
        assert said in ended.stderr
        assert not one.state_path.exists()

    def test_more_sessions_than_the_limit_are_kept_and_it_is_said(self, make: Make) -> None:
        one = make(sessions__max="3")
        one.start()
        ended = one.ended("import", "nanocoder", str(sample("nanocoder")))
        assert ended.returncode == 0
        assert "sessions.max is 3" in ended.stderr
        assert len(one.call("session.list")["sessions"]) == 7


MEASURED = """
import resource, sys
from supervisor.cli.entry import run
code = run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
raise SystemExit(code)
"""


def test_a_long_transcript_takes_no_more_memory_than_a_short_one(whole: Perdure, tmp_path: Path) -> None:
    said = json.loads((sample("claude") / "session_b.jsonl").read_text().splitlines()[0])
    line = json.dumps({**said, "padding": "x" * 9000}) + "\n"
    peaks_mib = []
    for number, lines in enumerate((2000, 10_000)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with (folder / f"{UUID[:-1]}{number}.jsonl").open("w") as stream:
            stream.writelines(line for _number in range(lines))
        argv = [sys.executable, "-c", MEASURED, "import", "claude", str(folder), "--state-path", str(whole.state_path)]
        environment = {**os.environ, **whole.environment}
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=WITHIN_S, env=environment, check=False)
        assert ended.returncode == 0, ended.stderr
        peaks_mib.append(int(ended.stdout.splitlines()[-1]))
    assert peaks_mib[1] - peaks_mib[0] < 25, "72 MiB more went through it"


@pytest.mark.long
def test_the_runtime_does_not_grow_with_what_is_imported(make: Make, tmp_path: Path) -> None:
    said = json.loads((sample("claude") / "session_b.jsonl").read_text().splitlines()[0])
    line = json.dumps({**said, "padding": "x" * 9000}) + "\n"
    peaks_mib = []
    for lines in (6_000, 26_000):
        one = make()
        one.start()
        (tmp_path / "source").mkdir(exist_ok=True)
        with (tmp_path / "source" / f"{UUID}.jsonl").open("w") as stream:
            stream.writelines(line for _number in range(lines))
        ended = one.ended("import", "claude", str(tmp_path / "source"), "--json")
        assert json.loads(ended.stdout)["messages"] == lines, ended.stderr
        peaks_mib.append(peak_mib(one.runtime_pid()))
        one.stop()
    assert peaks_mib[1] - peaks_mib[0] < 90, "180 MiB more went through it"


def peak_mib(pid: int) -> int:
    """The most that a process has ever held in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10
