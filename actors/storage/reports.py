"""reports/report_<id>.json: one readable file per report, `{id, created_at, data}`, indented.

The row in the journal is the truth until its file is durable; then the file is, and rows keep only id and size.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import orjson

from actors.storage.codec import excerpt
from actors.storage.files import Disk
from actors.storage.json_record import parsed
from actors.storage.layout import Layout

REPORT_BYTES_MAX: Final = 64 << 20
"""Beyond any report (a frame has 16 MiB, indenting may treble it); a longer file is not read."""

_PREFIX: Final = "report_"
_SUFFIX: Final = ".json"


class UnreadableReport(msgspec.Struct, frozen=True):
    """A report's file that cannot be read as one; it stays where it is."""

    report_id: str
    reason: str
    excerpt: str


class Reports:
    """The reports' files. For one thread. Every OSError goes out; the same call may be repeated."""

    def __init__(self, disk: Disk, layout: Layout) -> None:
        self._disk = disk
        self._layout = layout

    def write(self, report_id: str, report: bytes) -> None:
        """Put the report's file in place, durably, replacing what was there; `report` is `{id, created_at, data}`."""
        text = orjson.dumps(orjson.loads(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        self._disk.write_new_file(self._layout.report_file(report_id), text)

    def read(self, report_id: str) -> bytes | UnreadableReport | None:
        """Return the report as compact JSON; None when there is none."""
        try:
            content = self._disk.read_file(self._layout.report_file(report_id), REPORT_BYTES_MAX)
        except FileNotFoundError:
            return None
        except OSError as error:
            return UnreadableReport(report_id, error.strerror or str(error), "")
        report = _parsed(content, report_id)
        if isinstance(report, str):
            return UnreadableReport(report_id, report, excerpt(content))
        return msgspec.json.encode(report)

    def ids(self) -> list[str]:
        """List the reports that have a file, sorted."""
        try:
            names = self._disk.listdir(self._layout.reports)
        except FileNotFoundError:
            return []
        found = [name for name in names if name.startswith(_PREFIX) and name.endswith(_SUFFIX)]
        return [name.removeprefix(_PREFIX).removesuffix(_SUFFIX) for name in found]


def _parsed(content: bytes, report_id: str) -> dict[str, Any] | str:
    report = parsed(content, report_id)
    if isinstance(report, str) or "data" in report:
        return report
    return "it has no data"
