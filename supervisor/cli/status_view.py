"""How a running Perdure looks, and one that does not answer. Pure functions from what was answered or found."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from supervisor.cli.paper import BAD, BUSY, FAINT, GOOD, PLAIN, STRONG, WARNING, Cell, Column, Table, facts
from supervisor.cli.words import age, ago, counted, dig, duration, local_time, one_line, scalar, size

if TYPE_CHECKING:
    from supervisor.root.lock import LockInfo

Status = Mapping[str, Any]

_MODES: Final[Mapping[str, str]] = {
    "ok": GOOD,
    "degraded": WARNING,
    "recovering": BUSY,
    "read_only": BAD,
    "running": GOOD,
    "stopped": FAINT,
    "failed": BAD,
    "stuck": BAD,
    "backing_off": WARNING,
    "restarting": WARNING,
    "slow_retry": BAD,
}
_PROCESSES: Final = ("root", "runtime", "standby", "host")


def running(status: Status, health: Mapping[str, Any] | None, now: datetime) -> list[Table]:
    """What runs, as the runtime itself says."""
    pairs: list[tuple[str, str | Cell]] = [
        ("perdure", f"{scalar(status.get('version'))}, up {age(status.get('started_at'), now)}"),
        ("health", _health(status, health)),
        ("state", scalar(status.get("state_path"))),
        ("socket", scalar(status.get("socket"))),
        ("processes", _processes(status)),
        ("seq", scalar(status.get("seq"))),
        ("tasks", _tasks(status)),
        ("sessions", scalar(dig(status, "counts", "sessions"))),
    ]
    if runs := dig(status, "counts", "runs"):
        pairs.append(("runs", scalar(runs)))
    if services := dig(status, "counts", "services"):
        pairs.append(("services", ", ".join(f"{number} {_phase(name)}" for name, number in services.items())))
    if health is not None:
        pairs.append(("last save", _last_save(health, now)))
    pairs += _alerts(status)
    restarts, last = dig(status, "root", "restarts"), dig(status, "root", "last_error")
    if restarts:
        pairs.append(
            ("restarts", Cell(f"{restarts}" + (f", last error: {one_line(str(last))}" if last else ""), WARNING))
        )
    elif last:
        pairs.append(("last error", Cell(one_line(str(last)), WARNING)))
    pairs += _recovery(status)
    return [facts(pairs), actors(status.get("actors") or (), "Actors")]


def actors(rows: Sequence[Mapping[str, Any]], title: str = "") -> Table:
    """The tree of actors: children stand below their supervisor, indented."""
    columns: tuple[Column, ...] = (
        Column("ACTOR"),
        Column("STATE"),
        Column("UP", right=True),
        Column("RESTARTS", right=True),
        Column("MAILBOX", right=True),
        Column("HIGH", right=True),
        Column("LAST CRASH", elastic=True),
    )
    crashed = any(row.get("last_crash") for row in rows)
    made: list[tuple[Cell, ...]] = [
        (
            Cell("  " * str(row.get("path", "")).count("/") + scalar(row.get("name")), STRONG),
            Cell(scalar(row.get("state")), _MODES.get(str(row.get("state")), BUSY)),
            Cell(duration(row["uptime_s"]) if row.get("uptime_s") is not None else "-", FAINT),
            Cell(scalar(row.get("restarts")), WARNING if row.get("restarts") else FAINT),
            Cell(scalar(row.get("mailbox_depth"))),
            Cell(scalar(row.get("mailbox_depth_max")), FAINT),
            Cell(_crash(row.get("last_crash")), WARNING),
        )
        for row in rows
    ]
    if not crashed:
        columns, made = columns[:-1], [cells[:-1] for cells in made]
    return Table(columns, made, title=title)


def not_answering(state_path: object, lock: "LockInfo", now: datetime) -> Table:
    """What the lock file says while no runtime answers."""
    if not lock.held:
        pairs: list[tuple[str, str | Cell]] = [
            ("state", str(state_path)),
            ("perdure", Cell("nothing runs here; perdure up starts it", FAINT)),
        ]
        if lock.phase is not None:
            pairs.append(("last time", _last_time(lock, now)))
    else:
        pairs = [
            ("state", str(state_path)),
            (
                "perdure",
                Cell(f"{_phase(lock.phase)} (began {ago(lock.since, now)})", _MODES.get(str(lock.phase), BUSY)),
            ),
            ("processes", f"root {scalar(lock.pid)}, runtime {scalar(lock.runtime_pid)}"),
            ("answer", Cell("no runtime answers", WARNING)),
        ]
    if lock.restarts:
        pairs.append(("restarts", Cell(scalar(lock.restarts), WARNING)))
    if lock.last_error:
        pairs.append(("last error", Cell(one_line(lock.last_error), BAD)))
    return facts(pairs)


def _last_time(lock: "LockInfo", now: datetime) -> str:
    """How it ended. Nobody wrote down when a process died; what is known is since when it did what it did."""
    if lock.phase == "stopped":
        return f"stopped in order, {ago(lock.since, now)} (process {lock.pid})"
    return f"ended without a word while {_phase(lock.phase)} (since {local_time(lock.since)}, process {lock.pid})"


def healthy(health: Mapping[str, Any], now: datetime) -> Table:
    """`health`: the word, its reasons, the figures."""
    word = scalar(health.get("status"))
    pairs: list[tuple[str, str | Cell]] = [("status", Cell(word, _MODES.get(word, PLAIN)))]
    for number, reason in enumerate(health.get("reasons") or ()):
        pairs.append(("" if number else "because", Cell(one_line(str(reason)), WARNING)))
    pairs += _alerts(health)
    pairs += [
        ("directory", "there" if health.get("state_dir_exists") else Cell("missing", BAD)),
        ("writeable", "yes" if health.get("writeable") else Cell("no", BAD)),
        ("disk free", size(health.get("disk_free_bytes"))),
        ("durability", scalar(health.get("durability"))),
        ("last save", _last_save(health, now)),
        ("backups", scalar(health.get("backup_count"))),
        ("journal", _journal(health.get("journal") or {})),
        ("files behind", scalar(dig(health, "journal", "lag"))),
        ("quarantine", scalar(health.get("quarantine_count"))),
    ]
    if failures := health.get("save_failures"):
        pairs.append(("failed saves", Cell(scalar(failures), BAD)))
    unwell = {path: state for path, state in (health.get("actors") or {}).items() if state != "running"}
    if unwell:
        pairs.append(("actors", Cell(", ".join(f"{path} {state}" for path, state in unwell.items()), WARNING)))
    return facts(pairs)


def _alerts(found: Mapping[str, Any]) -> list[tuple[str, str | Cell]]:
    """A row for each alert that stands, with what to do about it."""
    rows: list[tuple[str, str | Cell]] = []
    for alert in found.get("alerts") or ():
        style = BAD if alert.get("level") == "error" else WARNING
        text = f"{scalar(alert.get('alert'))}: {scalar(alert.get('message'))}; {scalar(alert.get('hint'))}"
        rows.append(("" if rows else "alerts", Cell(one_line(text), style)))
    return rows


def _journal(journal: Mapping[str, Any]) -> str:
    segments = counted(int(journal.get("segments") or 0), "segment")
    return f"seq {scalar(journal.get('seq'))}, {size(journal.get('bytes'))} in {segments}"


def measured(metrics: Mapping[str, Any]) -> Table:
    """`metrics`: a row per value; histograms by their count and mean only."""
    rows = []
    for name, samples in sorted(metrics.items()):
        if name.endswith(("_bucket", "_created", "_sum")):
            continue
        for sample in samples:
            labels = sample.get("labels") or {}
            said = " ".join(f"{label}={one_line(str(value))}" for label, value in labels.items())
            rows.append((Cell(name), Cell(said, FAINT), Cell(_measure(metrics, name, sample))))
    return Table((Column("METRIC"), Column("OF"), Column("VALUE", right=True)), rows, empty="No metrics.")


def _measure(metrics: Mapping[str, Any], name: str, sample: Mapping[str, Any]) -> str:
    value = sample.get("value")
    sums = metrics.get(f"{name.removesuffix('_count')}_sum")
    if name.endswith("_count") and sums and isinstance(value, int | float) and value:
        mean = sums[0]["value"] / value
        unit = " s" if "seconds" in name else ""
        return f"{value:g} × {mean:.3g}{unit}"
    if "_bytes" in name and isinstance(value, int | float):
        return size(int(value))
    return f"{value:.6g}" if isinstance(value, int | float) else scalar(value)


def _health(status: Status, health: Mapping[str, Any] | None) -> Cell:
    word = scalar((health or {}).get("status") or status.get("mode"))
    reasons = (health or status).get("reasons") or ()
    because = ": " + "; ".join(one_line(str(reason)) for reason in reasons) if reasons else ""
    return Cell(word + because, _MODES.get(word, PLAIN))


def _processes(status: Status) -> str:
    pids = status.get("pids") or {}
    told = [f"{name} {pids[name]}" for name in _PROCESSES if pids.get(name)]
    if agents := pids.get("agents"):
        told.append(counted(len(agents), "agent"))
    return ", ".join(told)


def _tasks(status: Status) -> str:
    counts = dict(dig(status, "counts", "tasks") or {})
    total = counts.pop("total", None)
    parts = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    return scalar(total) + (f" ({parts})" if parts else "")


def _last_save(health: Mapping[str, Any], now: datetime) -> str:
    stamp = health.get("last_save_time")
    return f"{ago(stamp, now)} ({local_time(stamp)})" if stamp else "none yet"


def _recovery(status: Status) -> list[tuple[str, str | Cell]]:
    report = status.get("recovery") or {}
    if not report:
        return []
    told = [f"from {scalar(report.get('base'))}", f"{counted(int(report.get('facts_replayed') or 0), 'fact')} replayed"]
    if isinstance(report.get("duration_s"), int | float):
        told.append(f"in {duration(report['duration_s'])}")
    pairs: list[tuple[str, str | Cell]] = [("recovered", ", ".join(told))]
    if report.get("corrupted"):
        lost = ", ".join(f"{first}-{last}" for first, last in report.get("seqs_lost") or ())
        pairs.append(("damage", Cell((f"seq {lost} lost; " if lost else "") + "perdure doctor tells more", BAD)))
    return pairs


def _crash(crash: Mapping[str, Any] | None) -> str:
    if not crash:
        return ""
    return one_line(f"{crash.get('reason')}: {crash.get('exception_type') or ''} {crash.get('message') or ''}")


def _phase(phase: str | None) -> str:
    return (phase or "starting").replace("_", " ")
