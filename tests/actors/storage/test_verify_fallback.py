"""What `doctor` says of a fallback directory: whether it is there, and what the next start does with what is in it."""

from __future__ import annotations

from pathlib import Path

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.verify import verify_directory
from tests.kit.two_disks import BESIDE, MAIN, History, Life, TwoDisks


def found(root: Path) -> list[tuple[str, str, str]]:
    verified = verify_directory(Disk(), Layout(root / MAIN))
    return [
        (finding["file"], finding["severity"], finding["hint"])
        for finding in verified["findings"]
        if "fallback" in finding["file"]
    ]


def life_beside(root: Path) -> Life:
    for name in (MAIN, BESIDE):
        (root / name).mkdir(mode=0o700)
    life = Life(root, TwoDisks(root), History())
    life.create("a")
    life.disk.is_failing = True
    life.create_in_vain("lost")
    life.create("b", "c")
    return life


def test_lines_that_the_next_start_merges_are_told_and_no_mistake(tmp_path: Path) -> None:
    life = life_beside(tmp_path)
    life.driver.store.close()
    path = str(tmp_path / BESIDE)
    assert found(tmp_path) == [(path, "info", "the next start merges it into the state directory")]
    life.disk.is_failing = False
    life.open()
    assert found(tmp_path) == []
    life.driver.store.close()


def test_a_fallback_that_is_gone_is_an_error(tmp_path: Path) -> None:
    life = life_beside(tmp_path)
    life.driver.store.close()
    (tmp_path / BESIDE).rename(tmp_path / "away")
    ((file, severity, hint),) = found(tmp_path)
    assert (file, severity) == ("fallback.json", "error")
    assert "--ignore-fallback" in hint


def test_lines_that_the_state_directory_has_not_followed_are_a_warning(tmp_path: Path) -> None:
    life = life_beside(tmp_path)
    life.driver.store.close()
    life.disk.is_failing = False
    other = Life(tmp_path, life.disk, History(), ignore_fallback=True)
    other.create("another way")
    other.driver.store.close()
    ((_, severity, hint),) = found(tmp_path)
    assert severity == "warning"
    assert "quarantine" in hint
