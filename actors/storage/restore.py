"""`perdure restore`: back to a moment of the past, by new facts that lead there; seq and rev only ever grow.

`restore_plan` says what becomes of each kind of row. The steps, each durable before the next:

1. recovery, everything written that lies behind, a snapshot: the state before, which becomes a backup, and of which a
   copy goes to `archive/restored-<UTC stamp>/`, so that a restore can be taken back by another (`--backup` it, or
   `--seq` with the seq told);
2. the state of then is put together from a base and the journal (`moments`), and compared with the present;
3. all the facts, in as many lines as it takes, go into one segment that is complete and synced before it gets its name:
   **this is the moment at which it is restored**. A power cut before it leaves the old state, one after it the new;
4. recovery again, as after any crash: files are written, a snapshot is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.model.errors import Conflict, Internal, NotFound
from actors.model.facts import Fact
from actors.model.ids import new_id
from actors.model.keys import Command
from actors.model.state import Limits, Tables
from actors.storage.contract import Recovered
from actors.storage.disk_store import DiskStore
from actors.storage.files import Disk
from actors.storage.identity import read_identity
from actors.storage.journal_decoding import encode_body
from actors.storage.journal_lines import FIRST_PREV, format_lines
from actors.storage.layout import Layout
from actors.storage.moments import Past, in_words, look_back, reports_until, snapshot_at, tables_at
from actors.storage.peek import read_state
from actors.storage.restore_plan import Plan, Planner, lines_of
from actors.storage.segments import write_segment
from actors.storage.session_versions import NEVER, version_of, versions
from actors.storage.snapshot_form import read_head
from actors.storage.trees import copy_file
from actors.storage.work import Work

FACTS_PER_LINE: Final = 1000
LINE_BYTES_MAX: Final = 8 << 20
"""A line may hold one fact that is longer; a reader of the journal holds one line at a time."""

Opening = Callable[[], AbstractContextManager[tuple[DiskStore, Recovered]]]


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Where to: one of these."""

    seq: int | None = None
    time: str | None = None
    """ISO stamp."""
    backup: Path | None = None


