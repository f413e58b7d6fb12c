"""How tasks look. Pure functions from the rows that the runtime answered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from supervisor.cli.paper import BAD, BUSY, FAINT, GOOD, PLAIN, STRONG, WARNING, Cell, Column, Table, facts
from supervisor.cli.words import age, ago, duration, local_time, moment, one_line, prose, scalar

Task = Mapping[str, Any]

STYLES: Final[Mapping[str, str]] = {
    "pending": PLAIN,
    "running": BUSY,
    "completed": GOOD,
    "failed": BAD,
    "cancelled": FAINT,
}
PRIORITY_DEFAULT: Final = 5
_LEVELS: Final[Mapping[str, str]] = {"error": BAD, "warning": WARNING, "warn": WARNING, "debug": FAINT}


def listed(tasks: Sequence[Task], now: datetime) -> Table:
    """The list: a row per task. Columns in which no task has anything to say are left out."""
    columns: list[tuple[Column, Any]] = [
        (Column("ID", ids=True), lambda task: Cell(scalar(task.get("id")), STRONG)),
        (Column("STATUS"), _status),
    ]
    if any(task.get("priority") != PRIORITY_DEFAULT for task in tasks):
        columns.append((Column("PRI", right=True), lambda task: Cell(scalar(task.get("priority")))))
    if any(task.get("tool") for task in tasks):
        columns.append((Column("TOOL"), lambda task: Cell(scalar(task.get("tool")))))
    columns += [
        (Column("AGE", right=True), lambda task: Cell(age(task.get("created_at"), now), FAINT)),
        (Column("DESCRIPTION", elastic=True), lambda task: Cell(one_line(str(task.get("description", ""))))),
    ]
    rows = [tuple(cell_of(task) for _, cell_of in columns) for task in tasks]
    return Table(tuple(column for column, _ in columns), rows, empty="No tasks.")


def shown(task: Task, now: datetime) -> list[Table]:
    """One task: what it is, what came of it, and its log."""
    pairs: list[tuple[str, str | Cell]] = [
        ("id", Cell(scalar(task.get("id")), STRONG)),
        ("status", _status(task)),
        ("description", prose(str(task.get("description", "")))),
        ("priority", scalar(task.get("priority"))),
    ]
    pairs += [
        (label, said(task[name]))
        for name, label, said in (
            ("tool", "tool", scalar),
            ("session_id", "session", scalar),
            ("depends_on", "depends on", _ids),
            ("worker", "worker", scalar),
            ("lease", "lease", scalar),
            ("lease_expires_at", "lease until", local_time),
        )
        if task.get(name)
    ]
    if task.get("blocked_by"):
        pairs.append(("blocked by", Cell(_ids(task["blocked_by"]), WARNING)))
    pairs.append(("attempts", f"{task.get('attempts', 0)} of {task.get('max_attempts', '-')}"))
    pairs += [
        (label, f"{local_time(task[name])}  ({ago(task[name], now)})")
        for name, label in (
            ("created_at", "created"),
            ("started_at", "started"),
            ("completed_at", "ended"),
            ("updated_at", "changed"),
        )
        if task.get(name)
    ]
    if took := _took(task):
        pairs.append(("took", took))
    pairs += [
        (name, Cell(_long(task[name]), BAD if name == "error" else PLAIN))
        for name in ("result", "error", "metadata")
        if task.get(name) not in (None, {}, "")
    ]
    pairs.append(("rev", scalar(task.get("rev"))))
    log = logged(task)
    return [facts(pairs), *([log] if log.rows else [])]


def logged(task: Task) -> Table:
    """The log, oldest entry first."""
    entries = task.get("logs") or []
    rows = [
        (
            Cell(local_time(entry.get("timestamp")), FAINT),
            Cell(scalar(entry.get("level")), _LEVELS.get(str(entry.get("level")), PLAIN)),
            Cell(scalar(entry.get("type")), FAINT),
            Cell(prose(str(entry.get("message", "")))),
        )
        for entry in entries
    ]
    left_out = (task.get("log_count") or len(entries)) - len(entries)
    title = (
        f"Log (the newest {len(entries)}; {left_out} older in logs/task_{task.get('id')}.log)"
        if left_out > 0
        else "Log"
    )
    return Table((Column(), Column(), Column(), Column(wraps=True)), rows, title=title)


def _status(task: Task) -> Cell:
    text = scalar(task.get("status"))
    if task.get("blocked_by"):
        return Cell(f"{text} (blocked)", WARNING)
    return Cell(text, STYLES.get(text, PLAIN))


def _ids(found: Any) -> str:
    return ", ".join(scalar(one) for one in found) if isinstance(found, list) else scalar(found)


def _took(task: Task) -> str:
    begun, ended = moment(task.get("started_at")), moment(task.get("completed_at"))
    return duration(max(0.0, (ended - begun).total_seconds())) if begun and ended else ""


def _long(value: Any) -> str:
    if isinstance(value, str):
        return prose(value)
    if isinstance(value, dict) and set(value) == {"kind", "message"}:
        return f"{one_line(str(value['kind']))}: {prose(str(value['message']))}"
    import json

    return prose(json.dumps(value, ensure_ascii=False, indent=2))
