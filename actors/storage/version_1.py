"""Whether a directory is version 1's: every start asks, so that what migrates one is loaded only where there is one."""

from __future__ import annotations

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.standing import Standing, classify, read_version


def is_version_1(disk: Disk, layout: Layout) -> bool:
    """Tell whether the directory is version 1's, also while its state.json is damaged and locks mark it as ours."""
    standing = classify(disk, layout)
    if standing not in (Standing.VERSION_1, Standing.OURS):
        return False
    if disk.exists(layout.identity) or layout.segments(disk) or layout.backups(disk):
        return False  # an old state.json in a directory of version 2 is no way back: `rollback` is
    version = read_version(disk, layout.state)
    if version is not None:
        return version < (2, 0) and standing is Standing.VERSION_1
    if disk.exists(layout.pre_migration_copy) or layout.backups_v1(disk):
        return True
    return standing is Standing.VERSION_1 and not _has_revs(disk, layout)


def _has_revs(disk: Disk, layout: Layout) -> bool:
    """Tell whether the task files are those of version 2, of which everything else was removed."""
    from actors.storage.migration_source import read_source  # noqa: PLC0415  only where all else is gone

    files = read_source(disk, layout).old.task_files
    return any("rev" in members for members in files.values())
