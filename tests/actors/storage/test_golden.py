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
    shutil.copytree(GOLDEN, tmp_path / "golden")
    for path in (tmp_path / "golden", *(tmp_path / "golden").rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)  # git keeps no such modes
    for folder in ("quarantine", "spool"):
        (tmp_path / "golden" / folder).mkdir(mode=0o700, exist_ok=True)  # nor empty folders
    state, report = recovered(tmp_path / "golden")
    assert state == expected
    assert (report["case"], report["corrupted"]) == ("B", False)
    assert verify_directory(Disk(), Layout(tmp_path / "golden"))["ok"]
