"""The commands that Perdure's own processes are spawned with. Standard library only: one is spawned before all else."""

import sys
from pathlib import Path
from typing import Final

import supervisor

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
