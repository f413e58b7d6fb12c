"""`perdure service list|logs`."""

from datetime import UTC, datetime
from typing import Any

import click

from supervisor.cli import service_view
from supervisor.cli.choices import service_name
from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.logs import follow_option, offset_option, show_output, stderr_option
from supervisor.cli.reach import Runtime, runtime


@command("list", example="perdure service list", data=True)
def list_(invocation: Invocation) -> None:
    """List the services that are configured, and how they are."""
    with runtime(invocation) as perdure:
        found = perdure.call("service.list")
    if invocation.as_json:
        invocation.screen.json(found)
    else:
        invocation.screen.show(service_view.listed(found["services"], datetime.now(UTC)))


@command("logs", example="perdure service logs codex -f")
@click.argument("name", metavar="NAME", shell_complete=service_name)
@follow_option
@stderr_option
@offset_option
def logs(invocation: Invocation, name: str, following: bool, errors: bool, offset: int) -> int:  # noqa: FBT001  click gives flags so
    """
    Show what a service printed in its present life; -f follows.

    One that is stopped shows its last. Each life is a run: `perdure runs` lists the earlier ones, and
    `perdure logs RUN` shows what they printed.
    """
    with runtime(invocation) as perdure:
        row = perdure.call("run.get", id=_life_of(perdure, name))
        return show_output(perdure, row, following=following, errors=errors, offset=offset)


def _life_of(perdure: Runtime, name: str) -> str:
    """The run that is the service's present life, or its last. Raises CommandFailed when there is none."""
    rows: list[dict[str, Any]] = perdure.call("service.list")["services"]
    row = next((row for row in rows if row["name"] == name), None)
    if row is None:
        known = ", ".join(row["name"] for row in rows)
        hint = f"configured are {known}" if known else "the configuration names services as [services.NAME]"
        raise CommandFailed(f"there is no service {name}", hint, Exit.NOT_FOUND)
    if row["run_id"] is None:
        raise CommandFailed(f"service {name} has not begun yet", "perdure service list shows how it is", Exit.NOT_FOUND)
    return str(row["run_id"])
