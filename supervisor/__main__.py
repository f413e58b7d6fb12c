"""
The `perdure` command, and `python -m supervisor`.

Before anything else it makes sure that `supervisor` is Perdure's. supervisord installs a package of the same name:
where both share an environment the files of one lie among those of the other, and what would follow is an error about
something else. So this module imports nothing of its own package at its top.
"""

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path

FAILED = 1


def main() -> None:
    """Run the command line; ends the process with its exit code, 1 when this installation is not whole."""
    if problem := what_is_wrong():
        sys.stderr.write(f"perdure: {problem}\n")
        sys.exit(FAILED)
    sys.exit(importlib.import_module("supervisor.cli").main())


def what_is_wrong() -> str:
    """Why this installation cannot run, in one line with what to do next; empty when it can."""
    package = importlib.import_module("supervisor")
    beside = Path(__file__).parent.with_name("actors")
    if not getattr(package, "__perdure__", False) or not beside.is_dir():
        return (
            f"the package `supervisor` in {Path(__file__).parent} is not Perdure's, or not all of it: supervisord "
            "installs one of the same name. Install Perdure into an environment of its own: pipx or uv "
            "tool makes one."
        )
    if find_spec("supervisor.cli") is None:
        return f"the command line is missing in {Path(__file__).parent}. Install Perdure again."
    return ""


if __name__ == "__main__":
    main()
