"""`perdure stop`: end runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from supervisor.cli.choices import run_id
from supervisor.cli.each import do_each
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.reach import until_over


@command("stop", example="perdure stop 01a1fd99-6037-73d0-930e-f08bfe6d6489 --grace 30", data=True)
@click.argument("ids", nargs=-1, required=True, metavar="RUN...", shell_complete=run_id)
@click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(0, 3600),
    metavar="SECONDS",
    help="How long an agent may take to leave, before it is killed (default: as configured).",
)
def stop(invocation: Invocation, ids: Sequence[str], grace_s: float | None) -> int:
    """
    End runs, their agents and all that these began; wait until they are over.

    RUN is a run's id or what that ends with. A run that is over stays as it is. A run's task is cancelled with it.
    """
    given = {} if grace_s is None else {"grace_s": grace_s}
    return do_each(
        invocation,
        "run",
        ids,
        lambda perdure, id_: until_over(perdure, "run.stop", id=id_, **given),
        _outcome,
    )


def _outcome(row: Mapping[str, Any]) -> str:
    return f"{row['id']}: {row['status']}"
