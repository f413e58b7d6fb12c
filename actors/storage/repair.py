"""`perdure doctor --repair`: carries out what the findings say, in rounds, until there is nothing left to be done.

1. Before recovery: what it would refuse or stumble over leaves its place (links, strangers, modes).
2. Recovery, as every start does it, with an event that tells of the repair, and so a fresh snapshot.
3. After it, over and over while that helps (`ROUNDS_MAX`): what does not fit its row goes to quarantine and is written
   anew from the row and from the journal as far back as that goes; the journal's damaged past is set aside.
4. What is still missing then is nowhere: it is put on record (`lost`), so that the next look does not tell it again.

Every piece is in quarantine, durably, before its original goes. Cut short at any point, it is done again by the next
repair; a start in between finds a directory that it can recover.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any, Final

import msgspec
from attrs import Factory, define

from actors.model.stamps import stamp_of
from actors.storage.contract import Recovered
from actors.storage.disk_store import DiskStore
from actors.storage.errand import record_event
from actors.storage.files import Disk
from actors.storage.findings import Finding, Findings
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from actors.storage.remedies import Remedy
from actors.storage.repair_actions import ACTIONS, Place
from actors.storage.repair_files import note_files
from actors.storage.snapshot_form import read_head
from actors.storage.verify import examine
from actors.storage.work import Work

ROUNDS_MAX: Final = 6
"""Setting one thing aside may show another (damaged lines, then what rows lost by them, then a backup that no journal
leads from); nothing shows more than twice."""

_EVENT_LISTS_MAX: Final = 50

Opening = Callable[[], AbstractContextManager[tuple[DiskStore, Recovered]]]


class Repaired(msgspec.Struct, frozen=True):
    """What a repair did, and what it left."""

    first: Findings
    last: Findings
    done: tuple[Finding, ...]
    lost: tuple[Finding, ...]
    quarantined: tuple[str, ...]
    recovery: dict[str, Any] | None
    """The report of the recovery; None when nothing was found and nothing done."""

    def as_mapping(self) -> dict[str, Any]:
        """Return what a check returns, of the directory as it is now, with {repaired, lost, quarantined, recovery}."""
        return {
            **self.last.as_mapping(),
            "repaired": [one.as_mapping() for one in self.done],
            "lost": [one.as_mapping() for one in self.lost],
            "quarantined": list(self.quarantined),
            "recovery": self.recovery,
        }


@define
class Repair:
    """One repair of a directory whose locks are held. Raises OSError, IncompatibleVersion."""

    disk: Disk
    layout: Layout
    opening: Opening
    """Opens the store: recovered, and closed with everything written."""
    quarantine: Quarantine
    work: Work
    _seen: dict[tuple[str, str], Finding] = Factory(dict)
    _lost: list[Finding] = Factory(list)
    _tried: set[tuple[str, str]] = Factory(set)
    """Rows whose files were written anew: what is missing in them still is nowhere."""
    _rebuilt_for: set[tuple[str, str]] = Factory(set)
    """What the state was built anew for: what is told of it still, backup and journal do not hold."""

    def run(self) -> Repaired:
        """Do all rounds."""
        first = findings = self._examine()
        recovery: dict[str, Any] | None = None
        if any(one.remedy is not Remedy.NONE for one in first.found):
            for finding in first.found:
                if finding.remedy.turn == "before":
                    self._carry_out(finding)
            recovery = self._recover((), first)
            for _ in range(ROUNDS_MAX):
                findings = self._examine()
                if not self._mend(findings):
                    break
        return Repaired(
            first=first,
            last=findings,
            done=self._done(findings),
            lost=tuple(self._lost),
            quarantined=self._quarantined(recovery),
            recovery=recovery,
        )

    def _examine(self) -> Findings:
        findings = examine(self.disk, self.layout, work=self.work)
        for one in findings.found:
            self._seen.setdefault((one.file, one.problem), one)
        return findings

    def _mend(self, findings: Findings) -> bool:
        """Carry out what can be done now; return whether that was anything."""
        todo = [one for one in findings.found if one.remedy is not Remedy.NONE]
        if not todo:
            return False
        hopeless = [one for one in todo if self._is_hopeless(one)]
        if hopeless:
            self.quarantine.note_losses((finding.path, finding.problem) for finding in hopeless)
            self._lost += hopeless
        hopeful = [one for one in todo if not self._is_hopeless(one)]
        for finding in hopeful:
            self._carry_out(finding)
        self._tried |= {_address(one) for one in hopeful if one.subject is not None}
        self._rebuilt_for |= {_told(one) for one in hopeful if one.remedy is Remedy.FORGET_STATE}
        subjects = [one.subject for one in hopeful if one.subject is not None]
        if subjects or any(one.remedy in _NEED_RECOVERY for one in hopeful):
            self._recover(subjects, findings)
        return True

    def _is_hopeless(self, finding: Finding) -> bool:
        if finding.remedy is Remedy.FORGET_STATE:
            return _told(finding) in self._rebuilt_for
        return finding.remedy is Remedy.FILL and _address(finding) in self._tried

    def _recover(self, subjects: Iterable[tuple[str, str]], findings: Findings) -> dict[str, Any]:
        """Open the store, write the files of the rows given, record what was found, take a snapshot."""
        self.work.begin("recovery")
        with self.opening() as (store, recovered):
            note_files(self.disk, self.layout, recovered, subjects)
            told = [f"{one.file}: {one.problem}" for one in findings.found]
            message = f"perdure doctor repaired what it found: {len(told)}"
            detail = {"findings": told[:_EVENT_LISTS_MAX]}
            record_event(store, recovered, "state:repaired", message, detail, stamp_of(time.time()))
            report = dict(recovered.report)
        for finding in findings.found:
            if finding.remedy is Remedy.JOURNAL:
                self._set_journal_aside(finding)
        return report

    def _carry_out(self, finding: Finding) -> None:
        action = ACTIONS.get(finding.remedy)
        if action is not None:
            action(Place(self.disk, self.layout, self.quarantine), finding)

    def _set_journal_aside(self, finding: Finding) -> None:
        """Move segments that begin at or below the damage, oldest first, as far as a snapshot covers them."""
        segments = self.layout.segments(self.disk)
        saved_seq = self._saved_seq()
        for segment, following in pairwise(segments):
            if segment.first_seq > finding.up_to or following.first_seq - 1 > saved_seq:
                break
            self.quarantine.keep_file(segment.path, f"the journal up to a damaged place: {finding.problem}")

    def _saved_seq(self) -> int:
        head = read_head(self.disk, self.layout.state)
        return 0 if head is None else head.seq

    # What is told

    def _done(self, last: Findings) -> tuple[Finding, ...]:
        left = {_told(one) for one in last.found} | {_told(one) for one in self._lost}
        return tuple(one for key, one in self._seen.items() if key not in left)

    def _quarantined(self, recovery: dict[str, Any] | None) -> tuple[str, ...]:
        found = list((recovery or {}).get("quarantined") or ())
        directory = self.quarantine.directory
        if directory is not None:
            found += [str((directory / kept.file).relative_to(self.layout.root)) for kept in self.quarantine.kept]
        return tuple(found)


def _told(finding: Finding) -> tuple[str, str]:
    return finding.file, finding.problem


def _address(finding: Finding) -> tuple[str, str]:
    return finding.subject or ("", finding.file)


_NEED_RECOVERY: Final = frozenset({Remedy.RECOVER, Remedy.SAVE, Remedy.JOURNAL, Remedy.FORGET_STATE})
