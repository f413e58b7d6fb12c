"""What the name of an archive says of it. What is in it and comes out again: tests/scenario/test_import.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.foreign.export_archive import export_archive

GZIP = b"\x1f\x8b"


@pytest.mark.parametrize(("name", "compressed"), [("a.tar", False), ("a.tar.gz", True), ("a.tgz", True)])
def test_the_name_says_whether_it_is_compressed(tmp_path: Path, name: str, compressed: bool) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "state.json").write_text("{}")
    export_archive(state, tmp_path / name, "1")
    assert (tmp_path / name).read_bytes().startswith(GZIP) is compressed
