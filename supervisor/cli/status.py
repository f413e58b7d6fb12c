"""
`perdure status`: who and what is running.

It answers at once, whatever the state of things: the runtime's own answer when one comes within a glance, otherwise
what the root has written into the lock file. Exit code 0: a runtime answered; 1: Perdure is there, but no runtime
answered; 3: nothing runs there.
"""

from datetime import UTC, datetime

import click

from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.sight import as_json, look, tables


@command("status", example="perdure status --watch", data=True)
@click.option("--watch", is_flag=True, help="Show it live, until Ctrl-C.")
def status(invocation: Invocation, watch: bool) -> int:  # noqa: FBT001  click gives flags so
    """
    Show who and what is running.

    Ends with 0 when a runtime answers, 1 when Perdure is there but no runtime answers, 3 when nothing runs.
    """
    if watch:
        from supervisor.cli.watch import watch_status

        return watch_status(invocation)
    sight = look(invocation)
    if invocation.as_json:
        invocation.screen.json(as_json(invocation, sight))
    else:
        invocation.screen.show(*tables(invocation, sight, datetime.now(UTC)))
    return sight.exit_code
