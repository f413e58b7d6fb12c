"""The text of a task's file: how a task is laid out, member by member. Pure."""

from __future__ import annotations

from typing import Any, Final

import orjson

_SEEDS = (
    "id",
    "description",
    "status",
    "tool",
    "created_at",
    "updated_at",
    "started_at",
    "completed_at",
    "logs",
    "result",
)
_OURS = (
    "error",
    "priority",
    "session_id",
    "depends_on",
    "attempts",
    "max_attempts",
    "worker",
    "lease",
    "lease_expires_at",
)
_MEMBERS: Final = (*_SEEDS, *_OURS, "metadata", "log_count")
"""The order of the members in a file: the seeds' example first; what is not named comes next, `rev` last."""


def laid_out(task: dict[str, Any]) -> bytes:
    """Return the text of a task's file. Raises TypeError for what JSON written here cannot hold."""
    rev = {"rev": task["rev"]} if "rev" in task else {}
    ordered = {name: task[name] for name in _MEMBERS if name in task}
    others = {name: value for name, value in task.items() if name not in ordered and name != "rev"}
    return orjson.dumps({**ordered, **others, **rev}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
