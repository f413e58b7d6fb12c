"""`perdure save` and `perdure backups`: snapshots of the state."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.offline_work import working_offline
from supervisor.cli.paper import FAINT, Cell, Column, Table
from supervisor.cli.reach import held_by, runtime
from supervisor.cli.words import age, duration, local_time, scalar, size


@command("save", example="perdure save", data=True)
def save(invocation: Invocation) -> None:
    """
    Take a snapshot now.

    It is never needed for safety: what was acknowledged is in the journal already.
    """
    with runtime(invocation) as perdure:
        saved = perdure.call("state.save")
    if invocation.as_json:
        invocation.screen.json(saved)
    else:
        invocation.screen.say(
            f"{saved['path']}: seq {saved['seq']}, {size(saved['bytes'])}, in {duration(saved['duration_s'])}"
        )


@command("backups", example="perdure backups", data=True)
def backups(invocation: Invocation) -> None:
    """List the snapshots kept, the newest first: they lie beside state.json. Works while nothing runs, too."""
    if held_by(invocation.state_path).held:
        with runtime(invocation) as perdure:
            found = perdure.call("state.backups")
    else:
        from actors.storage.offline import backups as backups_offline

        with working_offline(invocation) as works:
            found = {"backups": backups_offline(works.path)}
    if invocation.as_json:
        invocation.screen.json(found)
    else:
        invocation.screen.show(backups_listed(found["backups"], datetime.now(UTC)))


def backups_listed(found: list[Mapping[str, Any]], now: datetime) -> Table:
    """A row per backup."""
    columns = (
        Column("SEQ", right=True),
        Column("AGE", right=True),
        Column("SAVED"),
        Column("SIZE", right=True),
        Column("FILE", wraps=True),
    )
    rows = [
        (
            Cell(scalar(backup.get("seq"))),
            Cell(age(backup.get("stamp"), now), FAINT),
            Cell(local_time(backup.get("stamp"))),
            Cell(size(backup.get("bytes"))),
            Cell(scalar(backup.get("name") or backup.get("path"))),
        )
        for backup in found
    ]
    return Table(columns, rows, empty="No backups yet.")
