"""Migrations: placeholder."""

from __future__ import annotations

from typing import Any

from actors.storage.files import Disk
from actors.storage.layout import Layout, Standing, classify


def is_version_1(disk: Disk, layout: Layout) -> bool:
    """Tell."""
    return classify(disk, layout) is Standing.VERSION_1


def migrate(disk: Disk, layout: Layout, *, stamp: str, version: str) -> dict[str, Any]:
    """Migrate."""
    return {}
