"""`perdure service start|stop|restart`: one command of the protocol each."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from supervisor.cli.choices import service_name
from supervisor.cli.each import do_each
from supervisor.cli.faults import Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.service_view import outcome

names_argument = click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=service_name)


@command("start", example="perdure service start codex", data=True)
@names_argument
def start(invocation: Invocation, names: Sequence[str]) -> int:
    """
    Start services that are stopped or given up; wait until they run.

    One that runs stays as it is. Ends with 1 when one is given up again.
    """
    return _do(invocation, "service.start", names)


@command("stop", example="perdure service stop codex", data=True)
@names_argument
def stop(invocation: Invocation, names: Sequence[str]) -> int:
    """
    Stop services and all that they began; wait until they are gone.

    They stay stopped until `perdure service start`, or the next `perdure up`.
    """
    return _do(invocation, "service.stop", names)


@command("restart", example="perdure service restart codex", data=True)
@names_argument
def restart(invocation: Invocation, names: Sequence[str]) -> int:
    """Stop services and start them again; wait until they run. Ends with 1 when one is given up."""
    return _do(invocation, "service.restart", names)


def _do(invocation: Invocation, method: str, names: Sequence[str]) -> int:
    statuses: list[str] = []

    def told(row: Mapping[str, Any]) -> Mapping[str, Any]:
        statuses.append(row["status"])
        return row

    code = do_each(invocation, "service", names, lambda perdure, name: told(perdure.call(method, name=name)), outcome)
    return code or (Exit.FAILED if "failed" in statuses else Exit.FINE)
