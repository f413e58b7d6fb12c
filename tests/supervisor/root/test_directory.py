"""Which directories the root takes for its own, and that it leaves all others untouched."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.standing import Standing, classify
from supervisor.root.directory import is_foreign, prepare
from supervisor.root.errors import NotAStateDirectory
from tests.kit.roots import running_root


def _files(*names: str, text: str = "{}") -> Callable[[Path], None]:
    def make(root: Path) -> None:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)

    return make


def _state(**members: object) -> Callable[[Path], None]:
    return _files("state.json", text=json.dumps(members))


def _directories(*names: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        for name in names:
            (root / name).mkdir()

    return make


def _both(one: Callable[[Path], None], other: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        one(root)
        other(root)

    return make


DIRECTORIES: dict[str, Callable[[Path], None]] = {
    "empty": lambda _root: None,
    "a file system's root": _files("lost+found/x"),
    "our lock": _files("perdure.lock"),
    "our identity": _files("identity.json", "anything.txt"),
    "our socket's place": _files("perdure.sock.path"),
    "a hook's spool": _files("spool/1.json"),
    "a journal": _files("journal/00000000000000000001.jsonl"),
    "a journal of somebody else's": _files("journal/monday.txt"),
    "an unfinished start": _directories("journal", "tasks"),
    "an unfinished write": _files("state.json.tmp-12"),
    "our state": _state(version="2.0.0", seq=3),
    "a newer state": _state(version="3.1.0"),
    "version 1": _state(version="1.0", tasks=[]),
    "the seeds' layout": _state(last_saved="x", tasks=[], sessions=[]),
    "our backup": _files("state.backup.20260101T000000.000000Z.5.json"),
    "version 1's backup": _files("state.backup.2024-01-01T00-00-00.json"),
    "task files": _files("tasks/task_1.json", text='{"id":"task_1","description":"x","status":"pending"}'),
    "a damaged state": _files("state.json", text="\0\0\0\0"),
    "an empty state": _files("state.json", text=""),
    "somebody's state": _state(theme="dark"),
    "somebody's state and our lock": _both(_state(theme="dark"), _files("perdure.lock")),
    "a source checkout": _files("README.md", "tasks/build.py", ".git/HEAD"),
    "somebody's tasks": _files("tasks/tasks.json", text='{"version":"2.0.0","tasks":[]}'),
    "a home directory": _files(".bashrc", "logs/x.log", "archive/x"),
}


@pytest.mark.parametrize("name", DIRECTORIES)
def test_the_roots_judgement_is_that_of_the_storage(tmp_path: Path, name: str) -> None:
    DIRECTORIES[name](tmp_path)
    assert is_foreign(tmp_path) is (classify(Disk(), Layout(tmp_path)) is Standing.FOREIGN)


@pytest.mark.parametrize("name", ["somebody's state", "a source checkout", "a home directory"])
def test_a_foreign_directory_is_refused_and_left_untouched(tmp_path: Path, name: str) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir(mode=0o755)
    DIRECTORIES[name](foreign)
    before = sorted((str(path), path.stat().st_mtime_ns) for path in (foreign, *foreign.rglob("*")))
    with running_root(foreign) as root:
        assert root.wait() == 7
        assert root.errors.startswith(f"perdure: {foreign} is not empty and is no state directory of Perdure")
        assert len(root.errors.splitlines()) == 1
    assert sorted((str(path), path.stat().st_mtime_ns) for path in (foreign, *foreign.rglob("*"))) == before
    assert foreign.stat().st_mode & 0o777 == 0o755


def test_a_file_in_the_directorys_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("mine")
    with running_root(tmp_path / "state") as root:
        assert root.wait() == 7
        assert "is not a directory" in root.errors
    assert (tmp_path / "state").read_text() == "mine"


def test_a_missing_directory_is_made_private_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        assert prepare(tmp_path / "deep" / "state").made
    finally:
        os.umask(umask)
    assert (tmp_path / "deep" / "state").stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o1777, 0o500])
def test_permissions_that_are_not_ours_are_repaired_and_told(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    assert prepare(tmp_path).repaired_mode == mode
    assert tmp_path.stat().st_mode & 0o7777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o777)
    os.chown(other, 12345, 12345)
    with pytest.raises(NotAStateDirectory, match="belongs to user 12345"):
        prepare(other)
    assert other.stat().st_uid == 12345


def test_a_link_to_a_state_directory_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "state")
    (tmp_path / "state").mkdir()
    with running_root(tmp_path / "link") as root:
        assert root.wait_ready()["socket"] == str(tmp_path / "state" / "perdure.sock")
