"""supervisor/cli/progress.py: a line on a terminal while long work goes on, and nothing anywhere else."""

import io

import pytest

from supervisor.cli import progress as module
from supervisor.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_pipe_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with progress() as told:
        assert told is None


def test_work_that_is_over_at_once_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress() as told:
        assert told is not None
        told("task files", 1, 2)
    assert terminal.getvalue() == ""


def test_long_work_shows_what_is_done_and_how_much_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(module, "APPEARS_AFTER_S", 0.0)
    monkeypatch.setattr(module, "DRAWN_EVERY_S", 0.0)
    with progress() as told:
        assert told is not None
        told("task files", 0, None)
        told("journal lines", 512, 1000)
    assert "journal lines" in terminal.getvalue()
    assert "512/1000" in terminal.getvalue()
