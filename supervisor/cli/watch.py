"""`perdure status --watch`: the same picture again and again, on the terminal's other page, until Ctrl-C."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from supervisor.cli.faults import Exit
from supervisor.cli.invocation import Invocation
from supervisor.cli.paper import Table
from supervisor.cli.screen import laid_out
from supervisor.cli.sight import look, tables

if TYPE_CHECKING:
    from rich.console import RenderableType

CADENCE_S = 1.0
"""Seconds between two looks: soon enough to see a restart, seldom enough to cost nothing."""


def watch_status(invocation: Invocation) -> int:
    """Show the status until Ctrl-C. Raises UsageError where there is no terminal to draw on."""
    if invocation.as_json or not invocation.screen.is_terminal:
        raise click.UsageError("--watch draws on a terminal; use `perdure status --json` again and again instead")
    from rich.live import Live

    console = invocation.screen.console()
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                began = time.monotonic()
                now = datetime.now(UTC)
                live.update(picture(tables(invocation, look(invocation), now), now), refresh=True)
                time.sleep(max(0.0, CADENCE_S - (time.monotonic() - began)))
    except KeyboardInterrupt:
        return Exit.FINE


def picture(shown: list[Table], now: datetime) -> "RenderableType":
    """The tables below each other, and when they were true."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for table in shown:
        if table.title:
            parts += [Text(), Text(table.title, style="bold")]
        parts.append(laid_out(table))
    parts += [Text(), Text(f"{now.astimezone():%H:%M:%S}, every {CADENCE_S:g} s; Ctrl-C ends it", style="dim")]
    return Group(*parts)
