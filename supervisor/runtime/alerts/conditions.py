"""Which alerts there are: condition, name, level, for how long it must last, what to do. Pure.

==============  =======  =======================================================================================
save_failed     error    a snapshot could not be written, or the journal cannot be written at present
disk_low        warning  less room than `health.disk_low_bytes`; error: commands are refused for want of it
corruption      error    the last recovery found damage
backup_failed   warning  backups or the daily snapshots in archive/ are not as they should be
permission      error    the system forbids a write (EACCES, EPERM), or the directory is not ours alone
restart_storm   error    `alerts.restarts` restarts within `alerts.restarts_within_s`
lag             warning  files behind the journal, or a subscriber, are `alerts.lag_files` behind
==============  =======  =======================================================================================
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from actors.ledger import Ledger, Problem
from actors.model.room import Room
from actors.writer.news import damage
from supervisor.config.schema import Config

UNKNOWN: Final = ""
"""What a condition says that does not know: whatever was told goes on."""

FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM})


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a condition may look at, at one moment."""

    disk_low_bytes: int
    restarts_max: int
    restarts_within_s: float
    lag_max: int
    room: Room | None = None
    is_refusing: bool = False
    """Whether commands are refused because the disk cannot take them."""
    beside: str | None = None
    """Why the journal is in the fallback directory."""
    journal_problem: Problem | None = None
    save_problem: Problem | None = None
    backup_problem: Problem | None = None
    files_problem: Problem | None = None
    recovery: Mapping[str, Any] = msgspec.field(default_factory=dict)
    restarts: int = 0
    """Restarts of actors and runtimes within `restarts_within_s`."""
    files_backlog: int = 0
    event_lag: int = 0
    """Lines that the slowest subscriber has not got."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Whatever the disk refused last, of each kind."""
        all_kinds = (self.journal_problem, self.save_problem, self.backup_problem, self.files_problem)
        return tuple(problem for problem in all_kinds if problem is not None)


def signs_of(ledger: Ledger, config: Config, *, restarts: int, event_lag: int) -> Signs:
    """Return what there is to see now."""
    return Signs(
        disk_low_bytes=config.health.disk_low_bytes,
        restarts_max=config.alerts.restarts,
        restarts_within_s=config.alerts.restarts_within_s,
        lag_max=config.alerts.lag_files,
        room=ledger.room,
        is_refusing=bool(ledger.reasons),
        beside=ledger.beside,
        journal_problem=ledger.journal_problem,
        save_problem=ledger.save_problem,
        backup_problem=ledger.backup_problem,
        files_problem=ledger.files_problem,
        recovery=ledger.recovery,
        restarts=restarts,
        files_backlog=ledger.files_backlog,
        event_lag=event_lag,
    )


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    level: str
    find: Callable[[Signs, bool], str | None]
    """Says what is the matter, None when nothing is, UNKNOWN when that cannot be told at present. The second argument
    tells whether the alert stands already: what raised it must be over by a margin."""
    hint: str
    for_s: float = 0.0
    """How long it must have been so before it is told, and how long it must be over before that is told."""


def _save_failed(signs: Signs, _stands: bool) -> str | None:  # noqa: FBT001 - every condition has this form
    if signs.journal_problem is not None:
        return f"the journal cannot be written: {signs.journal_problem}"
    if signs.beside is not None:
        return f"the state directory cannot be written, the journal goes on in the fallback directory: {signs.beside}"
    return None if signs.save_problem is None else f"the snapshot could not be written: {signs.save_problem}"


def _disk_low(signs: Signs, stands: bool) -> str | None:  # noqa: FBT001
    room = signs.room
    if room is None:
        return UNKNOWN
    if room.is_short and signs.is_refusing:
        return f"commands are refused: {room.shortage()}"
    enough_bytes = signs.disk_low_bytes + (signs.disk_low_bytes // 10 if stands else 0)
    if room.free_bytes >= enough_bytes:
        return None
    return f"{room.free_bytes} bytes are free on the disk, less than health.disk_low_bytes ({signs.disk_low_bytes})"


def _corruption(signs: Signs, _stands: bool) -> str | None:  # noqa: FBT001
    return damage(signs.recovery) if signs.recovery.get("corrupted") else None


def _backup_failed(signs: Signs, _stands: bool) -> str | None:  # noqa: FBT001
    return None if signs.backup_problem is None else f"the backups could not be put in order: {signs.backup_problem}"


def _permission(signs: Signs, _stands: bool) -> str | None:  # noqa: FBT001
    forbidden = next((problem for problem in signs.problems if problem.errno in FORBIDDEN), None)
    if forbidden is not None:
        return f"the system forbids writing: {forbidden}"
    return UNKNOWN if signs.room is None else signs.room.access_problem


def _restart_storm(signs: Signs, stands: bool) -> str | None:  # noqa: FBT001
    if signs.restarts < (1 if stands else signs.restarts_max):
        return None
    return f"{signs.restarts} restarts within {signs.restarts_within_s:g} s"


def _lag(signs: Signs, stands: bool) -> str | None:  # noqa: FBT001
    lag_max = signs.lag_max // 2 if stands else signs.lag_max
    if signs.files_backlog > lag_max:
        return f"{signs.files_backlog} files are not written yet behind the journal"
    return f"a subscriber is {signs.event_lag} lines behind" if signs.event_lag > lag_max else None


CONDITIONS: Final = (
    Condition(
        name="save_failed",
        level="error",
        find=_save_failed,
        hint="free or repair the disk; nothing acknowledged is lost, and Perdure goes on by itself",
    ),
    Condition(
        name="disk_low",
        level="warning",
        find=_disk_low,
        hint="free space on the disk of the state directory; perdure clean removes leftovers",
    ),
    Condition(
        name="corruption",
        level="error",
        find=_corruption,
        hint="perdure doctor tells what is lost; check the disk; perdure restore goes back to an older state",
    ),
    Condition(
        name="backup_failed",
        level="warning",
        find=_backup_failed,
        hint="look at the backups and at archive/snapshots in the state directory; the next snapshot tries again",
    ),
    Condition(
        name="permission",
        level="error",
        find=_permission,
        hint="give the state directory to the user that runs Perdure: chown, then chmod 700",
    ),
    Condition(
        name="restart_storm",
        level="error",
        find=_restart_storm,
        hint="perdure actors shows the last crash of each; logs/perdure.log has the tracebacks",
    ),
    Condition(
        name="lag",
        level="warning",
        find=_lag,
        hint="the disk or a client is too slow: perdure metrics shows perdure_files_backlog and perdure_event_lag",
        for_s=5.0,
    ),
)
"""All of them. Names are what SPEC section 9 calls them, `alert:NAME` as events."""
