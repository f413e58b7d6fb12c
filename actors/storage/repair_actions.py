"""What each remedy does to the one path of a finding, while nobody has the store open; see `remedies` for the table.

Each of these may find its work done, by another finding about the same path or by a repair that was cut short.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Final

import msgspec

from actors.storage.files import DIRECTORY_MODE, FILE_MODE, Disk
from actors.storage.findings import Finding
from actors.storage.layout import Layout
from actors.storage.line_files import LineFiles
from actors.storage.open_files import OpenFiles
from actors.storage.quarantine import Quarantine
from actors.storage.quarantine_reports import write_report_anew
from actors.storage.remedies import Remedy
from actors.storage.text_logs import TextLogs

_NAMES_MAX: Final = 1 << 16
"""A planted file may have as many names as a file system gives it: it is only read here."""

_CHUNK_BYTES: Final = 1 << 20


class Place(msgspec.Struct, frozen=True):
    """Where the actions work, and where they put what leaves."""

    disk: Disk
    layout: Layout
    quarantine: Quarantine


def set_aside(place: Place, finding: Finding) -> None:
    """Move it to quarantine."""
    if place.disk.exists(finding.path):
        place.quarantine.keep_file(finding.path, finding.problem)


def give_own_file(place: Place, finding: Finding) -> None:
    """Copy the bytes to a file of our own that takes the name; the other names keep the old one."""
    disk, path = place.disk, finding.path
    descriptor, temporary = disk.create_temporary(path)
    try:
        with disk.opened(path, os.O_RDONLY, links_max=_NAMES_MAX) as source:
            while part := disk.read(source, _CHUNK_BYTES):
                disk.write_all(descriptor, part)
        disk.fsync(descriptor)
        disk.rename(temporary, path)
    except BaseException:
        disk.discard(temporary)
        raise
    finally:
        disk.close(descriptor)
    disk.sync_dir(path.parent)


def mend_mode(place: Place, finding: Finding) -> None:
    """Give it the mode that everything here has."""
    is_directory = stat.S_ISDIR(place.disk.lstat(finding.path).st_mode)
    place.disk.chmod(finding.path, DIRECTORY_MODE if is_directory else FILE_MODE)


def discard(place: Place, finding: Finding) -> None:
    """Remove what means nothing."""
    if place.disk.exists(finding.path):
        place.disk.unlink(finding.path)
        place.disk.sync_dir(finding.path.parent)


def heal(place: Place, finding: Finding) -> None:
    """Put a file of sealed lines together anew from its good ones."""
    files = OpenFiles(place.disk)
    try:
        LineFiles(files, place.quarantine).heal(finding.path)
    finally:
        files.close()


def cut(place: Place, finding: Finding) -> None:
    """Keep what a session's log has too much, then cut it off."""
    files = OpenFiles(place.disk)
    session_id = finding.path.stem.removeprefix("session_")
    try:
        TextLogs(place.layout, files, place.quarantine).settle(session_id, finding.up_to)
    finally:
        files.close()


def write_report(place: Place, finding: Finding) -> None:
    """Let a quarantine's report list what is there."""
    write_report_anew(place.disk, finding.path.parent)


ACTIONS: Final[dict[Remedy, Callable[[Place, Finding], None]]] = {
    Remedy.CLEAR: set_aside,
    Remedy.SET_ASIDE: set_aside,
    Remedy.WRITE_ANEW: set_aside,
    Remedy.FORGET_STATE: set_aside,
    Remedy.OWN_FILE: give_own_file,
    Remedy.MODE: mend_mode,
    Remedy.DISCARD: discard,
    Remedy.HEAL: heal,
    Remedy.CUT: cut,
    Remedy.REPORT: write_report,
}
"""What is not here is done by recovery, by writing files behind the journal, or for the journal as a whole."""
