"""
Runs one root with the fake runtime, as `perdure up` would run it with the real one; its exit code is the root's.

Argument: JSON with `state_path`, `settings` (dotted configuration keys), and optionally `config_file`, `stdio`,
`ready_fd`, `standby`, `echo`, `activated` (set LISTEN_PID), `runtime` (a program), `host` (have an agent host),
`host_command` (another one), `ahead` (send the first runtime ahead, and write its pid into this file).
"""

import json
import os
import sys
from functools import partial
from pathlib import Path

from supervisor.config import load
from supervisor.root import run_root
from supervisor.root.ahead import Ahead
from supervisor.root.options import Echo, RootOptions
from supervisor.root.programs import host_argv

FAKE_RUNTIME = Path(__file__).with_name("fake_runtime.py")


def main() -> int:
    """Run it."""
    given = json.loads(sys.argv[1])
    if given.get("activated"):  # only the process itself knows its pid, which LISTEN_PID must be
        os.environ["LISTEN_PID"] = str(os.getpid())
    reading = partial(
        load, given.get("config_file"), options=given["settings"], environ={}, cwd=Path(given["state_path"]).parent
    )
    command = (given["runtime"],) if "runtime" in given else (sys.executable, str(FAKE_RUNTIME))
    ahead = Ahead(command, dict(os.environ)) if "ahead" in given else None
    if ahead is not None:
        Path(given["ahead"]).write_text(str(ahead.process.pid))
    options = RootOptions(
        config=reading(),
        state_path=Path(given["state_path"]),
        load_config=reading,
        stdio=given.get("stdio", False),
        ready_fd=given.get("ready_fd"),
        standby=given.get("standby", False),
        echo=Echo(given.get("echo", "json")),
        host_argv=tuple(given["host_command"])
        if "host_command" in given
        else host_argv()
        if given.get("host")
        else None,
        argv=command,
        ahead=ahead,
    )
    try:
        return run_root(options)
    finally:
        if ahead is not None:
            ahead.close()


if __name__ == "__main__":
    sys.exit(main())
