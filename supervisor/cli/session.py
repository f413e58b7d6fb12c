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
    "find": Row("session_finding", "find", "Find sessions that fit everything that is given.", _READING),
    "tree": Row("session_finding", "tree", "Draw who descends from whom.", _READING),
    "rename": Row("session_writing", "rename", "Give a session another title.", _WRITING),
    "alias": Row("session_relating", "alias", "Give a session a name that no other has.", _WRITING),
    "parent": Row("session_relating", "parent", "Say which session another one descends from.", _WRITING),
    "link": Row("session_relating", "link", "Link a session to tasks and projects.", _WRITING),
    "unlink": Row("session_relating", "unlink", "Take links to tasks and projects away.", _WRITING),
    "sweep": Row("session_finding", "sweep", "Label sessions that make no progress.", _WRITING),
    "close": Row("session_writing", "close", "Say that a session is over, and how it ended.", _WRITING),
    "rm": Row("session_writing", "rm", "Move sessions into the archive.", _WRITING),
    "hook": Row("session_hook", "hook", "Record a session of Claude Code; for its hooks.", _WRITING),
    "restore": Row("session_writing", "restore", "Bring sessions back from the archive.", _WRITING),
}


@click.group("session", cls=LazyGroup, table=TABLE, context_settings=CONTEXT_SETTINGS)
def session() -> None:
    """Look at sessions and tidy them."""
