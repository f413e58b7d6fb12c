"""Checking what was set aside: the archive's leavings and daily snapshots, and the reports of the quarantine.

A leaving that was cut short (no `row.archived` yet) is finished by the next start, when the journal still says that it
is to be done; so it is no finding while that is due.
"""

from __future__ import annotations

import stat
from pathlib import Path

from actors.model.errors import UNDECODABLE
from actors.model.tables import any_row
from actors.storage.archive import ROW, ROW_BYTES_MAX, Kind
from actors.storage.files import TEMPORARY_MARK, Disk
from actors.storage.findings import Findings
from actors.storage.layout import Layout
from actors.storage.quarantine import REPORT
from actors.storage.quarantine_reports import pieces, read_report, size_bytes
from actors.storage.remedies import Remedy
from actors.storage.snapshot_reader import read_snapshot
from actors.storage.survey import Survey
from actors.storage.work import Work


def verify_kept(disk: Disk, layout: Layout, findings: Findings, work: Work, pending: frozenset[str]) -> None:
    """Check archive and quarantine; `pending` are the ids whose files are still to be moved."""
    work.begin("archive and quarantine")
    kinds: tuple[Kind, ...] = ("tasks", "sessions", "runs", "reports")
    for kind in kinds:
        for row_id in _names(disk, layout.archive / kind):
            work.step()
            if row_id not in pending:
                _check_leavings(disk, layout.archive / kind / row_id, kind, findings)
    for name in _names(disk, layout.archive / "snapshots"):
        path = layout.archive / "snapshots" / name
        image = read_snapshot(disk, path)
        findings.count("base_snapshots", 1)
        if image.problem is not None:
            findings.add(path, str(image.problem), "warning", "`restore` cannot begin from it", Remedy.SET_ASIDE)
    for name in _names(disk, layout.quarantine):
        directory = layout.quarantine / name
        if stat.S_ISDIR(disk.lstat(directory).st_mode):
            findings.count("quarantines", 1)
            _check_quarantine(disk, directory, findings)
        else:
            findings.add(directory, "lies in no quarantine of its own", "info", "look at it", Remedy.SET_ASIDE)


def read_losses(disk: Disk, layout: Layout) -> frozenset[tuple[str, str]]:
    """Return (file, problem) of every loss that a repair has put on record."""
    losses: set[tuple[str, str]] = set()
    for name in _names(disk, layout.quarantine):
        report = read_report(disk, layout.quarantine / name / REPORT)
        lost = report.get("lost") if isinstance(report, dict) else None
        for one in lost if isinstance(lost, list) else ():
            if isinstance(one, dict):
                losses.add((str(one.get("source")), str(one.get("problem"))))
    return frozenset(losses)


def _check_leavings(disk: Disk, folder: Path, kind: Kind, findings: Findings) -> None:
    for name in _names(disk, folder):
        path = folder / name
        if not name.isdigit():
            if TEMPORARY_MARK in name:
                findings.add(path, "left by a crash under a temporary name", "info", "it means nothing", Remedy.DISCARD)
            elif kind == "sessions" and name.endswith(".jsonl"):
                _check_lines(disk, path, findings)
            continue
        findings.count("leavings", 1)
        there = _names(disk, path)
        if ROW not in there:
            findings.add(
                path,
                f"a leaving without {ROW}: it never ended",
                "info",
                "what it holds is where it was, too",
                Remedy.SET_ASIDE,
            )
            continue
        problem = _problem_of_row(disk, path / ROW, kind)
        if problem is not None:
            hint = "it cannot be brought back with this row"
            findings.add(path / ROW, problem, "error", hint, Remedy.SET_ASIDE)
        for file in there if kind == "sessions" else ():
            if file.endswith(".jsonl"):
                _check_lines(disk, path / file, findings)


def _check_lines(disk: Disk, path: Path, findings: Findings) -> None:
    try:
        survey = Survey.of(disk.read_range(path, 0, disk.lstat(path).st_size))
    except OSError as error:
        findings.add(path, error.strerror or str(error), "error", "look at the file", Remedy.SET_ASIDE)
        return
    for bad in survey.rejected:
        findings.add(path, f"line {bad.line}: {bad.reason}: {bad.excerpt}", "error", "passed over", Remedy.HEAL)


def _problem_of_row(disk: Disk, path: Path, kind: Kind) -> str | None:
    try:
        any_row(kind, disk.read_file(path, ROW_BYTES_MAX, links_max=2))
    except OSError as error:
        return error.strerror or str(error)
    except UNDECODABLE as error:
        return f"no row: {error}"
    return None


def _check_quarantine(disk: Disk, directory: Path, findings: Findings) -> None:
    """The report lists each piece with its size. A piece that it does not list was kept the moment before a crash."""
    there, path = pieces(disk, directory), directory / REPORT
    report = read_report(disk, path)
    if isinstance(report, str):
        findings.add(path, report, "info" if report == "missing" else "warning", "the pieces are there", Remedy.REPORT)
        return
    listed = {str(item.get("file")): item for item in report["items"]}
    for name, item in listed.items():
        if name not in there:
            findings.add(directory / name, "listed and not there", "warning", "somebody took it away", Remedy.REPORT)
        elif size_bytes(disk, directory / name) not in (None, item.get("bytes")):
            findings.add(directory / name, "its size is not the one listed", "warning", "look at it", Remedy.REPORT)
    for name in there:
        if name not in listed:
            findings.add(directory / name, "not listed in report.json", "info", "kept before a crash", Remedy.REPORT)


def _names(disk: Disk, directory: Path) -> list[str]:
    try:
        return disk.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
