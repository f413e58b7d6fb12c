"""The file in which an agent may leave its result: told at its end, to every runtime, and removed with its run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from actors.messages.agents import RESULT_BYTES_MAX, Bury, Ended, NotStarted, Started
from supervisor.agents.results import make_room, read_result, remove_result
from tests.kit.agents import Link, running_host


def writer(text: str, path: Path) -> tuple[str, ...]:
    return (sys.executable, "-c", "import sys; open(sys.argv[2], 'w').write(sys.argv[1])", text, str(path))


def buried(link: Link, run_id: str, path: Path) -> None:
    """Bury a run, and wait until the host has done it: orders are carried out one after the other."""
    link.send(Bury(run_id=run_id, result_path=str(path)))
    link.spawn(f"after-{run_id}", ("true",))


def test_what_an_agent_left_is_told_with_its_end_and_goes_when_it_is_buried(tmp_path: Path) -> None:
    path = tmp_path / "results" / "r.result"
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        assert isinstance(link.spawn("r", writer("done", path), result_path=str(path)), Started)
        ended = link.ended("r")
        assert (ended.exit_code, ended.result, ended.result_bytes) == (0, b"done", 4)
        assert path.parent.stat().st_mode & 0o777 == 0o700
        again = host.link(after=link)
        again.attach()
        assert again.ended("r").result == b"done"
        buried(again, "r", path)
        assert not path.exists()


def test_an_agent_that_leaves_nothing_ends_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "results" / "r.result"
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", ("true",), result_path=str(path))
        assert link.ended("r").result is None
        buried(link, "r", path)


def test_the_result_of_a_run_of_another_host_is_removed_too(tmp_path: Path) -> None:
    path = tmp_path / "r.result"
    path.write_text("left by a host that died")
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        buried(link, "unknown", path)
        assert not path.exists()


def test_a_long_result_is_told_in_part_and_its_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "results" / "r.result"
    code = f"open({str(path)!r}, 'w').write('x' * {RESULT_BYTES_MAX + 1})"
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", (sys.executable, "-c", code), result_path=str(path))
        ended: Ended = link.ended("r")
        assert (ended.result, ended.result_bytes) == (b"x" * RESULT_BYTES_MAX, RESULT_BYTES_MAX + 1)
        buried(link, "r", path)
        assert path.stat().st_size == RESULT_BYTES_MAX + 1


def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        refused = link.spawn("r", ("true",), result_path=str(shared / "r.result"))
        assert isinstance(refused, NotStarted)
        assert refused.reason.startswith(f"there is no room for a result in {shared}: ")


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe", "link", "bad name"])
def test_what_is_no_file_is_no_result_and_blocks_nobody(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "r"
    (tmp_path / "elsewhere").write_text("secret")
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    name = "\0" if kind == "bad name" else str(path)
    assert read_result(name) is None
    remove_result(name)
    assert (tmp_path / "elsewhere").read_text() == "secret"
    if kind in {"pipe", "link"}:
        assert not os.path.lexists(path)


def test_room_is_made_once_and_found_again(tmp_path: Path) -> None:
    path = str(tmp_path / "results" / "r")
    make_room(path)
    make_room(path)
    with pytest.raises(OSError, match="No such file"):
        make_room(str(tmp_path / "no" / "such" / "r"))
