"""
`perdure task edit`: change what may be changed of a task.

With options the members named are changed. Without any, the members are opened as JSON in the editor; what was changed
there is saved only if nobody changed the task meanwhile (`if_rev`). A text that cannot be saved is kept, and its place
told.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from supervisor.cli.choices import JsonObject, task_id
from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.reach import Runtime, runtime
from supervisor.cli.short_ids import do_with_id
from supervisor.cli.task_reading import get_task

EDITABLE: Final = ("description", "priority", "tool", "session_id", "depends_on", "metadata")
NULLABLE: Final = ("tool", "session_id")
"""Members that an empty option takes away."""


@command("edit", example='perdure task edit fix-login --priority 0 --description "Fix the login"', data=True)
@click.argument("id", metavar="ID", shell_complete=task_id)
@click.option("--description", metavar="TEXT", help="What is to be done.")
@click.option("--priority", type=click.IntRange(0, 9), metavar="N", help="0 is the most urgent, 9 the least.")
@click.option("--tool", metavar="NAME", help='The tool that is to carry it out; "" for none.')
@click.option("--session", "session_id", metavar="ID", help='The session it belongs to; "" for none.')
@click.option("--depends-on", metavar="ID", multiple=True, help='All that it waits for; repeatable; "" for nothing.')
@click.option("--metadata", type=JsonObject(), metavar="JSON", help="A JSON object, in place of the old one.")
@click.option("--if-rev", type=int, metavar="N", help="Only if the task still has this rev.")
def edit(invocation: Invocation, id: str, if_rev: int | None, **given: Any) -> None:
    """
    Change a task's members; without options, in the editor (VISUAL, EDITOR or vi).

    What the editor shows is saved only if nobody else changed the task meanwhile.
    """
    changes = {name: value for name, value in given.items() if value is not None and value != ()}
    for name in NULLABLE:
        if changes.get(name) == "":
            changes[name] = None
    if "depends_on" in changes:
        changes["depends_on"] = [other for other in changes["depends_on"] if other]
    with runtime(invocation) as perdure:
        row = (
            do_with_id(perdure, "task", id, lambda id_: _update(perdure, id_, changes, if_rev))
            if changes
            else _edited(perdure, id, if_rev)
        )
    if invocation.as_json:
        invocation.screen.json(row)
    elif row is None:
        invocation.screen.say("Nothing was changed.")
    else:
        invocation.screen.say(f"{row['id']}: rev {row['rev']}")


def _update(perdure: Runtime, id_: str, changes: Mapping[str, Any], rev: int | None) -> Any:
    return perdure.call("task.update", id=id_, **changes, **({} if rev is None else {"if_rev": rev}))


def _edited(perdure: Runtime, id_: str, if_rev: int | None) -> Any:
    """Let a person change the members; None when they changed nothing."""
    from actors.model.errors import Conflict, InvalidParams

    task = get_task(perdure, id_)
    before = {name: task[name] for name in EDITABLE if name in task}
    draft = Path(tempfile.mkdtemp(prefix="perdure-")) / f"{task['id']}.json"
    draft.write_text(json.dumps(before, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    _open_editor(draft)
    try:
        changes = _changes(before, json.loads(draft.read_text(encoding="utf-8")))
        row = _update(perdure, task["id"], changes, if_rev or task["rev"]) if changes else None
    except Conflict as error:
        raise _kept(draft, f"somebody else changed task {task['id']} while you edited it", Exit.CONFLICT) from error
    except InvalidParams as error:
        raise _kept(draft, f"the task was refused: {error.message}", Exit.USAGE) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise _kept(draft, f"what you saved is not a task's members as JSON: {error}", Exit.USAGE) from error
    draft.unlink()
    draft.parent.rmdir()
    return row


def _changes(before: Mapping[str, Any], after: Any) -> dict[str, Any]:
    """Which members are other ones now. Raises TypeError for what is no object of the members that were shown."""
    if not isinstance(after, dict):
        raise TypeError("it is no object")
    if strange := sorted(set(after) - set(EDITABLE)):
        raise TypeError(f"there is no member {', '.join(strange)} to edit")
    return {name: value for name, value in after.items() if name not in before or before[name] != value}


def _open_editor(draft: Path) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("vi" if sys.stdin.isatty() else "")
    if not editor:
        _remove(draft)
        raise CommandFailed("nobody is there to edit it", "name the members as options", Exit.USAGE)
    try:
        ended = subprocess.run([*shlex.split(editor), str(draft)], check=False).returncode
    except (OSError, ValueError) as error:
        _remove(draft)
        raise CommandFailed(
            f"the editor {editor!r} cannot be run ({error})", "set EDITOR, or name the members as options", Exit.USAGE
        ) from error
    if ended != 0:
        _remove(draft)
        raise CommandFailed(f"the editor ended with {ended}; nothing was changed")


def _remove(draft: Path) -> None:
    draft.unlink(missing_ok=True)
    draft.parent.rmdir()


def _kept(draft: Path, message: str, exit_code: Exit) -> CommandFailed:
    return CommandFailed(message, f"nothing was changed; your text is kept in {draft}", exit_code)
