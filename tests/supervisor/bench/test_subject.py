"""supervisor/bench/subject.py: what is measured is what an installed Perdure does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.bench.subject import bytecode_kept


def test_where_no_bytecode_may_be_written_a_subject_keeps_it_with_the_measurements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **bytecode_kept(tmp_path)}
    subprocess.run([sys.executable, "-c", "import supervisor"], check=True, env=environment, timeout=60)
    assert list((tmp_path / "bytecode").rglob("supervisor/__init__.*.pyc"))


def test_where_bytecode_is_written_anyway_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert bytecode_kept(tmp_path) == {}
