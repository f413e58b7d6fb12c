"""`perdure session`: the table of its commands."""

from typing import Final

import click

from supervisor.cli.grammar import CONTEXT_SETTINGS, LazyGroup, Row

_READING: Final = "Looking"
_WRITING: Final = "Changing"

TABLE: Final[dict[str, Row]] = {
    "list": Row("session_reading", "list_", "List sessions, the most recently used first.", _READING),
    "show": Row("session_reading", "show", "Show what is known of one session.", _READING),
    "tail": Row("session_reading", "tail", "Show a session's last messages; -f follows.", _READING),
    "rename": Row("session_writing", "rename", "Give a session another title.", _WRITING),
    "close": Row("session_writing", "close", "Say that a session is over, and how it ended.", _WRITING),
    "rm": Row("session_writing", "rm", "Move sessions into the archive.", _WRITING),
    "hook": Row("session_hook", "hook", "Record a session of Claude Code; for its hooks.", _WRITING),
    "restore": Row("session_writing", "restore", "Bring sessions back from the archive.", _WRITING),
}


@click.group("session", cls=LazyGroup, table=TABLE, context_settings=CONTEXT_SETTINGS)
def session() -> None:
    """Look at sessions and tidy them."""
