"""The peers that are servers: instances of their own in a temporary directory, stopped afterwards.

PostgreSQL is driven by its own pgbench (prepared statements, as many clients as asked, two threads), Redis by the load
generator that drives Perdure: SET of a value as long as a task's description. Both listen on a Unix socket only.
PostgreSQL refuses to run as root; then it runs as `postgres` or `nobody`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from supervisor.bench.generator import Shape, load, order_of
from supervisor.bench.load import BODY

STARTED_WITHIN_S: Final = 60.0
POLL_S: Final = 0.05
"""How often a server that starts is asked whether it does; it tells nobody by itself."""

DISTRIBUTIONS: Final = "/usr/lib/postgresql/*/bin"
"""Where Debian and its kin keep the server's programs, outside the path."""

ACCOUNTS: Final = ("postgres", "nobody")

SETTINGS: Final = """
listen_addresses = ''
unix_socket_permissions = 0777
synchronous_commit = on
fsync = on
"""
"""The rest is as PostgreSQL ships it."""

CREATE: Final = "CREATE TABLE task (id bigserial PRIMARY KEY, body text NOT NULL)"
INSERT: Final = f"INSERT INTO task (body) VALUES ('{BODY.decode()}');\n"  # noqa: S608  a constant of ours


@attrs.frozen
class _Account:
    """Who runs a server; None leaves it as it is."""

    user: int | None = None
    group: int | None = None
    groups: tuple[int, ...] | None = None


MYSELF: Final = _Account()


class Absent(Exception):
    """A peer is not installed, or cannot run here; its text says which."""


def versions() -> dict[str, str]:
    """Return the versions of the servers that are installed."""
    found = {}
    for of, name in (("PostgreSQL", "postgres"), ("Redis", "redis-server")):
        with contextlib.suppress(Absent, OSError):
            (server,) = _programs(of, (name,))
            told = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
            version = re.search(r"\d+(\.\d+)+", told)
            if version is not None:
                found[of] = version[0]
    return found


class Postgres:
    """A running PostgreSQL."""

    def __init__(self, pgbench: str, sockets: str, script: Path) -> None:
        self._argv = [pgbench, "-h", sockets, "-U", "bench", "-n", "-M", "prepared", "-f", str(script)]

    def rate(self, shape: Shape, seconds: float) -> float:
        """Return inserts a second, each committed by itself. Raises RuntimeError when pgbench fails."""
        clients = shape.connections
        # pgbench takes whole seconds only.
        options = ["-c", str(clients), "-j", str(min(2, clients)), "-T", str(max(1, round(seconds)))]
        ended = subprocess.run([*self._argv, *options, "postgres"], capture_output=True, text=True, check=False)
        found = re.search(r"tps = ([\d.]+)", ended.stdout)
        if ended.returncode != 0 or found is None:
            raise RuntimeError(f"pgbench failed: {ended.stderr[-500:].strip()}")
        return float(found[1])


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """Start PostgreSQL below `folder`. Raises Absent when it is not installed or cannot run here."""
    initdb, server, pgbench, psql = _programs("PostgreSQL", ("initdb", "postgres", "pgbench", "psql"))
    account = _account()
    home = folder / "postgres"
    home.mkdir()
    # Its own short folder: a socket's path has about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="perdure-pg-") as sockets:
        if account.user is not None and account.group is not None:
            for owned in (home, Path(sockets)):
                os.chown(owned, account.user, account.group)
            folder.chmod(0o711)
        data = home / "data"
        _carried_out([initdb, "-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C", "-D", str(data)], account, home)
        with (data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(SETTINGS + f"unix_socket_directories = '{sockets}'\n")
        script = folder / "insert.sql"
        script.write_text(INSERT, encoding="utf-8")
        with _running([server, "-D", str(data)], account, home, signal.SIGINT) as process:
            _wait(process, [psql, "-h", sockets, "-U", "bench", "-c", "SELECT 1", "postgres"], home)
            _carried_out([psql, "-h", sockets, "-U", "bench", "-c", CREATE, "postgres"], MYSELF, home)
            yield Postgres(pgbench, sockets, script)


class Redis:
    """A running Redis."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._runs = 0

    def rate(self, shape: Shape, seconds: float) -> float:
        """Return acknowledged SETs a second."""
        self._runs += 1
        return load(order_of(self._path, "redis", shape, f"r{self._runs}", seconds)).rate


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[Redis]:
    """Start Redis below `folder`. Raises Absent when it is not installed."""
    (server,) = _programs("Redis", ("redis-server",))
    home = folder / "redis"
    home.mkdir()
    with tempfile.TemporaryDirectory(prefix="perdure-redis-") as sockets:
        path = f"{sockets}/redis.sock"
        options = ["--port", "0", "--unixsocket", path, "--appendonly", "yes", "--appendfsync", "always"]
        # No snapshots in between: they would only slow it down.
        with _running([server, *options, "--save", "", "--dir", str(home)], MYSELF, home, signal.SIGTERM) as process:
            _wait(process, None, home, path)
            yield Redis(path)


def _programs(of: str, names: Sequence[str]) -> list[str]:
    distributions = sorted(Path("/").glob(DISTRIBUTIONS[1:]), key=lambda place: _number(place.parent.name))
    # The server's own directory first: on the path there may be a wrapper that wants a cluster of the system's.
    path = os.pathsep.join([*map(str, reversed(distributions)), os.environ.get("PATH", os.defpath)])
    found = [shutil.which(name, path=path) for name in names]
    missing = [name for name, place in zip(names, found, strict=True) if place is None]
    if missing:
        raise Absent(f"{of} is not installed ({', '.join(missing)} missing)")
    return [place for place in found if place is not None]


def _number(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return 0.0


def _account() -> _Account:
    """Return who is to run PostgreSQL."""
    if os.geteuid() != 0:
        return MYSELF
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            known = pwd.getpwnam(name)
            return _Account(known.pw_uid, known.pw_gid, ())
    raise Absent("PostgreSQL does not run as root, and there is no account postgres or nobody")


def _carried_out(argv: list[str], account: _Account, home: Path) -> None:
    ended = subprocess.run(
        argv,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        user=account.user,
        group=account.group,
        extra_groups=account.groups,
    )
    if ended.returncode != 0:
        last = (ended.stderr.strip().splitlines() or [f"it ended with {ended.returncode}"])[-1]
        raise Absent(f"{Path(argv[0]).name} failed: {last}")


@contextlib.contextmanager
def _running(argv: list[str], account: _Account, home: Path, how: signal.Signals) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server; `how` ends it."""
    with _log(home).open("ab") as log:
        process = subprocess.Popen(
            argv,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=account.user,
            group=account.group,
            extra_groups=account.groups,
        )
    try:
        yield process
    finally:
        process.send_signal(how)
        try:
            process.wait(STARTED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _log(home: Path) -> Path:
    """Return the file with what a server prints."""
    return home / "server.log"


def _wait(process: subprocess.Popen[bytes], question: list[str] | None, home: Path, path: str = "") -> None:
    """Wait until a server answers `question` (a command), or takes a connection at `path`."""
    deadline_s = time.monotonic() + STARTED_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline_s:
        if _answers(question) if question is not None else _listens(path):
            return
        time.sleep(POLL_S)
    printed = _log(home).read_text(errors="replace")[-300:].strip()
    raise Absent(f"the server in {home} did not start: {printed}")


def _answers(question: list[str]) -> bool:
    return subprocess.run(question, capture_output=True, check=False).returncode == 0


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(path)
        except OSError:
            return False
        return True
