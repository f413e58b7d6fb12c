"""Checking names, kinds, modes and links of everything in the directory, without looking into any file.

What has a place: the names of `layout`, and in each directory those that its writer gives. In `quarantine/`, `archive/`
and `spool/` others decide about names (`verify_kept` looks at the first two); links in quarantine are what was set
aside. A file may have two names inside the directory (a snapshot that is its own backup, a file on its way to the
archive); one that has a name outside could be changed from there.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import Factory, define

from actors.storage.files import DIRECTORY_MODE, FILE_MODE, TEMPORARY_MARK, Disk
from actors.storage.findings import Findings, Severity
from actors.storage.layout import DIRECTORIES, Layout
from actors.storage.remedies import Remedy
from actors.storage.work import Work

_ROOT: Final = re.compile(
    r"state\.json|identity\.json|fallback\.json|writer\.lock|perdure\..+|state\.backup\.\d{8}T\d{6}\.\d{6}Z\.\d{1,20}\.json"
    r"|state\.pre-migration\.backup\.json|state\.migration-v1-to-v2\.log|lost\+found"
)
_NAMES: Final = {
    "journal": re.compile(r"\d{20}\.jsonl"),
    "tasks": re.compile(r"[^.].*\.json"),
    "sessions": re.compile(r"[^.].*\.jsonl|sessions\.json|search\.sqlite(-wal)?"),
    "logs": re.compile(r"session_.+\.log|task_.+\.log|run_.+\.(stdout|stderr)\.log|perdure\.log(\.\d+)?|service_.+"),
    "reports": re.compile(r"report_.+\.json"),
    "archive": re.compile(
        r"tasks|sessions|runs|reports|snapshots|pre-migration|migrating|rolling-back|rolled-back-.+|restored-.+"
    ),
}
"""Directory → the names that have a place in it; in a directory that is not here every name has."""


@define
class _Names:
    """Files with several names: how many there are, and which of them we have met."""

    there: dict[tuple[int, int], int] = Factory(dict)
    met: dict[tuple[int, int], list[Path]] = Factory(dict)

    def meet(self, path: Path, seen: os.stat_result) -> None:
        inode = (seen.st_dev, seen.st_ino)
        self.there[inode] = seen.st_nlink
        self.met.setdefault(inode, []).append(path)


def verify_places(disk: Disk, layout: Layout, findings: Findings, work: Work, *, is_open: bool) -> None:
    """Look at every name in the directory. What comes and goes meanwhile is passed over."""
    names = _Names()
    work.begin("names")
    _check_mode(disk, layout.root, findings)
    for path, seen in _entries(disk, layout.root):
        if stat.S_ISDIR(seen.st_mode) and path.name in DIRECTORIES:
            _check_mode(disk, path, findings)
        elif path.name in DIRECTORIES:
            findings.add(path, "not a directory", "error", "Perdure keeps files in it", Remedy.CLEAR)
        else:
            _check_entry(path, seen, findings, names, is_placed=bool(_ROOT.fullmatch(path.name)), is_open=is_open)
    for name in DIRECTORIES:
        directory = layout.root / name
        if not disk.exists(directory):
            findings.add(directory, "the directory is missing", "warning", "every start makes it", Remedy.RECOVER)
        elif stat.S_ISDIR(disk.lstat(directory).st_mode):
            _check_directory(disk, directory, findings, names, work, is_open=is_open)
    _judge_names(layout, names, findings)


def _judge_names(layout: Layout, names: _Names, findings: Findings) -> None:
    """A file that is in use may share its bytes with a backup, or with the archive on its way there; nothing else."""
    for inode, paths in names.met.items():
        used = [path for path in paths if not path.is_relative_to(layout.quarantine)]
        written = [path for path in used if path.parent.name in _NAMES and path.parent != layout.archive]
        if used and (names.there[inode] > len(paths) or len(written) > 1):
            problem = f"has {names.there[inode]} names (hard links): it can be changed by another one"
            findings.add((written or used)[0], problem, "error", "Perdure refuses to write it", Remedy.OWN_FILE)


def _check_directory(
    disk: Disk, directory: Path, findings: Findings, names: _Names, work: Work, *, is_open: bool
) -> None:
    placed = _NAMES.get(directory.name)
    for path, seen in _entries(disk, directory):
        work.step()
        if directory.name == "quarantine":
            _check_quarantined(disk, path, seen, findings, names)
            continue
        is_placed = placed is None or bool(placed.fullmatch(path.name))
        is_tree = stat.S_ISDIR(seen.st_mode) and directory.name in ("archive", "spool")
        if is_tree and is_placed:
            _check_tree(disk, path, findings, names, work)
        else:
            _check_entry(path, seen, findings, names, is_placed=is_placed, is_open=is_open)


def _check_entry(
    path: Path, seen: os.stat_result, findings: Findings, names: _Names, *, is_placed: bool, is_open: bool
) -> None:
    if path.name == "lost+found" or (path.name == "perdure.sock" and stat.S_ISSOCK(seen.st_mode)):
        return
    if TEMPORARY_MARK in path.name and stat.S_ISREG(seen.st_mode):
        in_the_making = f"{TEMPORARY_MARK}{os.getpid()}-"
        if not (is_open and (in_the_making in path.name or path.name.startswith("perdure"))):
            findings.add(
                path, "left by a crash under a temporary name", "info", "the next start removes it", Remedy.DISCARD
            )
    elif stat.S_ISLNK(seen.st_mode):
        findings.add(path, "a symbolic link", "warning", "Perdure follows no links", Remedy.CLEAR)
    elif not stat.S_ISREG(seen.st_mode):
        kind = "a directory" if stat.S_ISDIR(seen.st_mode) else "not a regular file"
        severity: Severity = "error" if is_placed else "warning"
        findings.add(path, f"{kind}, where only files belong", severity, "look at it", Remedy.CLEAR)
    elif not is_placed:
        findings.add(path, "belongs to nothing here", "warning", "keep your own files elsewhere", Remedy.CLEAR)
    else:
        _check_file(path, seen, findings, names)


def _check_file(path: Path, seen: os.stat_result, findings: Findings, names: _Names) -> None:
    findings.count("files", 1)
    findings.count("bytes", seen.st_size)
    _judge_mode(path, seen, findings, FILE_MODE)
    if seen.st_nlink > 1:
        names.meet(path, seen)


def _check_tree(disk: Disk, directory: Path, findings: Findings, names: _Names, work: Work) -> None:
    """Look through a part of the archive or the spool: only kinds, modes and links."""
    _check_mode(disk, directory, findings)
    for path, seen in _entries(disk, directory):
        work.step()
        if stat.S_ISDIR(seen.st_mode):
            _check_tree(disk, path, findings, names, work)
        elif stat.S_ISREG(seen.st_mode):
            _check_file(path, seen, findings, names)
        else:
            findings.add(path, "a link, or not a file", "warning", "Perdure follows no links", Remedy.CLEAR)


def _check_quarantined(disk: Disk, path: Path, seen: os.stat_result, findings: Findings, names: _Names) -> None:
    """What lies in quarantine may be anything; others must not get at it, and its names count."""
    if stat.S_ISDIR(seen.st_mode):
        if path.parent.name == "quarantine":
            _check_mode(disk, path, findings)
        for below, status in _entries(disk, path):
            _check_quarantined(disk, below, status, findings, names)
    elif stat.S_ISREG(seen.st_mode) and seen.st_nlink > 1:
        names.meet(path, seen)


def _check_mode(disk: Disk, path: Path, findings: Findings) -> None:
    _judge_mode(path, disk.lstat(path), findings, DIRECTORY_MODE)


def _judge_mode(path: Path, seen: os.stat_result, findings: Findings, allowed: int) -> None:
    mode = stat.S_IMODE(seen.st_mode)
    if mode & allowed != allowed:
        problem = f"Perdure itself may not use it: mode {mode:04o}"
        findings.add(path, problem, "warning", f"chmod {allowed:o} {path}", Remedy.MODE)
    elif mode & ~allowed & 0o077:  # of a file: harmless as long as nobody else gets through the directories
        problem = f"others may use it: mode {mode:04o}"
        severity: Severity = "warning" if allowed == DIRECTORY_MODE else "info"
        findings.add(path, problem, severity, f"chmod {allowed:o} {path}", Remedy.MODE)


def _entries(disk: Disk, directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is in a directory; what goes meanwhile (the root's rotated log) is left out."""
    try:
        names = disk.listdir(directory)
    except FileNotFoundError:
        return
    for name in names:
        try:
            yield directory / name, disk.lstat(directory / name)
        except FileNotFoundError:
            continue
