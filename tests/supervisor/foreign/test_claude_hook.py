"""supervisor/foreign/claude_hook.py and git_context.py: what a hook is told, and what a working directory says."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings

from supervisor.foreign.claude_hook import PART_BYTES, NotAHook, sighting
from supervisor.foreign.git_context import git_context
from supervisor.wire import strict_json
from tests.kit.foreign import sample, sessions_in
from tests.kit.spoiled import contents

UUID = "0b3c4d5e-0000-4000-8000-000000000000"


def told(**members: Any) -> dict[str, Any]:
    given = {"session_id": UUID, "hook_event_name": "SessionStart", **members}
    return sighting(json.dumps(given).encode(), store_first_prompt=True)


def test_a_transcript_says_where_it_begins_and_ends_and_what_was_asked_first() -> None:
    path = sample("claude") / "todowrite_examples.jsonl"
    params = told(transcript_path=str(path))
    assert params["external_id"] == UUID
    assert params["transcript"]["first_uuid"] == "user_001"
    assert params["transcript"]["path"] == str(path)
    assert params["first_prompt_preview"].startswith("Can you help me implement")


def test_the_hook_and_the_import_give_one_session_the_same_fingerprints() -> None:
    for session in sessions_in("claude", sample("claude")):
        params = told(transcript_path=str(sample("claude") / session.file))
        assert params["fingerprints"] == session.members["fingerprints"]
        (transcript,) = session.members["transcript_files"]
        assert params["transcript"]["first_uuid"] == transcript["first_uuid"]
        assert params["transcript"]["last_uuid"] == transcript["last_uuid"]


def test_of_a_long_transcript_only_the_beginning_and_the_end_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    filler = {"type": "user", "message": {"role": "user", "content": "x" * 1000}}
    with path.open("w") as stream:
        stream.writelines(
            json.dumps({**filler, "uuid": f"u{number}", "parentUuid": f"u{number - 1}"}) + "\n"
            for number in range(2000)
        )
        stream.write('{"type":"user","uuid":"torn')
    assert path.stat().st_size > 3 * PART_BYTES
    transcript = told(transcript_path=str(path))["transcript"]
    assert transcript == {"path": str(path), "first_parent_uuid": "u-1", "first_uuid": "u0", "last_uuid": "u1999"}


def test_a_transcript_that_is_not_there_yet_is_only_named(tmp_path: Path) -> None:
    params = told(transcript_path=str(tmp_path / "t.jsonl"), prompt="Fix it")
    assert params["transcript"] == {"path": str(tmp_path / "t.jsonl")}
    assert params["first_prompt_preview"] == "Fix it"


def test_who_wants_no_prompt_stored_sends_none() -> None:
    path = str(sample("claude") / "session_b.jsonl")
    text = json.dumps({"session_id": UUID, "transcript_path": path, "prompt": "secret"}).encode()
    params = sighting(text, store_first_prompt=False)
    assert "first_prompt_preview" not in params
    assert params["store_first_prompt"] is False
    assert params["fingerprints"]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"session_id":7}', b'{"session_id":""}', b"\xff"])
def test_what_is_no_hook_is_refused(text: bytes) -> None:
    with pytest.raises(NotAHook):
        sighting(text, store_first_prompt=True)


def git(*arguments: str, cwd: Path) -> str:
    program = shutil.which("git")
    if program is None:
        pytest.skip("there is no git here to make a repository with")
    names = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        [program, *names, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_branch_commit_and_worktree_are_what_git_says(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "deep" / "below").mkdir(parents=True)
    git("init", "-q", cwd=repository)
    assert git_context(repository) == {
        "worktree": str(repository),
        "worktree_realpath": str(repository.resolve()),
        "branch": "main",
    }
    git("commit", "-q", "--allow-empty", "-m", "first", cwd=repository)
    head = git("rev-parse", "HEAD", cwd=repository)
    assert git_context(repository / "deep" / "below")["head"] == head
    git("pack-refs", "--all", cwd=repository)
    assert git_context(repository)["head"] == head
    git("worktree", "add", "-q", "-b", "feature/x", str(tmp_path / "other"), cwd=repository)
    other = git_context(tmp_path / "other")
    assert (other["branch"], other["head"]) == ("feature/x", head)
    assert other["worktree"] == str(tmp_path / "other")
    git("checkout", "-q", "--detach", cwd=repository)
    detached = git_context(repository)
    assert ("branch" in detached, detached["head"]) == (False, head)
    link = tmp_path / "link"
    link.symlink_to(repository)
    assert git_context(link)["worktree_realpath"] == git_context(repository)["worktree_realpath"]


def test_outside_of_git_there_is_nothing(tmp_path: Path) -> None:
    assert git_context(tmp_path) == {}
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    assert set(git_context(tmp_path)) == {"worktree", "worktree_realpath"}


INPUT = {"session_id": UUID, "hook_event_name": "SessionStart", "transcript_path": "t.jsonl", "cwd": ".", "prompt": "x"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    said=contents([json.dumps(INPUT).encode()]),
    transcript=contents([(sample("claude") / "todowrite_examples.jsonl").read_bytes()]),
    head=contents([b"ref: refs/heads/main"]),
)
@example(said=json.dumps({**INPUT, "cwd": "a\0b", "transcript_path": "a\0b"}).encode(), transcript=b"", head=b"")
@example(said=json.dumps({**INPUT, "cwd": "\ud800", "transcript_path": "\ud800"}).encode(), transcript=b"", head=b"")
@example(said=json.dumps({**INPUT, "transcript_path": "~no-such-user/t"}).encode(), transcript=b"", head=b"")
def test_whatever_a_hook_is_told_is_a_sighting_or_no_hook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, transcript: bytes, head: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.jsonl").write_bytes(transcript)
    (tmp_path / ".git").mkdir(exist_ok=True)
    (tmp_path / ".git" / "HEAD").write_bytes(head)
    try:
        params = sighting(said, store_first_prompt=True)
    except NotAHook:
        return
    assert params["external_id"]
    text = json.dumps(params, ensure_ascii=False).encode("utf-8", "replace")  # as it goes into the spool
    assert strict_json.loads(text)["external_id"]
