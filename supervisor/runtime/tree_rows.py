"""The tree of actors as `actor.list` and `runtime.status` show it: one row per child, parents first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from actors.kernel.mailbox import Mailbox
from supervisor.tree.report import CrashReport
from supervisor.tree.view import ChildView


def tree_rows(view: ChildView, mailboxes: Mapping[str, Mailbox]) -> list[dict[str, Any]]:
    """Return the rows of everything below and including `view`."""
    return [_row(child, mailboxes.get(child.name)) for child in view.walk()]


def _row(view: ChildView, mailbox: Mailbox | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": view.name,
        "path": view.path,
        "kind": str(view.kind),
        "state": str(view.state),
        "restarts": view.restarts,
        "incarnation": view.incarnation,
        "uptime_s": None if view.uptime_s is None else round(view.uptime_s, 3),
        "last_crash": None if view.last_crash is None else crash_as_json(view.last_crash),
    }
    if mailbox is not None:
        row["mailbox_depth"] = mailbox.depth
        row["mailbox_depth_max"] = mailbox.depth_max_seen
        row["dead_letters"] = [msgspec.structs.asdict(letter) for letter in mailbox.dead_letters]
    return row


def crash_as_json(report: CrashReport) -> dict[str, Any]:
    """Return a crash report without its traceback: that is in the log."""
    shown = attrs.asdict(report)
    shown.pop("trace")
    return {name: value if isinstance(value, int | float | None) else str(value) for name, value in shown.items()}
