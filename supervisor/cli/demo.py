"""`perdure demo`."""

from supervisor.cli.ended import ended_in_order
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation


@command("demo", example="perdure demo")
def demo(_invocation: Invocation) -> int:
    """
    Show what Perdure does: tasks, a kill -9, everything still there.

    Runs by itself in a temporary directory, and leaves nothing behind.
    """
    from supervisor.demo import main

    with ended_in_order():
        return main()
