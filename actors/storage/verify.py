"""Checking everything on disk without changing it: `state.verify` and `perdure doctor`.

The same readers look as in recovery, so what they would reject is told before it is needed. While the store is open,
files are read before the journal, and what lies beyond the newest acknowledged line is not looked at: what is being
written at the moment is no finding.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Final

from actors.model.errors import IncompatibleVersion
from actors.model.state import Tables
from actors.storage.files import DIRECTORY_MODE, FILE_MODE, TEMPORARY_MARK, Disk
from actors.storage.findings import Findings, Severity
from actors.storage.identity import read_identity
from actors.storage.journal_scan import Scan
from actors.storage.layout import DIRECTORIES, Layout, Standing, classify
from actors.storage.migrations import is_version_1
from actors.storage.peek import read_tables
from actors.storage.snapshot_reader import Problem, read_snapshot
from actors.storage.verify_files import read_files, verify_files

_START: Final = "the next start puts it right and keeps the damaged bytes in quarantine/"


def verify_directory(disk: Disk, layout: Layout, *, durable_seq: int | None = None) -> dict[str, Any]:
    """Check the directory and return {ok, findings: [{file, problem, severity, hint}…], omitted, counts}.

    `durable_seq` is the newest acknowledged line of an open store, None when nobody has it open. Raises OSError only
    when the disk cannot be asked at all.
    """
    findings = Findings(layout)
    if not _is_ours(disk, layout, findings):
        return findings.as_mapping()
    _check_temporaries(disk, layout, findings, is_open=durable_seq is not None)
    _check_modes(disk, layout, findings)
    files = read_files(disk, layout)
    tables = _check_snapshots(disk, layout, findings)
    if tables is not None:
        _check_journal(disk, layout, findings, durable_seq)
        verify_files(files, tables, findings, is_open=durable_seq is not None)
    return findings.as_mapping()


def _is_ours(disk: Disk, layout: Layout, findings: Findings) -> bool:
    standing = classify(disk, layout)
    if standing in (Standing.MISSING, Standing.EMPTY):
        findings.add(layout.root, f"the directory is {standing.value}", "info", "the first start fills it")
        return False
    if standing in (Standing.FOREIGN, Standing.NOT_A_DIRECTORY):
        findings.add(layout.root, "this is no state directory", "error", "name another one with --state-path")
        return False
    if is_version_1(disk, layout):
        findings.add(layout.state, "version 1", "info", "the next start, or `perdure migrate`, makes it version 2")
        return False
    return True


def _check_temporaries(disk: Disk, layout: Layout, findings: Findings, *, is_open: bool) -> None:
    """Files under temporary names are what a crash left; in an open store those of this process are in the making."""
    in_the_making = f"{TEMPORARY_MARK}{os.getpid()}-"
    for path in layout.temporaries(disk):
        if not (is_open and in_the_making in path.name):
            findings.add(path, "left by a crash under a temporary name", "info", "the next start removes it")


def _check_modes(disk: Disk, layout: Layout, findings: Findings) -> None:
    """Directories are 0700, files 0600, nothing is a link; the socket is not ours to judge."""
    _check_mode(disk, layout.root, findings, DIRECTORY_MODE)
    for directory in (layout.root, *(layout.root / name for name in DIRECTORIES)):
        if not disk.exists(directory):
            findings.add(directory, "the directory is missing", "warning", "the next start makes it")
            continue
        for name in disk.listdir(directory):
            path = directory / name
            mode = disk.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                findings.add(path, "a symbolic link", "warning", "Perdure follows no links: remove it")
            elif stat.S_ISDIR(mode):
                _check_mode(disk, path, findings, DIRECTORY_MODE)
            elif stat.S_ISREG(mode):
                findings.count("files", 1)
                findings.count("bytes", disk.lstat(path).st_size)
                _check_mode(disk, path, findings, FILE_MODE)


def _check_mode(disk: Disk, path: Path, findings: Findings, allowed: int) -> None:
    mode = stat.S_IMODE(disk.lstat(path).st_mode)
    if mode & ~allowed & 0o077:  # of a file: harmless as long as nobody else gets through the directories
        severity: Severity = "warning" if allowed == DIRECTORY_MODE else "info"
        findings.add(path, f"others may use it: mode {mode:04o}", severity, f"chmod {allowed:o} {path}")


def _check_snapshots(disk: Disk, layout: Layout, findings: Findings) -> Tables | None:
    """Check every snapshot; return the state that the next start would find, None when it would refuse."""
    image = read_snapshot(disk, layout.state)
    if image.problem is not None:
        hint = "use the newer Perdure that wrote it" if image.problem is Problem.NEWER else _START
        findings.add(
            layout.state, f"{image.problem} ({image.detail})" if image.detail else str(image.problem), "error", hint
        )
    for backup in layout.backups(disk):
        findings.count("backups", 1)
        problem = read_snapshot(disk, backup.path).problem
        if problem is not None:
            findings.add(backup.path, str(problem), "warning", "it cannot be fallen back on; `perdure save` makes more")
    identity = read_identity(disk, layout)
    if isinstance(identity, str):
        findings.add(layout.identity, identity, "warning", "the next start writes it anew from state.json")
    try:
        return read_tables(disk, layout)
    except IncompatibleVersion as error:
        findings.add(layout.root, error.message, "error", error.hint)
        return None


def _check_journal(disk: Disk, layout: Layout, findings: Findings, durable_seq: int | None) -> None:
    segments = layout.segments(disk)
    begin_seq = segments[0].first_seq - 1 if segments else 0
    scan = Scan(disk, layout, begin_seq)
    lines = sum(1 for _ in scan)
    report = scan.report
    findings.count("journal_segments", len(segments))
    findings.count("journal_lines", lines)
    for damage in report.damages:
        problem = f"line {damage.line}: {damage.reason}: {damage.excerpt}"
        findings.add(damage.path, problem, "error", "what the other lines and files hold is kept; " + _START)
    for first, last in report.missing:
        findings.add(layout.journal, f"the lines {first} to {last} are missing", "error", _START)
    torn = report.torn
    if torn is not None and (durable_seq is None or report.next_seq <= durable_seq):
        problem = f"ends in the middle of line {torn.line}: {torn.reason}"
        findings.add(torn.path, problem, "info", "it was never acknowledged; the next start cuts it")
    for backup in layout.backups(disk):
        if backup.seq < begin_seq:
            problem = f"the journal begins at {begin_seq + 1}: it does not lead from here to the present"
            findings.add(backup.path, problem, "warning", "keep it to look at; do not fall back on it")
