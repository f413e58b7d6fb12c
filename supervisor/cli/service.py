"""`perdure service`: the table of its commands."""

from typing import Final

import click

from supervisor.cli.grammar import CONTEXT_SETTINGS, LazyGroup, Row

_READING: Final = "Looking"
_WRITING: Final = "Changing"

TABLE: Final[dict[str, Row]] = {
    "list": Row("service_reading", "list_", "List the services that are configured, and how they are.", _READING),
    "logs": Row("service_reading", "logs", "Show what a service printed in its present life; -f follows.", _READING),
    "start": Row("service_writing", "start", "Start services that are stopped or given up.", _WRITING),
    "stop": Row("service_writing", "stop", "Stop services and all that they began.", _WRITING),
    "restart": Row("service_writing", "restart", "Stop services and start them again.", _WRITING),
}


@click.group("service", cls=LazyGroup, table=TABLE, context_settings=CONTEXT_SETTINGS)
def service() -> None:
    """List, start and stop services: the agent servers of [services.NAME] in the configuration."""
