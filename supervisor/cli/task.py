"""`perdure task`: the table of its commands."""

from typing import Final

import click

from supervisor.cli.grammar import CONTEXT_SETTINGS, LazyGroup, Row

_READING: Final = "Looking"
_WRITING: Final = "Changing"

TABLE: Final[dict[str, Row]] = {
    "list": Row("task_reading", "list_", "List tasks, the filtered ones or all.", _READING),
    "show": Row("task_reading", "show", "Show one task with its log and its newest runs.", _READING),
    "add": Row("task_writing", "add", "Add a task and print its id.", _WRITING),
    "edit": Row("task_editing", "edit", "Change a task's members, in the editor without options.", _WRITING),
    "log": Row("task_writing", "log", "Add a message to a task's log, or show the log.", _WRITING),
    "start": Row("task_writing", "start", "Say that a pending task is now running.", _WRITING),
    "done": Row("task_writing", "done", "Say that a running task is done.", _WRITING),
    "fail": Row("task_writing", "fail", "Say that a running task has failed, and why.", _WRITING),
    "cancel": Row("task_writing", "cancel", "Give up tasks.", _WRITING),
    "reopen": Row("task_writing", "reopen", "Put finished tasks back to pending.", _WRITING),
    "rm": Row("task_writing", "rm", "Remove tasks for good.", _WRITING),
}


@click.group("task", cls=LazyGroup, table=TABLE, context_settings=CONTEXT_SETTINGS)
def task() -> None:
    """Add, list, change and finish tasks."""
