"""Every disk record has a golden file: it is written today as it was then, and what was written then is read.

`python -m tests.kit.golden tests/actors/storage/golden/v2` makes them anew after a change of format that was meant; a
change that older directories do not survive needs a migration instead.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.verify import verify_directory
from tests.kit.disks import read_tree
from tests.kit.golden import build
from tests.kit.histories import recovered

GOLDEN = Path(__file__).parent / "golden" / "v2"
BEFORE_SERVICES = Path(__file__).parent / "golden" / "v2-before-services"
NAMES = sorted(read_tree(GOLDEN)[0])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("golden") / "state"
    build(root)
    return read_tree(root)[0]


def test_there_is_a_golden_file_for_every_kind_of_record(made: dict[str, bytes]) -> None:
    assert sorted(made) == NAMES
    kinds = {name.split("/")[0].split(".")[0] for name in NAMES}
    assert kinds == {"archive", "identity", "journal", "logs", "quarantine", "reports", "sessions", "state", "tasks"}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_written_as_it_was(made: dict[str, bytes], name: str) -> None:
    assert made[name] == (GOLDEN / name).read_bytes()


def test_what_was_written_then_is_read_exactly(tmp_path: Path) -> None:
    expected = build(tmp_path / "made")
    state, report = recovered(_copied(GOLDEN, tmp_path))
    assert state == expected
    assert (report["case"], report["corrupted"]) == ("B", False)
    assert verify_directory(Disk(), Layout(tmp_path / "golden"))["ok"]


def test_a_directory_of_before_there_were_services_is_read_as_it_is(tmp_path: Path) -> None:
    assert b'"services":[' not in (BEFORE_SERVICES / "state.json").read_bytes()
    state, report = recovered(_copied(BEFORE_SERVICES, tmp_path))
    assert (report["case"], report["corrupted"], report["rejected_count"]) == ("B", False, 0)
    expected = build(tmp_path / "made")["rows"]
    assert expected.pop("services")
    assert state["rows"].pop("services") == {}
    assert state["rows"] == expected
    assert verify_directory(Disk(), Layout(tmp_path / "golden"))["ok"]


def _copied(golden: Path, tmp_path: Path) -> Path:
    """A copy with the modes and the empty folders that git does not keep."""
    copy = tmp_path / "golden"
    shutil.copytree(golden, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    for folder in ("quarantine", "spool"):
        (copy / folder).mkdir(mode=0o700, exist_ok=True)
    return copy
