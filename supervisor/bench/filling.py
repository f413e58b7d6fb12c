"""Directories with many tasks, made without a command for each: the state that so many commands would have left.

A Perdure makes one task and stops; then its snapshot is written anew, by the storage's own writer, with that task's row
under as many ids as are wanted. The readable files of the tasks are names of a few real files (creating them all would
take longer than everything that is measured; what a start looks at, and what a new file is put among, are the names).
Tasks that are made afterwards are real in every respect, and so is everything that is written from then on.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from actors.storage.directory_lock import locked
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from actors.storage.settings import StorageSettings
from actors.storage.snapshot import SnapshotHeader, SnapshotWriter
from actors.storage.snapshot_form import SEALED_MEMBERS
from actors.storage.snapshot_reader import SnapshotImage, read_snapshot

MODEL: Final = "model-0000000"
"""The task that the rows are made from; theirs are as long."""

LINKS_MAX: Final = 30_000
"""Names of one file: about half of what ext4 allows."""

Told = Callable[[int], None]
"""Hears how many rows are written."""

TOLD_EVERY: Final = 50_000


def multiply(state_path: Path, tasks: int, told: Told) -> None:
    """Let the one task of a stopped directory, MODEL, be so many. Raises OSError; RuntimeError when it is not alone."""
    disk, layout = Disk(), Layout(state_path)
    image = read_snapshot(disk, layout.state)
    rows = image.sections["tasks"]
    if not image.whole or len(rows) != 1:
        raise RuntimeError(f"{layout.state} is not the snapshot of one task: {image.problem or len(rows)}")
    with locked(disk, layout, "bench", str(image.header["last_saved"])):
        _write(disk, layout, image, _copies(rows[0], tasks, told), tasks)
    _name_files(layout, tasks)


def _copies(row: bytes, tasks: int, told: Told) -> Iterator[bytes]:
    before, found, after = row.partition(b'"id":"%b"' % MODEL.encode())
    if not found:
        raise RuntimeError(f"the row of {MODEL} has another form: {row[:80]!r}")
    for number in range(tasks):
        if number % TOLD_EVERY == 0:
            told(number)
        yield b'%b"id":"%b"%b' % (before, _id(number).encode(), after)


def _id(number: int) -> str:
    return MODEL if number == 0 else f"{MODEL[:-7]}{number:07d}"


def _write(disk: Disk, layout: Layout, image: SnapshotImage, rows: Iterator[bytes], tasks: int) -> None:
    """Write the image with these rows in the place of its tasks; all the rest, the seq too, as it is."""
    encode = msgspec.json.encode
    members = {name: encode(image.header[name]) for name in SEALED_MEMBERS}
    members["metrics"] = encode({**image.header["metrics"], "total_tasks": tasks})
    header = SnapshotHeader(
        seq=image.seq, epoch=image.header["epoch"], last_saved=image.header["last_saved"], **members
    )
    writer = SnapshotWriter(disk, layout, header, Quarantine(disk, layout, "filled"))
    try:
        for section, records in image.sections.items():
            writer.write(section, rows if section == "tasks" else records)
    except BaseException:
        writer.abort()
        raise
    disk.unlink(layout.state)  # kept as a backup it would be another state of the same seq
    writer.finish(StorageSettings().backups_kept)


def _name_files(layout: Layout, tasks: int) -> None:
    """Give each task's file its name; the model's own file keeps the one it has."""
    model = source = layout.task_file(MODEL)
    for number in range(1, tasks):
        name = layout.task_file(_id(number))
        if number % LINKS_MAX == 1 or not _linked(source, name):
            shutil.copy(model, name)
            source = name


def _linked(source: Path, name: Path) -> bool:
    try:
        os.link(source, name)
    except OSError as error:
        if error.errno != errno.EMLINK:
            raise
        return False
    return True
