"""spool/: what the session hook leaves while nobody answers, one file per sighting, `<UTC stamp>-<random>.json`.

The hook writes a file beside its place and renames it, so a file that has its name is whole. It is read here, removed
when what it says is durable, and set aside when it says nothing that can be understood.
"""

from __future__ import annotations

import contextlib
import re
from typing import Final

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine

FILE_BYTES_MAX: Final = 4 << 20
"""A sighting has a few kilobytes."""

_NAME: Final = re.compile(r"[0-9A-Za-z.-]{1,100}\.json")


class Spool:
    """For one thread. Every OSError goes out; the same call may be repeated."""

    def __init__(self, disk: Disk, layout: Layout, quarantine: Quarantine) -> None:
        self._disk = disk
        self._layout = layout
        self._quarantine = quarantine

    def read(self, files_max: int) -> list[tuple[str, bytes]]:
        """Return the oldest files, (name, content); what cannot be read is set aside."""
        found: list[tuple[str, bytes]] = []
        for name in sorted(self._names())[:files_max]:
            try:
                found.append((name, self._disk.read_file(self._layout.spool / name, FILE_BYTES_MAX)))
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                self.set_aside(name, f"it cannot be read: {error}")
        return found

    def remove(self, name: str) -> None:
        """Remove a file whose content is durable elsewhere; one that is not there is fine."""
        with contextlib.suppress(FileNotFoundError):
            self._disk.unlink(self._layout.spool / name)
            self._disk.sync_dir(self._layout.spool)

    def set_aside(self, name: str, reason: str) -> None:
        """Move a file into quarantine; one that is not there is fine."""
        with contextlib.suppress(FileNotFoundError):
            self._quarantine.keep_file(self._layout.spool / name, reason)

    def _names(self) -> list[str]:
        try:
            names = self._disk.listdir(self._layout.spool)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [name for name in names if _NAME.fullmatch(name)]
