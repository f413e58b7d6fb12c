"""`perdure health`, `perdure metrics` and `perdure actors`: what the runtime says of itself."""

from datetime import UTC, datetime

import click

from supervisor.cli import status_view
from supervisor.cli.faults import Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.reach import runtime


@command("health", example="perdure health --json", data=True)
def health(invocation: Invocation) -> int:
    """
    Show how well it is running.

    Ends with 0 for ok and degraded, 1 for read_only and recovering: then nothing can be changed at present.
    """
    with runtime(invocation) as perdure:
        found = perdure.call("runtime.health")
    if invocation.as_json:
        invocation.screen.json(found)
    else:
        invocation.screen.show(status_view.healthy(found, datetime.now(UTC)))
    return Exit.FINE if found.get("status") in {"ok", "degraded"} else Exit.FAILED


@command("metrics", example="perdure metrics --openmetrics > perdure.prom", data=True)
@click.option("--openmetrics", is_flag=True, help="As the text that Prometheus and its like read.")
def metrics(invocation: Invocation, openmetrics: bool) -> None:  # noqa: FBT001  click gives flags so
    """Show counters and durations."""
    if openmetrics and invocation.as_json:
        raise click.UsageError("--openmetrics and --json are two forms of the same: choose one")
    with runtime(invocation) as perdure:
        found = perdure.call("runtime.metrics", format="openmetrics" if openmetrics else "json")
    if openmetrics:
        invocation.screen.write(found["text"])
    elif invocation.as_json:
        invocation.screen.json(found)
    else:
        invocation.screen.show(status_view.measured(found))


@command("actors", example="perdure actors", data=True)
def actors(invocation: Invocation) -> None:
    """Show the tree of actors: state, restarts, letters that wait, and the last crash."""
    with runtime(invocation) as perdure:
        found = perdure.call("actor.list")
    if invocation.as_json:
        invocation.screen.json(found)
    else:
        invocation.screen.show(status_view.actors(found["actors"]))
