"""supervisor/cli/{doctor,migration,clean}.py: real state directories in which nothing runs."""

import json
import os
import shutil
from pathlib import Path

import pytest

from supervisor.cli import state_view
from supervisor.cli.entry import run
from supervisor.root.lock import StateLock
from tests.supervisor.cli.conftest import Serve

SAMPLE = Path(__file__).parents[2] / "samples" / "state-v1"
DAY_S = 86_400

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A state directory of version 1, where commands look for one."""
    path = tmp_path / "coding-agent-state"
    shutil.copytree(SAMPLE, path)
    return path


@pytest.fixture
def state(old: Path, capsys: Captured) -> Path:
    """A state directory of this version, with tasks in it."""
    assert run(["migrate"]) == 0
    capsys.readouterr()
    return old


def files_of(path: Path) -> dict[str, bytes]:
    """What lies in a directory, without the archive and the locks."""
    left_out = ("archive", "perdure.lock", "writer.lock")
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.relative_to(path).parts[0] not in left_out
    }


def test_doctor_finds_nothing_wrong_where_nothing_is(state: Path, capsys: Captured) -> None:
    before = files_of(state)
    assert run(["doctor"]) == 0
    assert "all is well" in capsys.readouterr().out
    assert files_of(state) == before


def test_doctor_names_what_is_damaged_and_repair_brings_everything_back(state: Path, capsys: Captured) -> None:
    tasks = {task["id"] for task in json.loads((state / "state.json").read_text())["tasks"]}
    (state / "state.json").write_bytes(b"not json at all")
    assert run(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "state.json" in shown
    assert "something is wrong" in shown
    assert run(["doctor", "--repair", "--json"]) in {0, 1}
    assert json.loads(capsys.readouterr().out)["quarantined"]
    assert run(["doctor"]) == 0
    assert {task["id"] for task in json.loads((state / "state.json").read_text())["tasks"]} == tasks


def test_doctor_asks_the_runtime_while_one_runs(serve: Serve, capsys: Captured) -> None:
    finding = {"file": "state.json", "problem": "torn", "severity": "error", "hint": "look"}
    server = serve(
        {"state.verify": lambda _: {"ok": False, "findings": [finding], "omitted": 3, "counts": {"bytes": 5}}}
    )
    assert run(["doctor"]) == 1
    assert server.asked == [("state.verify", {})]
    shown = capsys.readouterr().out
    assert "error  state.json  torn" in shown
    assert "→ look" in shown
    assert "3 more findings" in shown


@pytest.mark.parametrize("arguments", [["doctor", "--repair"], ["rebuild"], ["migrate"], ["clean"]])
def test_what_needs_the_directory_for_itself_is_refused_while_somebody_has_it(
    state: Path, capsys: Captured, arguments: list[str]
) -> None:
    lock = StateLock.acquire(state, "running")
    (state / "quarantine" / "old").mkdir()
    try:
        code = run(arguments)
    finally:
        lock.release()
    # A directory that needs no migration needs nobody's lock to be told so.
    assert code == (0 if arguments == ["migrate"] else 5)
    if code:
        assert "perdure down stops it" in capsys.readouterr().err


def test_rebuild_sets_the_state_aside_and_builds_the_same(state: Path, capsys: Captured) -> None:
    before = {task["id"]: task["status"] for task in json.loads((state / "state.json").read_text())["tasks"]}
    code = run(["rebuild", "--json"])
    assert code == (1 if json.loads(capsys.readouterr().out)["corrupted"] else 0)
    after = {task["id"]: task["status"] for task in json.loads((state / "state.json").read_text())["tasks"]}
    assert after == before
    assert list((state / "quarantine").glob("*/state.json*"))


def test_backups_are_listed_while_nothing_runs(state: Path, capsys: Captured) -> None:
    name = "state.backup.20260101T000000.000000Z.0.json"
    shutil.copy(state / "state.json", state / name)
    assert run(["backups"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["SEQ", "AGE", "SAVED", "SIZE", "FILE"]
    assert row.endswith(name)


def test_migrate_says_what_it_would_do_and_changes_nothing(old: Path, capsys: Captured) -> None:
    before = files_of(old)
    assert run(["migrate", "--dry-run"]) == 0
    assert "would be migrated  6 tasks, 2 sessions" in capsys.readouterr().out
    assert files_of(old) == before
    assert not (old / "archive").exists()


def test_migrate_and_rollback_give_back_every_byte(old: Path, capsys: Captured) -> None:
    before = files_of(old)
    assert run(["migrate"]) == 0
    assert json.loads((old / "state.json").read_text())["version"] == "2.0.0"
    assert run(["migrate"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert run(["rollback"]) == 0
    assert "as it was before the migration" in capsys.readouterr().out
    assert files_of(old) == before
    assert run(["rollback"]) == 4


def test_clean_lists_first_and_removes_what_is_old(state: Path, capsys: Captured) -> None:
    leftover, fresh = state / "quarantine" / "20260101T000000Z", state / "quarantine" / "20261101T000000Z"
    for directory in (leftover, fresh):
        directory.mkdir()
        (directory / "report.json").write_text("{}")
    long_ago = (state / "state.json").stat().st_mtime - 40 * DAY_S
    for path in (leftover / "report.json", leftover):
        os.utime(path, (long_ago, long_ago))
    assert run(["clean", "--dry-run"]) == 0
    listed = capsys.readouterr().out
    assert "quarantine/20260101T000000Z" in listed
    assert fresh.name not in listed
    assert leftover.exists()
    assert run(["clean"]) == 2, "nobody was asked, and nobody said yes"
    assert "--yes" in capsys.readouterr().err
    assert leftover.exists()
    assert run(["clean", "--json", "--yes"]) == 0
    assert [one["kind"] for one in json.loads(capsys.readouterr().out)["leftovers"]] == ["quarantine"]
    assert (leftover.exists(), fresh.exists()) == (False, True)
    assert run(["clean"]) == 0
    assert capsys.readouterr().out == "Nothing is left over.\n"


def test_a_person_at_a_terminal_is_asked(state: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    stray = state / "tasks" / "a.json.tmp-1-1"
    stray.write_text("{")
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("click.confirm", asked.append)
    assert run(["clean"]) == 1
    assert asked == ["Remove 1 leftover?"]
    assert stray.exists()
    assert run(["clean", "--yes"]) == 0
    assert not stray.exists()
    assert len(asked) == 1


@pytest.mark.parametrize("arguments", [["doctor"], ["rebuild"], ["migrate"], ["rollback"], ["clean"]])
def test_a_directory_of_somebody_else_ends_with_7_and_stays_untouched(
    arguments: list[str], tmp_path: Path, capsys: Captured
) -> None:
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "beach.jpg").write_bytes(b"sand")
    assert run([*arguments, "--state-path", str(foreign)]) == 7
    assert run([*arguments, "--state-path", str(tmp_path / "nowhere")]) == 7
    assert [found.name for found in foreign.iterdir()] == ["beach.jpg"]
    assert not (tmp_path / "nowhere").exists()
    assert capsys.readouterr().err.count("\n") == 2


def test_a_recovery_that_lost_something_says_what(capsys: Captured) -> None:
    report = {
        "case": "DG",
        "base": "what is readable",
        "seq": 9,
        "facts_replayed": 1,
        "corrupted": True,
        "seqs_lost": [[3, 5]],
        "ids_lost": [{"table": "tasks", "id": "a"}],
        "rejected": [{"file": "journal/1", "line": 4, "reason": "crc", "excerpt": "x\x1b[2J"}] * 30,
        "quarantined": ["quarantine/x/state.json"],
        "warnings": [],
        "duration_s": 0.5,
    }
    [table] = state_view.recovered(report)
    said = [f"{name.text}: {value.text}" for name, value in table.rows]
    assert "lost: seq 3 to 5" in said
    assert "lost: task a" in said
    assert "rejected: journal/1 line 4: crc: x [2J" in said
    assert ": and 10 more; --json lists them" in said
