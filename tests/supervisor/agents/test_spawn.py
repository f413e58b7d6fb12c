"""How an agent is started, and what is told when it cannot be."""

import json
import os
import resource
from pathlib import Path

import pytest

from actors.messages.agents import NotStarted, Started
from tests.kit.agents import agent, alive, running_host
from tests.kit.perdure import eventually


def descriptors(pid: int) -> set[str]:
    """What a process has open."""
    return {path.name for path in Path(f"/proc/{pid}/fd").iterdir()}


def test_an_agent_gets_its_own_session_no_input_its_environment_and_the_marker(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        env = {"PATH": os.environ["PATH"], "WORD": "häh\n"}
        started = link.spawn("r", agent("facts"), cwd=str(folder), env=env)
        assert isinstance(started, Started)
        assert link.ended("r").exit_code == 0
        facts = json.loads(link.text("r"))
        assert facts["pid"] == facts["sid"] == started.pid
        assert facts["cwd"] == str(folder)
        assert facts["stdin"] == ""
        assert facts["open"] == [0, 1, 2, 3], "and the folder that is being listed"
        assert {**env, "PERDURE_RUN": f"{host.place}:r"}.items() <= facts["env"].items()
        assert facts["env"].keys() - env.keys() <= {"PERDURE_RUN", "LC_CTYPE"}, "nothing of the host's own"


def test_limits_hold_from_the_first_instruction_on_and_cannot_be_raised(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("facts"), memory_bytes_max=1 << 31, files_max=50)
        assert link.ended("r").exit_code == 0, link.text("r", "stderr")
        facts = json.loads(link.text("r"))
        assert (facts["as"], facts["files"]) == ([1 << 31, 1 << 31], [50, 50])


def test_an_agent_that_wants_more_memory_than_it_may_have_fails_by_itself(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        code = ("python3", "-c", "x = bytearray(1 << 30)")
        link.spawn("r", code, memory_bytes_max=256 << 20)
        assert link.ended("r").exit_code == 1
        assert "MemoryError" in link.text("r", "stderr")


@pytest.mark.parametrize(
    ("argv", "more", "code", "reason"),
    [
        (("no-such-command-x",), {}, "ENOENT", "the command no-such-command-x is missing: not found in PATH"),
        (("/no/such/command",), {}, "ENOENT", "the command /no/such/command is missing: there is none"),
        (("plain-file",), {"env": {"PATH": "FOLDER"}}, "EACCES", "plain-file cannot be started: Permission denied"),
        (("./plain-file",), {"cwd": "FOLDER"}, "EACCES", "cannot be started: Permission denied"),
        (("garbled",), {"env": {"PATH": "FOLDER"}}, "ENOEXEC", "garbled cannot be started: Exec format error"),
        (("true",), {"cwd": "/no/such/folder"}, "ENOENT", "the working directory /no/such/folder cannot be entered"),
        (("true",), {"cwd": "FOLDER/plain-file"}, "ENOTDIR", "plain-file cannot be entered: Not a directory"),
        (("true", "a\0b"), {}, "EINVAL", "embedded null byte"),
        (("true", "x" * 200_000), {}, "E2BIG", "Argument list too long"),
        (("true",), {"env": {"A=B": "c"}}, "EINVAL", "illegal environment variable name"),
        (("./orphan",), {"cwd": "FOLDER"}, "ENOENT", "the program that its first line names is missing"),
    ],
)
def test_a_failure_to_start_is_told_with_its_reason_and_leaves_nothing(
    tmp_path: Path, argv: tuple[str, ...], more: dict[str, object], code: str, reason: str
) -> None:
    (tmp_path / "plain-file").write_text("#!/bin/sh\n")
    (tmp_path / "garbled").write_bytes(b"\x00\x01\x02")
    (tmp_path / "garbled").chmod(0o755)
    (tmp_path / "orphan").write_text("#!/no/such/interpreter\n")
    (tmp_path / "orphan").chmod(0o755)
    here = json.loads(json.dumps(more).replace("FOLDER", str(tmp_path)))
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        before = descriptors(host.pid)
        refused = link.spawn("r", argv, **here)
        assert isinstance(refused, NotStarted)
        assert (refused.run_id, refused.code) == ("r", code)
        assert reason in refused.reason
        assert refused.exit_status == _status_in_a_shell(refused)
        eventually(lambda: descriptors(host.pid) == before, "it keeps no descriptor")
        assert isinstance(link.spawn("r", ("true",)), Started), "the same run may be ordered again"


def _status_in_a_shell(refused: NotStarted) -> int | None:
    if "working directory" in refused.reason or refused.code == "EINVAL":
        return None
    return 127 if refused.code == "ENOENT" else 126


def test_a_host_without_descriptors_says_so_and_can_spawn_again_when_it_has_some(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        most = len(descriptors(host.pid)) + 1
        resource.prlimit(host.pid, resource.RLIMIT_NOFILE, (most, 4096))
        refused = link.spawn("r", ("true",))
        assert isinstance(refused, NotStarted)
        assert (refused.code, refused.exit_status) == ("EMFILE", None)
        resource.prlimit(host.pid, resource.RLIMIT_NOFILE, (4096, 4096))
        assert isinstance(link.spawn("r", ("true",)), Started)


def test_a_run_that_is_ordered_twice_is_started_once(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        started = [link.spawn("r", agent("deaf")) for _ in range(3)]
        assert len(set(started)) == 1
        assert isinstance(started[0], Started)
        link.first_line("r")
        link.end("r")
        ended = link.ended("r")
        assert link.spawn("r", agent("deaf")) == started[0], "also when it has ended"
        assert not alive(started[0].pid)
        assert link.text("r") == "deaf\n"
        assert ended.signal == 9
