"""What the command line gives to the root, as one frozen value."""

import os
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

from attrs import Factory, frozen

from supervisor.config import Config
from supervisor.root.ahead import Ahead
from supervisor.root.programs import host_argv, runtime_argv


class Echo(StrEnum):
    """What the root writes to its standard error besides the log file."""

    TEXT = "text"
    """The log's lines for people."""
    JSON = "json"
    """The log's lines as they are."""
    NONE = "none"


@frozen(kw_only=True)
class RootOptions:
    """How one root is to run."""

    config: Config
    state_path: Path
    """Absolute, or relative to the working directory; symbolic links are followed once, at the start."""
    load_config: Callable[[], Config]
    """Reads every layer again, for SIGHUP; raises `supervisor.config.ConfigError`."""
    stdio: bool = False
    """Serve one client on standard input and output, and stop at the end of input."""
    ready_fd: int | None = None
    """Gets one line of JSON (pid, socket, seq) when clients are served for the first time, and is closed."""
    ignore_fallback: bool = False
    """Start although `state.fallback_path` cannot be reached, and leave out what is only there."""
    standby: bool = False
    """Keep a second runtime waiting, imports done."""
    echo: Echo = Echo.TEXT
    argv: tuple[str, ...] = Factory(runtime_argv)
    """The runtime's command; another one only in tests."""
    host_argv: tuple[str, ...] | None = Factory(host_argv)
    """The agent host's command; None: no agents are run."""
    environment: Mapping[str, str] = Factory(lambda: dict(os.environ))
    ahead: Ahead | None = None
    """A runtime that was spawned before the root; the first one, where it is given."""
