"""`perdure version`."""

import platform

from supervisor import __version__
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation

STATE_VERSION = "2.0.0"
"""The format of the state directory that this program writes."""


@command("version", example="perdure version --json", data=True)
def version(invocation: Invocation) -> None:
    """Show the versions: Perdure's own, of the state it writes, and of what it runs on."""
    if invocation.as_json:
        invocation.screen.json(
            {
                "perdure": __version__,
                "state": STATE_VERSION,
                "python": platform.python_version(),
                "platform": platform.platform(terse=True),
            }
        )
        return
    invocation.screen.say(
        f"perdure {__version__} (state {STATE_VERSION}, Python {platform.python_version()}, {platform.system()})"
    )
