"""`perdure events`: what happened, and what happens."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from supervisor.cli import event_view
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.reach import PAGE_ROWS, Runtime, follow, runtime

SHOWN = 50
"""Journal lines shown unless asked for others: about a screen."""


@command("events", example="perdure events -f --kinds 'task.*'", data=True)
@click.option("--after", type=click.IntRange(0), metavar="SEQ", help=f"After this seq (default: the last {SHOWN}).")
@click.option("--kinds", metavar="KIND,...", help="Only these kinds: exact (task.created) or prefixes (task.*).")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on showing events as they happen, until Ctrl-C.")
def events(invocation: Invocation, after: int | None, kinds: str | None, following: bool) -> None:  # noqa: FBT001  click gives flags so
    """
    Show what happened; -f follows.

    Without --after the newest are shown. With --json each event is one line.
    """
    wanted = [kind.strip() for kind in (kinds or "").split(",") if kind.strip()]
    with runtime(invocation) as perdure:
        newest = perdure.call("runtime.ping")["seq"]
        begin = max(0, newest - SHOWN) if after is None else after
        if not following:
            _list(invocation, perdure, begin, newest, wanted)
            return
        try:
            for notification in follow(perdure, begin, wanted):
                for event in event_view.flattened(notification):
                    _tell(invocation, event)
        except KeyboardInterrupt:
            return


def _list(invocation: Invocation, perdure: Runtime, after: int, newest: int, kinds: Sequence[str]) -> None:
    """Show what is there after a seq, page by page, as far as it went when we began."""
    filters = {"kinds": list(kinds)} if kinds else {}
    shown = 0
    now = datetime.now(UTC)
    while after < newest:
        page = perdure.call("event.list", after_seq=after, limit=PAGE_ROWS, **filters)
        for event in page["events"] if invocation.as_json else ():
            invocation.screen.json(event, one_line=True)
        if page["events"] and not invocation.as_json:
            invocation.screen.show(event_view.listed(page["events"], now, headed=not shown))
        shown += len(page["events"])
        if page["next_seq"] <= after:
            break
        after = page["next_seq"]
    if not shown and not invocation.as_json:
        invocation.screen.show(event_view.listed([], now, headed=False))


def _tell(invocation: Invocation, event: event_view.Event) -> None:
    if invocation.as_json:
        invocation.screen.json(event, one_line=True)
    else:
        now = datetime.now(UTC)
        invocation.screen.show(event_view.followed(event, now, short_ids=invocation.screen.is_narrow))
