"""
`logs/perdure.log`: one file of lines, rotated by size, written by the root process alone.

Why not the standard library's rotating handler: it follows links, leaves the mode to the umask, and raises into the
code that logs. Here the directory and the file are opened without following links, a file with a second name is refused
(somebody planted it), the mode is 0600, and a failing disk never disturbs who logs: the line is lost, counted, and the
count is written as soon as the disk takes lines again. The log is not synced: it explains, it promises nothing.

Rotation: `perdure.log` becomes `perdure.log.1`, `.1` becomes `.2`, and so on; the oldest is removed. The renames run
from the oldest to the newest, so that an interrupted rotation leaves a gap in the numbers and never loses a file.
"""

import contextlib
import errno
import os
import stat
import threading
from pathlib import Path

import attrs
import msgspec
import orjson

from supervisor.masking import mask_text

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

LINE_BYTES_MAX = 256 * 1024
"""Of a longer line only the beginning is kept: no single message may fill the log."""


_NOT_A_FILE = (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR)
"""What open gives for a link (the BSDs: EMLINK), a pipe nobody reads, a directory."""


class LogRefused(OSError):
    """The log cannot be opened safely; `strerror` says why, `filename` which file."""


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """When a log is rotated and what is kept."""

    rotate_bytes: int
    rotated_kept: int


@attrs.define
class LogFile:
    """
    An open log. Safe to use from several threads; `write` never raises.

    Made by `open_log`; closed by `close`, after which lines are counted as lost.
    """

    path: Path
    rotation: Rotation
    """May be replaced at any time; holds from the next line on."""

    _directory: int
    _file: int | None
    _bytes: int
    _lines_lost: int = 0
    _torn: bool = False
    """The last line is there in part only, and not ended."""

    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    @property
    def lines_lost(self) -> int:
        """Lines lost since the last one that could be written."""
        return self._lines_lost

    def write(self, line: bytes) -> None:
        """Append one line, given without its line feed."""
        if len(line) > LINE_BYTES_MAX:
            line = _wrapped("a line too long for the log", "perdure", line[:LINE_BYTES_MAX], len(line))
        with self._lock:
            try:
                self._append(line + b"\n")
            except OSError:
                self._lines_lost += 1

    def close(self) -> None:
        """Close what is open. Closing twice is fine."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
            if self._directory >= 0:
                os.close(self._directory)
                self._directory = -1

    def _append(self, data: bytes) -> None:
        if self._directory < 0:
            raise OSError("the log is closed")
        if self._lines_lost:
            data = b'{"level":"warning","event":"log lines lost","lines":%d}\n' % self._lines_lost + data
        if self._torn:
            data = b"\n" + data
        if self._file is not None and self._bytes and self._bytes + len(data) > self.rotation.rotate_bytes:
            self._rotate(self._file)
        if self._file is None:
            self._file, self._bytes = _open_file(self.path, self._directory)
        written = os.write(self._file, data)
        self._bytes += written
        self._torn = written < len(data)
        self._lines_lost = self._lines_lost + 1 if self._torn else 0

    def _rotate(self, file: int) -> None:
        self._file = None
        os.close(file)
        name, kept = self.path.name, self.rotation.rotated_kept
        numbers = sorted((int(rest) for rest in _numbers(self._directory, name)), reverse=True)
        for number in numbers:
            if number >= kept:
                os.unlink(f"{name}.{number}", dir_fd=self._directory)
            else:
                self._rename(f"{name}.{number}", f"{name}.{number + 1}")
        if kept:
            self._rename(name, f"{name}.1")
        else:
            os.unlink(name, dir_fd=self._directory)

    def _rename(self, old: str, new: str) -> None:
        os.rename(old, new, src_dir_fd=self._directory, dst_dir_fd=self._directory)


def open_log(path: Path, rotation: Rotation) -> LogFile:
    """
    Open the log at `path`, making the last directory of it if need be.

    Raises LogRefused for a link, a file that is no regular file or has a second name; OSError when the disk refuses.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(path.parent, DIRECTORY_MODE)
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except NotADirectoryError as error:
        raise LogRefused(error.errno, "is a link or no directory", str(path.parent)) from None
    try:
        file, length = _open_file(path, directory)
    except BaseException:
        os.close(directory)
        raise
    return LogFile(path=path, rotation=rotation, directory=directory, file=file, bytes=length)


def relayed(line: bytes, sender: str) -> bytes:
    """
    What a child process wrote on its standard error, as a line for the log.

    Its own structured lines (JSON objects, masked where they were made) pass as they are; anything else (a traceback, a
    library's print) is wrapped, masked, and attributed to `sender`.
    """
    with contextlib.suppress(orjson.JSONDecodeError):
        if isinstance(orjson.loads(line), dict):
            return line
    return _wrapped("stderr", sender, line[:LINE_BYTES_MAX], len(line))


def _wrapped(event: str, sender: str, text: bytes, length: int) -> bytes:
    shown = mask_text(text.decode(errors="replace"))
    return orjson.dumps({"level": "warning", "logger": sender, "event": event, "bytes": length, "text": shown})


def _open_file(path: Path, directory: int) -> tuple[int, int]:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        file = os.open(path.name, flags, FILE_MODE, dir_fd=directory)
    except OSError as error:
        if error.errno in _NOT_A_FILE:
            raise LogRefused(error.errno, "is a link or no regular file", str(path)) from None
        raise
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(file)
        raise LogRefused(errno.EEXIST, "is no regular file or has a second name", str(path))
    os.fchmod(file, FILE_MODE)
    return file, found.st_size


def _numbers(directory: int, name: str) -> list[str]:
    rotated = (entry.removeprefix(f"{name}.") for entry in os.listdir(directory) if entry.startswith(f"{name}."))
    return [rest for rest in rotated if rest.isascii() and rest.isdigit()]
