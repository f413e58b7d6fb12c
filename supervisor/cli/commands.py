"""What there is: each command's name, where it is, and its line in `perdure --help`, which a test holds to the help."""

from typing import Final

import click

from supervisor import __version__
from supervisor.cli.grammar import CONTEXT_SETTINGS, LazyGroup, Row

_RUNNING: Final = "Running it"
_WORK: Final = "Tasks, runs, sessions and services"
_LOOKING: Final = "Looking at it"
_STATE: Final = "The state directory"
_REST: Final = "The rest"

TABLE: Final[dict[str, Row]] = {
    "up": Row("up", "up", "Run Perdure in the foreground.", _RUNNING),
    "down": Row("down", "down", "Stop what runs there, and wait until it has.", _RUNNING),
    "status": Row("status", "status", "Show who and what is running.", _RUNNING),
    "demo": Row("demo", "demo", "Show what Perdure does: tasks, a kill -9, everything still there.", _RUNNING),
    "chaos": Row("chaos", "chaos", "Break everything that can break, and check every promise.", _RUNNING),
    "bench": Row("bench", "bench", "Measure how fast it is, beside what one would take instead.", _RUNNING),
    "task": Row("task", "task", "Add, list, change and finish tasks.", _WORK),
    "run": Row("run", "run", "Run a command or a tool, and print what it prints.", _WORK),
    "runs": Row("runs", "runs", "List runs, the newest first.", _WORK),
    "logs": Row("logs", "logs", "Show what a run printed; -f follows.", _WORK),
    "stop": Row("stop", "stop", "End runs, their agents and all that these began.", _WORK),
    "session": Row("session", "session", "Look at sessions and tidy them.", _WORK),
    "service": Row("service", "service", "List, start and stop services.", _WORK),
    "events": Row("events", "events", "Show what happened; -f follows.", _LOOKING),
    "health": Row("health", "health", "Show how well it is running.", _LOOKING),
    "metrics": Row("health", "metrics", "Show counters and durations.", _LOOKING),
    "actors": Row("health", "actors", "Show the tree of actors.", _LOOKING),
    "import": Row("importing", "import_", "Bring in what other tools keep: sessions, tasks, events.", _STATE),
    "export": Row("exporting", "export", "Write sessions for nanocoder, or everything into one file.", _STATE),
    "save": Row("snapshots", "save", "Take a snapshot now.", _STATE),
    "backups": Row("snapshots", "backups", "List the snapshots kept.", _STATE),
    "doctor": Row("doctor", "doctor", "Check everything on disk, and mend it with --repair.", _STATE),
    "restore": Row("restore", "restore", "Go back to a moment of the past; what was is kept.", _STATE),
    "rebuild": Row("doctor", "rebuild", "Build the state anew from backups, journal and task files.", _STATE),
    "migrate": Row("migration", "migrate", "Make a directory of version 1 one of this version.", _STATE),
    "rollback": Row("migration", "rollback", "Go back to before the migration, byte for byte.", _STATE),
    "clean": Row("clean", "clean", "Remove leftovers; it lists first.", _STATE),
    "config": Row("config", "config", "Show or check the configuration.", _REST),
    "completion": Row("completion", "completion", "Print a completion script for bash, zsh or fish.", _REST),
    "version": Row("version", "version", "Show the versions.", _REST),
}
"""Command name → row, in the order of the help."""


@click.group(
    "perdure",
    cls=LazyGroup,
    table=TABLE,
    context_settings=CONTEXT_SETTINGS,
    epilog="\b\nExample:\n  perdure up                                in one terminal\n"
    '  perdure task add "Write the tests"        in another one',
)
@click.version_option(__version__, message="perdure %(version)s")
def perdure() -> None:
    """A crash-proof runtime for coding agents: what was acknowledged is there afterwards."""
