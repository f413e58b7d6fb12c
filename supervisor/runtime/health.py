"""`runtime.health`: one word and its reasons, and the figures behind them (SPEC section 9).

Rules, the first that applies gives the status:

==========  ==========================================================================
recovering  the writer is finding out what is true
read_only   the disk cannot be written
degraded    anything else is amiss: a child is not running, the disk is nearly full,
            the directory did not answer, a snapshot or files behind the journal could not
            be written, files lag behind, the state was damaged, acknowledged does not mean
            durable (durability is not `commit`)
ok          none of these
==========  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import trio

from actors.ledger import Mode
from actors.messages.questions import ReadHealth
from actors.model.errors import PerdureError
from actors.model.stamps import posix_of
from actors.model.tables import decode_service
from supervisor.runtime.office import Office
from supervisor.runtime.tree_rows import tree_rows

ASK_WITHIN_S: Final = 1.0
"""A disk that does not answer in this time is itself a finding."""

BACKLOG_MAX: Final = 10_000
"""Files that may lag behind the journal before that is told."""

RISKS: Final = {
    "interval": "durability is interval: what was acknowledged within the interval is lost with the power",
    "none": "durability is none: what was acknowledged may be lost with the power",
}


async def health(office: Office) -> dict[str, Any]:
    """Look at everything; takes at most ASK_WITHIN_S."""
    disk = await look_at_disk(office)
    rows = tree_rows(office.tree.tree(), office.mailboxes) if office.tree is not None else []
    ledger = office.ledger
    reasons = [*ledger.reasons, *_amiss(office, disk, rows)]
    saved = ledger.last_save or {}
    return {
        "status": _status(ledger.mode, reasons),
        "reasons": reasons,
        "state_dir_exists": bool(disk.get("state_dir_exists", True)),
        "writeable": ledger.mode is Mode.OK and bool(disk.get("writeable", False)),
        "disk_free_bytes": disk.get("disk_free_bytes"),
        "last_save_time": saved.get("at") or disk.get("last_save_time"),
        "last_save_age_s": _age_s(office, saved, disk.get("last_save_time")),
        "backup_count": disk.get("backup_count"),
        "durability": office.config.state.durability,
        "journal": {
            "seq": ledger.tables.seq,
            "bytes": disk.get("journal_bytes", ledger.journal.get("bytes")),
            "segments": disk.get("journal_segments", ledger.journal.get("segments")),
            "lag": ledger.files_backlog,
        },
        "actors": {row["path"]: row["state"] for row in rows},
        "watchdog": {"heartbeat_s": office.config.supervisor.heartbeat_s, "root": office.root.get("phase")},
        "quarantine_count": disk.get("quarantine_count"),
        "save_failures": ledger.save_failures,
        "disk_reserve_bytes": None if ledger.room is None else ledger.room.reserve_bytes,
        "alerts": office.standing_alerts,
    }


async def look_at_disk(office: Office) -> dict[str, Any]:
    """Ask what the directory holds, and keep it for the metrics; {"problem": …} when it does not say."""
    found = await _ask_disk(office)
    if "problem" not in found:
        office.disk, office.looked_at_s = found, office.clock.monotonic_s()
    return found


async def _ask_disk(office: Office) -> dict[str, Any]:
    with trio.move_on_after(ASK_WITHIN_S):
        try:
            answer: dict[str, Any] = await office.writer.ask(ReadHealth())
        except PerdureError as error:
            return {"problem": error.message}
        else:
            return answer
    return {"problem": f"the state directory did not answer within {ASK_WITHIN_S:g} s"}


def _amiss(office: Office, disk: dict[str, Any], rows: list[dict[str, Any]]) -> Iterator[str]:
    if "problem" in disk:
        yield str(disk["problem"])
    free_bytes = disk.get("disk_free_bytes")
    if free_bytes is not None and free_bytes < office.config.health.disk_low_bytes:
        yield f"the disk has {free_bytes} bytes left, less than health.disk_low_bytes"
    for row in rows:
        if row["state"] != "running":
            yield f"{row['path']} is {row['state']}"
    yield from _services_down(office)
    yield from _amiss_behind(office)
    if office.ledger.recovery.get("corrupted"):
        yield "the last recovery found damage: see the recovery report in runtime.status"
    if office.config.state.durability in RISKS:
        yield RISKS[office.config.state.durability]


def _amiss_behind(office: Office) -> Iterator[str]:
    """What the writer could not do as it should."""
    ledger = office.ledger
    if ledger.beside is not None:
        where = office.config.state.fallback_path
        yield f"the journal goes on in {where}: the state directory cannot be written ({ledger.beside})"
    if ledger.save_problem is not None:
        yield f"the last snapshot could not be written: {ledger.save_problem}"
    if ledger.files_problem is not None:
        yield f"files behind the journal could not be written: {ledger.files_problem}"
    if ledger.backup_problem is not None:
        yield f"the backups could not be put in order: {ledger.backup_problem}"
    if ledger.room is not None and ledger.room.access_problem is not None:
        yield ledger.room.access_problem
    if ledger.files_backlog > BACKLOG_MAX:
        yield f"{ledger.files_backlog} files lag behind the journal"


def _services_down(office: Office) -> Iterator[str]:
    """Services that are given up, and those that wait for another life: they may do that for ever, and serve nobody."""
    for row in office.ledger.tables.services.rows.values():
        service = decode_service(row.encoded)
        problem = (service.last_error or {}).get("message")
        if service.status == "failed":
            yield f"service {service.name} is given up: {problem}"
        elif service.status == "backing_off" and service.wanted:
            yield f"service {service.name} is down, started again {service.restarts} times so far: {problem}"


def _status(mode: Mode, reasons: list[str]) -> str:
    if mode is not Mode.OK:
        return str(mode.value)
    return "degraded" if reasons else "ok"


def _age_s(office: Office, saved: dict[str, Any], on_disk: str | None) -> float | None:
    """By the monotonic clock when this runtime saved; a snapshot of an earlier one has nothing but its stamp."""
    if "monotonic_s" in saved:
        return round(office.clock.monotonic_s() - float(saved["monotonic_s"]), 3)
    try:
        return None if on_disk is None else max(0.0, round(posix_of(office.clock.stamp()) - posix_of(on_disk), 3))
    except ValueError:
        return None  # a stamp of somebody else's
