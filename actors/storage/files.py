"""The only place that touches the disk: one small method per system call, and composites built from them.

Everything that Perdure writes goes through a `Disk`. A test hands in a subclass that records each effect (to build the
directories a power cut could leave) or fails a chosen call; it sees all of it because nothing else here calls `os.*`.

Rules kept by this file:

- Every descriptor is close-on-exec and opened without following a link. A file that is opened to be written must have
  one name only: a planted hard link is refused, like a planted symbolic one, with `LinkRefused`.
- What is created is 0600 (directories 0700) whatever the umask says.
- An OSError goes out as it came, with `filename` set. Nothing is retried here: after a failed fsync the page cache may
  hold clean pages that never reached the disk, and a second fsync would succeed all the same.
- A new name, a rename and a removal are durable only after `sync_dir` of their directory. `write_new_file` does all of
  that; whoever uses the single calls does it himself.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700
TEMPORARY_MARK: Final = ".tmp-"
"""Stands in the name of every file that is not in its place yet; recovery and `clean` remove what a crash left."""

_CHUNK_BYTES: Final = 1 << 20
_TEMPORARY_NAMES_MAX: Final = 10_000  # leftovers of crashed processes with our pid; beyond that somebody plants them


class LinkRefused(OSError):
    """A symbolic link, or a file with more names than Perdure gave it, stands where a plain file must be."""


class Disk:
    """The system calls of Perdure. Stateless but for a counter of temporary names; any thread may use it."""

    def __init__(self) -> None:
        self._temporaries = 0

    # Descriptors

    def open(self, path: Path, flags: int, *, links_max: int = 1) -> int:
        """Open the regular file or directory `path` and return its descriptor; give what is created mode 0600.

        `links_max` is how many names the file may have: 2 for a snapshot that is its own backup at the moment.
        Raises LinkRefused for a symbolic link or too many names, OSError otherwise.
        """
        try:
            descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, FILE_MODE)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise LinkRefused(errno.ELOOP, "a symbolic link is not followed here", str(path)) from error
            raise
        try:
            self._check_opened(descriptor, path, created=bool(flags & os.O_CREAT), links_max=links_max)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    @staticmethod
    def _check_opened(descriptor: int, path: Path, *, created: bool, links_max: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            return
        if not stat.S_ISREG(status.st_mode):
            raise LinkRefused(errno.EINVAL, "not a regular file", str(path))
        if status.st_nlink > links_max:
            raise LinkRefused(errno.EMLINK, f"has {status.st_nlink} names (hard links)", str(path))
        if created and stat.S_IMODE(status.st_mode) != FILE_MODE:
            os.fchmod(descriptor, FILE_MODE)

    def close(self, descriptor: int) -> None:
        """Close the descriptor."""
        os.close(descriptor)

    @contextlib.contextmanager
    def opened(self, path: Path, flags: int, *, links_max: int = 1) -> Iterator[int]:
        """Open `path` for the length of a with-block."""
        descriptor = self.open(path, flags, links_max=links_max)
        try:
            yield descriptor
        finally:
            self.close(descriptor)

    # Writing

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write once at the descriptor's position and return how many bytes were taken; may be fewer than given."""
        return os.write(descriptor, data)

    def pwrite(self, descriptor: int, data: bytes | memoryview, offset: int) -> int:
        """Write once at `offset` and return how many bytes were taken; may be fewer than given."""
        return os.pwrite(descriptor, data, offset)

    def write_all(self, descriptor: int, data: bytes) -> None:
        """Write all of `data` at the descriptor's position, going on after short writes."""
        written = self.write(descriptor, data)
        while written < len(data):
            written += _progress(self.write(descriptor, memoryview(data)[written:]))

    def pwrite_all(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of `data` at `offset`, going on after short writes."""
        written = self.pwrite(descriptor, data, offset)
        while written < len(data):
            written += _progress(self.pwrite(descriptor, memoryview(data)[written:], offset + written))

    def ftruncate(self, descriptor: int, length_bytes: int) -> None:
        """Cut or grow the file to `length_bytes`."""
        os.ftruncate(descriptor, length_bytes)

    def start_writing_out(self, descriptor: int) -> None:
        """Let the kernel begin to write the file's data out; a hint before an fsync, which promises nothing by itself.

        Of many small files that are synced one after the other, each fsync waits for a commit of the file system's own
        journal, because its blocks are allocated only then. When all were begun before, the first one's commit serves
        them all: 64 files took a third of the time. Linux starts the writing on this advice; elsewhere it does nothing.
        """
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def fsync(self, descriptor: int) -> None:
        """Make the file's data and attributes durable."""
        os.fsync(descriptor)

    def fdatasync(self, descriptor: int) -> None:
        """Make the file's data, and the size needed to read it, durable."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(descriptor)
        else:  # macOS has no fdatasync; fsync does more
            os.fsync(descriptor)

    # Reading

    def read(self, descriptor: int, bytes_max: int) -> bytes:
        """Read up to `bytes_max` bytes at the descriptor's position; empty at the end."""
        return os.read(descriptor, bytes_max)

    def pread(self, descriptor: int, bytes_max: int, offset: int) -> bytes:
        """Read up to `bytes_max` bytes at `offset`; empty at the end."""
        return os.pread(descriptor, bytes_max, offset)

    def read_file(self, path: Path, bytes_max: int | None = None, *, links_max: int = 1) -> bytes:
        """Return the first `bytes_max` bytes of the file (all of it when None)."""
        with self.opened(path, os.O_RDONLY, links_max=links_max) as descriptor:
            parts: list[bytes] = []
            left = bytes_max
            while left is None or left > 0:
                part = self.read(descriptor, _CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES))
                if not part:
                    break
                parts.append(part)
                left = None if left is None else left - len(part)
        return b"".join(parts)

    # Names

    def sync_dir(self, path: Path) -> None:
        """Make the names in the directory `path` durable: what was created, linked, renamed and removed there."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            error.filename = str(path)
            raise
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Give the file another name, replacing what has it; one step for everybody who looks."""
        os.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        """Give the file a second name; FileExistsError when that name is taken."""
        os.link(source, target, follow_symlinks=False)

    def unlink(self, path: Path) -> None:
        """Remove the name."""
        os.unlink(path)

    def mkdir(self, path: Path) -> None:
        """Make the directory, mode 0700; FileExistsError when something has that name."""
        os.mkdir(path, DIRECTORY_MODE)
        os.chmod(path, DIRECTORY_MODE)

    def rmdir(self, path: Path) -> None:
        """Remove the empty directory."""
        os.rmdir(path)

    def chmod(self, path: Path, mode: int) -> None:
        """Set the mode of a file or directory that is no link."""
        os.chmod(path, mode)

    # Looking

    def listdir(self, path: Path) -> list[str]:
        """Return the names in the directory, sorted."""
        return sorted(os.listdir(path))

    def names_with(self, path: Path, part: str) -> list[str]:
        """Return those names in the directory that hold `part`, sorted: in a large one, sorting all takes longest."""
        return sorted(name for name in os.listdir(path) if part in name)

    def has_name(self, path: Path, suffix: str) -> bool:
        """Tell whether any name in the directory ends so; the look ends at the first one."""
        with os.scandir(path) as entries:
            return any(entry.name.endswith(suffix) for entry in entries)

    def lstat(self, path: Path) -> os.stat_result:
        """Return the status of what has this name, a link itself included."""
        return os.lstat(path)

    def fstat(self, descriptor: int) -> os.stat_result:
        """Return the status of the open file."""
        return os.fstat(descriptor)

    def exists(self, path: Path) -> bool:
        """Tell whether something (also a dangling link) has this name."""
        return os.path.lexists(path)

    def is_writable(self, path: Path) -> bool:
        """Tell whether the kernel would let us write there now."""
        return os.access(path, os.W_OK)

    def disk_free_bytes(self, path: Path) -> int:
        """Return how many bytes an unprivileged process can still write on the file system of `path`."""
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize

    # Composites

    def ensure_dir(self, path: Path) -> bool:
        """Make the directory durably if it is missing and return whether it was; repair its mode to 0700.

        Raises NotADirectoryError when a file has the name, LinkRefused when a link has it.
        """
        try:
            self.mkdir(path)
        except FileExistsError:
            status = self.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                raise LinkRefused(errno.ELOOP, "a symbolic link is not followed here", str(path)) from None
            if not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
            if stat.S_IMODE(status.st_mode) != DIRECTORY_MODE:
                self.chmod(path, DIRECTORY_MODE)
            return False
        self.sync_dir(path.parent)
        return True

    def create_temporary(self, path: Path) -> tuple[int, Path]:
        """Create an empty file beside `path` under a name nobody has; return its descriptor and its path."""
        for _ in range(_TEMPORARY_NAMES_MAX):
            self._temporaries += 1
            temporary = path.with_name(f"{path.name}{TEMPORARY_MARK}{os.getpid()}-{self._temporaries}")
            with contextlib.suppress(FileExistsError):
                return self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL), temporary
        raise FileExistsError(errno.EEXIST, "no free temporary name", str(path))

    def write_new_file(self, path: Path, data: bytes) -> None:
        """Put a file with this content in place, whole or not at all, durably: tmp, write, fsync, rename, sync_dir.

        Replaces what has the name. When a step fails the temporary file is removed as far as the disk allows, and the
        old file is untouched; a failure of the very last step leaves open which of the two a power cut would keep.
        """
        descriptor, temporary = self.create_temporary(path)
        try:
            try:
                self.write_all(descriptor, data)
                self.fsync(descriptor)
            finally:
                self.close(descriptor)
            self.rename(temporary, path)
        except OSError as error:
            error.filename = error.filename or str(path)
            self.discard(temporary)
            raise
        self.sync_dir(path.parent)

    def discard(self, path: Path) -> None:
        """Remove a temporary file on the way out of a failure; what cannot be removed is cleaned at the next start."""
        with contextlib.suppress(OSError):
            self.unlink(path)

    def read_range(self, path: Path, start: int, end: int) -> Generator[bytes, None, None]:
        """Yield what the file holds between two offsets, in pieces; less when it ends before."""
        with self.opened(path, os.O_RDONLY, links_max=2) as descriptor:
            while start < end:
                part = self.pread(descriptor, min(_CHUNK_BYTES, end - start), start)
                if not part:
                    break
                yield part
                start += len(part)

    def copy_range(self, source: Path, target: int, offset: int, length_bytes: int) -> None:
        """Append `length_bytes` of the file `source` from `offset` to the open file `target`, in bounded memory."""
        with contextlib.closing(self.read_range(source, offset, offset + length_bytes)) as parts:
            for part in parts:
                self.write_all(target, part)


def _progress(written: int) -> int:
    """Return `written`; a write that takes nothing and says nothing would loop for ever."""
    if written <= 0:
        raise OSError(errno.EIO, "the disk took no bytes and gave no reason")
    return written
