"""What the suite has tried: crash states, kill points, injected errors, counted where they are tried, told at the end.

A test's counts travel in its report's user properties, which also come from other processes (xdist). The seed of every
sampled form is PERDURE_SEED, printed at the beginning; the same seed tries the same.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from typing import Final

import pytest

SEED: Final = int(os.environ.get("PERDURE_SEED", "1"))
PROPERTY: Final = "tried"

_counted: Counter[str] = Counter()


def count(what: str, number: int = 1) -> None:
    """Note that something was tried."""
    _counted[what] += number


def taken() -> dict[str, int]:
    """Return what was counted since the last call."""
    counted = dict(_counted)
    _counted.clear()
    return counted


def total(reports: Iterable[object]) -> Counter[str]:
    """Add up what the tests' reports say."""
    found: Counter[str] = Counter()
    for report in reports:
        if isinstance(report, pytest.TestReport):
            for name, counts in report.user_properties:
                if name == PROPERTY and isinstance(counts, dict):
                    found.update(counts)
    return found