class Restore(msgspec.Struct, frozen=True):
    """One restore of a directory whose locks are held."""

    disk: Disk
    layout: Layout
    opening: Opening
    """Opens the store: recovered, and closed with everything written and a snapshot taken."""
    limits: Limits
    stamp: str
    """Now, as an ISO stamp."""
    file_stamp: str
    """Now, as file names have it."""
    work: Work = msgspec.field(default_factory=Work)

    def planned(self, moment: Moment) -> dict[str, Any]:
        """Say what would be done, and change nothing: as `run`, `done` False. Raises as `run`."""
        told = self._compare(moment, read_state(self.disk, self.layout).tables)[2]
        return {**told, "seq": told["from_seq"], "kept_in": None, "done": False}

    def run(self, moment: Moment) -> dict[str, Any]:
        """Restore; return {from_seq, to_seq, to_time, seq, restored, remade, removed, …, kept_in, done}.

        `done` is False when everything is as it was then. Raises NotFound when the moment cannot be reached, Conflict
        for a backup of another directory, OSError.
        """
        with self.opening() as (_, recovered):
            now = recovered.tables
        past, plan, told = self._compare(moment, now)
        if plan.is_empty:
            return {**told, "seq": now.seq, "kept_in": None, "done": False}
        kept_in = self._keep_present()
        self._commit(plan, past, told)
        with self.opening() as (_, recovered):
            seq = recovered.tables.seq
        return {**told, "seq": seq, "kept_in": str(kept_in.relative_to(self.layout.root)), "done": True}

    def _compare(self, moment: Moment, now: Tables) -> tuple[Past, Plan, dict[str, Any]]:
        past, at_seq = look_back(self.disk, self.layout, self.work, moment.time)
        then = self._then(moment, past, at_seq, now)
        self.work.begin("comparing")
        plan = Planner(now, then, _Files(self.disk, self.layout, then.seq), self.stamp).plan()
        reachable = [list(one) for one in past.ranges()]
        told = {"from_seq": now.seq, "to_seq": then.seq, "to_time": then.stamp or None, "reachable": reachable}
        return past, plan, {**told, **plan.as_mapping()}

    def _then(self, moment: Moment, past: Past, at_seq: int | None, now: Tables) -> Tables:
        if moment.backup is not None:
            return self._of_backup(moment.backup, now)
        seq = moment.seq if moment.seq is not None else at_seq
        if seq is None:
            raise NotFound(
                f"nothing here is as old as {moment.time}", hint=f"what can be reached is {in_words(past.ranges())}"
            )
        if seq > now.seq:
            raise NotFound(
                f"seq {seq} lies ahead: the newest is {now.seq}",
                hint=f"what can be reached is {in_words(past.ranges())}",
            )
        return tables_at(self.disk, self.layout, past, seq, self.limits, self.work)

    def _of_backup(self, path: Path, now: Tables) -> Tables:
        tables, header = snapshot_at(self.disk, path, self.limits)
        own, theirs = read_identity(self.disk, self.layout), header.get("identity") or {}
        if isinstance(own, dict) and theirs and theirs.get("daemon_id") != own["daemon_id"]:
            raise Conflict(
                f"{path} is a snapshot of another state directory, {theirs.get('daemon_id')}",
                hint="restore it in that directory; perdure backups lists this one's",
            )
        if tables.seq > now.seq:
            raise Conflict(
                f"{path} is newer ({tables.seq}) than this directory ({now.seq})",
                hint="part of this directory is missing: perdure doctor says what",
            )
        return tables

    def _keep_present(self) -> Path:
        """Copy the snapshot of the present to a place that nothing prunes; return that."""
        head = read_head(self.disk, self.layout.state)
        if head is None:
            raise Internal("there is no snapshot of the present", hint="perdure doctor says what is wrong")
        folder, number = self.layout.archive / f"restored-{self.file_stamp}", 1
        while not self.disk.ensure_dir(folder):
            number += 1
            folder = self.layout.archive / f"restored-{self.file_stamp}-{number}"
        copy_file(self.disk, self.layout.state, folder / self.layout.backup(self.file_stamp, head.seq).name)
        self.disk.sync_dir(folder)
        return folder

    def _commit(self, plan: Plan, past: Past, told: Mapping[str, Any]) -> None:
        """Put one segment with all lines in place: whole or not at all."""
        next_seq = told["from_seq"] + 1
        segments = self.layout.segments(self.disk)
        if not segments or segments[-1].first_seq != next_seq:
            raise Internal("the journal does not end where the state does", hint="perdure doctor says what is wrong")
        command = Command(method="state.restore")
        portions = [*lines_of(plan.facts, FACTS_PER_LINE, LINE_BYTES_MAX), (self._event(told),)]
        bodies = [encode_body(self.stamp, command, portion) for portion in portions]
        pieces, _ = format_lines(bodies, next_seq, next_seq - 1, past.last_crc or FIRST_PREV)
        write_segment(self.disk, self.layout, next_seq, pieces)

    def _event(self, told: Mapping[str, Any]) -> Fact:
        counts = {name: len(rows) for part in ("restored", "remade", "removed") for name, rows in told[part].items()}
        message = f"restored to seq {told['to_seq']}, from {told['from_seq']}"
        detail = {"to_seq": told["to_seq"], "from_seq": told["from_seq"], "rows": counts}
        event_id = new_id()
        row = {"id": event_id, "created_at": self.stamp, "level": "warning", "type": "state:restored"}
        data = {**row, "message": message, "detail": detail, "rev": 1}
        return Fact(op="event.recorded", id=event_id, rev=1, data=data)


class _Files(msgspec.Struct, frozen=True):
    """What the plan asks of files (`restore_plan.Sources`)."""

    disk: Disk
    layout: Layout
    seq: int

    def messages(self, session_id: str, rev: int, created_at: str) -> tuple[str, int, bool] | None:
        found = version_of(self.disk, self.layout, session_id, rev, created_at)
        if found is None:
            return None
        path, count = found
        return str(path.relative_to(self.layout.root)), count, path == self.layout.session_file(session_id)

    def last_rev(self, session_id: str) -> int:
        ended = [one.ended_rev for one in versions(self.disk, self.layout, session_id) if one.ended_rev != NEVER]
        return max(ended, default=0)

    def reports(self, wanted: dict[str, int]) -> Mapping[str, Any]:
        return reports_until(self.disk, self.layout, self.seq, wanted)

    def has_log(self, task_id: str) -> bool:
        return self.disk.exists(self.layout.task_log(task_id))
