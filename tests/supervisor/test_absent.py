"""supervisor/absent.py: what is optional is left out, and only there."""

import sys
from importlib import import_module

import pytest

from supervisor.absent import absent


def test_a_module_is_not_there_in_the_block_and_is_there_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with absent("this"), pytest.raises(ImportError):
        import_module("this")
    assert "this" not in sys.modules


def test_a_module_that_is_loaded_stays_what_it_is() -> None:
    with absent("sys"):
        assert import_module("sys") is sys
    assert sys.modules["sys"] is sys


def test_an_import_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with pytest.raises(ZeroDivisionError), absent("this"):
        raise ZeroDivisionError
    assert "this" not in sys.modules
