"""
The listening socket: bound once, held for the root's whole life, inherited by every runtime.

The root never accepts. A client that connects while no runtime serves waits in the kernel's backlog and is served by
the next one. `perdure.sock` lies in the state directory; where its path would exceed what the system's socket address
holds, it lies in a private directory under `$XDG_RUNTIME_DIR` or the temporary directory instead, and
`perdure.sock.path` names the place. It is the service manager's own socket under socket activation (LISTEN_FDS).

Only the holder of the state directory's lock comes here: so a socket found in its place belongs to nobody alive and is
replaced; anything else found there was planted, and is refused and left alone.
"""

import contextlib
import hashlib
import os
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Final

from attrs import define

from supervisor.root.errors import BadActivation, NotAStateDirectory
from supervisor.root.notify import ACTIVATION_VARIABLES

SOCKET_NAME: Final = "perdure.sock"
POINTER_NAME: Final = "perdure.sock.path"
ADDRESS_BYTES_MAX: Final = 107 if sys.platform == "linux" else 103
"""`sun_path` without its final NUL."""
BACKLOG: Final = 4096
"""As many as the kernel allows (net.core.somaxconn): all clients of a runtime that is down wait here."""
ACTIVATION_FD: Final = 3
"""SD_LISTEN_FDS_START."""


@define(eq=False, kw_only=True)
class Listener:
    """A listening socket and what is to be removed with it."""

    socket: socket.socket
    address: str
    """The path that clients connect to; `@name` for an abstract one of a service manager."""
    _bound: os.stat_result | None = None
    """The file as we bound it; None when somebody else made it."""
    _pointer: Path | None = None

    def close(self) -> None:
        """Close, and remove what was bound here, but nothing that took its place since."""
        self.socket.close()
        if self._bound is None:
            return
        with contextlib.suppress(OSError):
            if os.path.samestat(os.lstat(self.address), self._bound):
                os.unlink(self.address)  # noqa: PTH108  beside lstat of the same name
        if self._pointer is not None:
            self._pointer.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                Path(self.address).parent.rmdir()


def listen(state_path: Path, environment: MutableMapping[str, str], unbound: socket.socket | None = None) -> Listener:
    """
    Give the socket to serve on: the service manager's when there is one, otherwise `unbound` or a new one, bound.

    Takes LISTEN_* out of `environment`, for they are meant for this process only. Raises `NotAStateDirectory` when
    something else is in the socket's place, `BadActivation` when what was passed in cannot be listened on.
    """
    passed = _passed_in(environment)
    if passed is not None:
        return _adopted(state_path, passed)
    path = state_path / SOCKET_NAME
    pointer = state_path / POINTER_NAME
    _remove_stale(path)
    if _fits(path):
        _remove_pointer(pointer)
        return _bind(path, unbound, pointer=None)
    path = _elsewhere(state_path, environment) / SOCKET_NAME
    _remove_stale(path)
    listener = _bind(path, unbound, pointer=pointer)
    _write_pointer(pointer, listener.address)
    return listener


def _bind(path: Path, unbound: socket.socket | None, pointer: Path | None) -> Listener:
    listening = unbound or socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)  # bind makes the file with 0777 less the umask: it is 0600 from its first moment
    try:
        listening.bind(os.fspath(path))
    except OSError as error:
        listening.close()
        raise NotAStateDirectory(f"{path} cannot be bound: {error.strerror}") from None
    finally:
        os.umask(umask)
    listening.listen(BACKLOG)
    listening.settimeout(0)
    return Listener(socket=listening, address=os.fspath(path), bound=os.lstat(path), pointer=pointer)


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= ADDRESS_BYTES_MAX


def _remove_stale(path: Path) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise NotAStateDirectory(
            f"{path} is in the socket's place and is no socket of ours; it was left untouched",
            hint="look who put it there, and remove it",
        )
    path.unlink()


def _elsewhere(state_path: Path, environment: Mapping[str, str]) -> Path:
    """A private directory whose name is short and always the same for this state directory."""
    digest = hashlib.sha256(os.fsencode(state_path)).hexdigest()[:16]
    for base in _bases(environment):
        directory = base / f"perdure-{os.geteuid()}-{digest}"
        if _fits(directory / SOCKET_NAME) and base.is_dir():
            _make_private(directory)
            return directory
    raise NotAStateDirectory(
        f"the path of the socket in {state_path} is too long, and so is every other place's",
        hint="choose a shorter --state-path, or set XDG_RUNTIME_DIR to a short path",
    )


def _bases(environment: Mapping[str, str]) -> Iterator[Path]:
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        yield Path(runtime)
    yield Path(tempfile.gettempdir())


def _make_private(directory: Path) -> None:
    """The temporary directory is everybody's: what lies there under our name may be somebody else's trap."""
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise NotAStateDirectory(f"{directory} is not a directory of ours; it was left untouched")
    directory.chmod(0o700)


def _remove_pointer(pointer: Path) -> None:
    """The state directory may have been moved to where its path is short enough."""
    if os.path.lexists(pointer):
        pointer.unlink()


def _write_pointer(pointer: Path, address: str) -> None:
    """Replace the file as a whole: neither a reader nor a link planted in its place sees half of it."""
    temporary = pointer.with_name(f"{POINTER_NAME}.tmp-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, os.fsencode(address) + b"\n")
    finally:
        os.close(descriptor)
    temporary.rename(pointer)


def _passed_in(environment: MutableMapping[str, str]) -> socket.socket | None:
    """The socket that the service manager passed to this very process, None when it passed none."""
    pid, count, _names = (environment.pop(name, "") for name in ACTIVATION_VARIABLES)
    if not count or pid != str(os.getpid()):
        return None
    if count != "1":
        raise BadActivation(f"LISTEN_FDS passes {count} sockets; Perdure listens on one")
    os.set_inheritable(ACTIVATION_FD, False)  # noqa: FBT003  the system call's own argument
    passed = socket.socket(fileno=ACTIVATION_FD)
    if passed.family is not socket.AF_UNIX or passed.type is not socket.SOCK_STREAM or not _listens(passed):
        raise BadActivation("the socket passed by LISTEN_FDS is not a listening Unix stream socket")
    passed.settimeout(0)
    return passed


def _listens(candidate: socket.socket) -> bool:
    return bool(candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _adopted(state_path: Path, passed: socket.socket) -> Listener:
    name = passed.getsockname()
    address = "@" + name[1:].decode(errors="replace") if isinstance(name, bytes) else str(name)
    pointer = state_path / POINTER_NAME
    if address == os.fspath(state_path / SOCKET_NAME):
        _remove_pointer(pointer)
    else:
        _write_pointer(pointer, address)
    return Listener(socket=passed, address=address)
