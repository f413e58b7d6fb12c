"""What the command line gives to the root, as one frozen value."""

import os
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from attrs import Factory, frozen

import supervisor
from supervisor.config import Config

RUNTIME_MODULE: Final = "supervisor.boot"
HOST_MODULE: Final = "supervisor.agents.host"

_RUN_MODULE: Final = (
    "import runpy, sys; place, module = sys.argv[1:3]; del sys.argv[1:3]; "
    "place in sys.path or sys.path.insert(0, place); runpy.run_module(module, run_name='__main__', alter_sys=True)"
)
"""
`python -m` would put the working directory first on the import path, and whoever runs agents has a working directory
full of names like `json.py` or `supervisor`. So `-P` is given, and the place that this very package was imported from.
"""


class Echo(StrEnum):
    """What the root writes to its standard error besides the log file."""

    TEXT = "text"
    """The log's lines for people."""
    JSON = "json"
    """The log's lines as they are."""
    NONE = "none"


def perdure_argv() -> tuple[str, ...]:
    """The command that runs this very installation's command line; a command's name and options are added to it."""
    return _argv("supervisor")


def runtime_argv() -> tuple[str, ...]:
    """The command that runs the runtime; `--control-fd N` is added to it."""
    return _argv(RUNTIME_MODULE)


def host_argv() -> tuple[str, ...]:
    """The command that runs the agent host; `--control-fd N` is added to it."""
    return _argv(HOST_MODULE)


def _argv(module: str) -> tuple[str, ...]:
    place = str(Path(supervisor.__file__).parent.parent)
    return (sys.executable, "-P", "-c", _RUN_MODULE, place, module)


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
