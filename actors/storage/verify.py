"""Checking everything on disk without changing it: `state.verify` and `perdure doctor`.

The same readers look as in recovery, so what they would reject is told before it is needed. Each finding says what
`doctor --repair` would do about it (`remedies`).

While the store is open, whoever asks stands in the thread that writes snapshots and files, so these stay as they are;
the journal grows meanwhile, segments come and go. So files are read before the journal, what lies beyond the newest
acknowledged line is not looked at, and when something is found everything is looked at once more: only what is there
both times is told.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, Final

from actors.model.errors import IncompatibleVersion
from actors.storage.behind import Behind
from actors.storage.files import Disk
from actors.storage.findings import Findings
from actors.storage.identity import read_identity
from actors.storage.layout import Layout
from actors.storage.peek import read_state
from actors.storage.recovery_replay import Replayed
from actors.storage.remedies import Remedy
from actors.storage.snapshot_reader import Problem, SnapshotImage, read_snapshot
from actors.storage.standing import Standing, classify
from actors.storage.verify_fallback import verify_fallback
from actors.storage.verify_files import read_files, verify_files
from actors.storage.verify_journal import verify_journal
from actors.storage.verify_kept import read_losses, verify_kept
from actors.storage.verify_places import verify_places
from actors.storage.version_1 import is_version_1
from actors.storage.work import Work

_FALLBACK: Final = "backup and journal give the exact state"


def verify_directory(
    disk: Disk, layout: Layout, *, durable_seq: int | None = None, work: Work | None = None
) -> dict[str, Any]:
    """Check the directory and return {ok, findings: [{file, problem, severity, hint, repair}…], omitted, counts}.

    `durable_seq` is the newest acknowledged line of an open store, None when nobody has it open. Raises OSError only
    when the disk cannot be asked at all.
    """
    findings = examine(disk, layout, durable_seq=durable_seq, work=work)
    if findings.found and durable_seq is not None:
        findings = examine(disk, layout, durable_seq=durable_seq, work=work).only(findings)
    return findings.as_mapping()


def examine(disk: Disk, layout: Layout, *, durable_seq: int | None = None, work: Work | None = None) -> Findings:
    """Look at everything once."""
    work = work or Work()
    findings = Findings(layout, read_losses(disk, layout))
    if not _is_ours(disk, layout, findings):
        return findings
    is_open = durable_seq is not None
    verify_places(disk, layout, findings, work, is_open=is_open)
    verify_fallback(disk, layout, findings)
    if not _is_readable(disk, layout):
        return findings
    try:
        files = read_files(disk, layout, work)
        work.begin("snapshots")
        replayed = _check_snapshots(disk, layout, findings)
        if replayed is not None:
            pending = _pending(replayed.behind)
            verify_journal(disk, layout, replayed.tables, findings, work, durable_seq)
            verify_files(files, replayed.tables, findings, pending)
            verify_kept(disk, layout, findings, work, pending)
    except OSError as error:  # a link in the place of a segment, a file that went meanwhile: what is behind is unseen
        path = Path(str(error.filename)) if error.filename else layout.root
        problem = f"cannot be read: {error.strerror or error}"
        findings.add(path, problem, "error", "what depends on it was not looked at", Remedy.NONE)
    return findings


def _is_ours(disk: Disk, layout: Layout, findings: Findings) -> bool:
    standing = classify(disk, layout)
    if standing in (Standing.MISSING, Standing.EMPTY):
        hint = "the first start fills it"
        findings.add(layout.root, f"the directory is {standing.value}", "info", hint)
        return False
    if standing in (Standing.FOREIGN, Standing.NOT_A_DIRECTORY):
        findings.add(layout.root, "this is no state directory", "error", "name another one with --state-path")
        return False
    if is_version_1(disk, layout):
        hint = "the next start, or `perdure migrate`, makes it version 2"
        findings.add(layout.state, "version 1", "info", hint)
        return False
    return True


def _is_readable(disk: Disk, layout: Layout) -> bool:
    """Whether each directory that is there is one."""
    places = (layout.journal, layout.tasks, layout.sessions, layout.logs, layout.reports, layout.archive)
    return all(not disk.exists(place) or stat.S_ISDIR(disk.lstat(place).st_mode) for place in places)


def _pending(behind: Behind) -> frozenset[str]:
    """Return the ids of rows, and the names of logs, whose files the next start still writes."""
    texts = [name for name, _offset, _data in behind.texts]
    spills = [name for name, _first, _entries in (*behind.leaving_spills, *behind.spills)]
    moved = [*behind.archived_tasks, *behind.archived_runs]
    return frozenset([*behind.tasks, *moved, *behind.sessions, *behind.reports, *texts, *spills])


def _check_snapshots(disk: Disk, layout: Layout, findings: Findings) -> Replayed | None:
    """Check every snapshot; return the state that the next start would find, None when it would refuse."""
    image = read_snapshot(disk, layout.state)
    if image.problem is Problem.NEWER:
        findings.add(layout.state, str(image.problem), "error", "use the newer Perdure that wrote it")
    elif image.problem is not None:
        problem = f"{image.problem} ({image.detail})" if image.detail else str(image.problem)
        findings.add(layout.state, problem, "error", _FALLBACK, Remedy.RECOVER)
    for backup in layout.backups(disk):
        findings.count("backups", 1)
        found = read_snapshot(disk, backup.path)
        if found.problem is not None:
            hint = "it cannot be fallen back on; `perdure save` makes more"
            findings.add(backup.path, str(found.problem), "warning", hint, Remedy.SET_ASIDE)
        elif found.seq != backup.seq:
            problem = f"it holds the state as of {found.seq}, and its name says {backup.seq}"
            findings.add(backup.path, problem, "warning", "somebody renamed it", Remedy.SET_ASIDE)
    _check_identity(disk, layout, image, findings)
    try:
        return read_state(disk, layout)
    except IncompatibleVersion as error:
        findings.add(layout.root, error.message, "error", error.hint)
        return None


def _check_identity(disk: Disk, layout: Layout, image: SnapshotImage, findings: Findings) -> None:
    identity = read_identity(disk, layout)
    if isinstance(identity, str):
        findings.add(layout.identity, identity, "warning", "state.json holds a copy", Remedy.RECOVER)
        return
    known = image.header.get("identity") if image.whole else None
    if isinstance(known, dict) and known and known.get("daemon_id") != identity["daemon_id"]:
        problem = f"state.json is of another directory, {known.get('daemon_id')}"
        findings.add(layout.identity, problem, "warning", "every snapshot takes this one over", Remedy.SAVE)
