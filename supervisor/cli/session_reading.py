"""`perdure session list|show|tail`."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from supervisor.cli import session_view
from supervisor.cli.choices import SESSION_ACTIVITIES, SESSION_ORDERS, SESSION_STATUSES, one_of, told
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.last_list import remember
from supervisor.cli.reach import PAGE_ROWS, ROWS_SHOWN, Runtime, follow, listing, runtime
from supervisor.cli.session_names import id_argument, last_option, named_session, one_of_them


@command("list", example="perdure session list --directory . --status open", data=True)
@click.option("--directory", metavar="DIR", help="Only sessions that work in this directory.")
@click.option("--status", type=one_of(*SESSION_STATUSES), metavar="WORD", help="Only open or only closed ones.")
@click.option(
    "--activity",
    type=one_of(*SESSION_ACTIVITIES),
    metavar="WORD",
    help=told("Only those that a sweep labelled so", SESSION_ACTIVITIES),
)
@click.option("--order", type=one_of(*SESSION_ORDERS), metavar="WORD", help=told("What comes first", SESSION_ORDERS))
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", default=ROWS_SHOWN, show_default=True, help="How many at most."
)
@click.option("--all", "everything", is_flag=True, help="All of them, however many.")
def list_(invocation: Invocation, directory: str | None, limit: int, everything: bool, **filters: str | None) -> None:  # noqa: FBT001  click gives flags so
    """List sessions, the most recently used first; the numbers stand for their ids until the next list."""
    given = {name: value for name, value in filters.items() if value is not None}
    if directory is not None:
        given["working_directory"] = str(Path(directory).expanduser().absolute())
    with runtime(invocation) as perdure:
        found = listing(perdure, "session.list", "sessions", given, None if everything else limit)
    remember(invocation.state_path, [row["id"] for row in found.rows])
    if invocation.as_json:
        invocation.screen.json({"sessions": found.rows, "more": found.more})
        return
    invocation.screen.show(session_view.listed(found.rows, datetime.now(UTC)))
    if found.more:
        sys.stderr.write(f"These are the first {len(found.rows)}; --limit N or --all shows more.\n")


@command("show", example="perdure session show 0190163d-8694-739b-aea5-966c26f8ad91", data=True)
@id_argument
@last_option
def show(invocation: Invocation, ids: Sequence[str], last: bool) -> None:  # noqa: FBT001  click gives flags so
    """Show what is known of one session; its messages are shown by `perdure session tail`."""
    named = one_of_them(ids, last=last)
    with runtime(invocation) as perdure:
        row = _get_session(invocation, perdure, named)
    if invocation.as_json:
        invocation.screen.json(row)
    else:
        invocation.screen.show(session_view.shown(row, datetime.now(UTC)))


@command("tail", example="perdure session tail -f 0190163d-8694-739b-aea5-966c26f8ad91", data=True)
@id_argument
@click.option(
    "-n",
    "--lines",
    "count",
    type=click.IntRange(0),
    metavar="N",
    default=10,
    show_default=True,
    help="How many messages.",
)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on showing messages as they come, until Ctrl-C.")
@last_option
def tail(
    invocation: Invocation,
    ids: Sequence[str],
    count: int,
    following: bool,  # noqa: FBT001  click gives flags so
    last: bool,  # noqa: FBT001
) -> None:
    """
    Show a session's last messages; -f follows.

    With --json each message is one line.
    """
    named = one_of_them(ids, last=last)
    with runtime(invocation) as perdure:
        begun = perdure.call("runtime.ping")["seq"] if following else None
        row = _get_session(invocation, perdure, named)
        seen = max(0, row["message_count"] - count)
        seen = _show_after(invocation, perdure, row["id"], seen)
        if not following:
            return
        try:
            for _ in follow(perdure, begun, ["session.*"]):
                seen = _show_after(invocation, perdure, row["id"], seen)
        except KeyboardInterrupt:
            return


def _show_after(invocation: Invocation, perdure: Runtime, id_: str, after: int) -> int:
    """Show the messages above index `after`, say which are lost; give the index of the last one."""
    for page in _pages(perdure, id_, after):
        messages, missing = page["messages"], page.get("missing", [])
        indexes = session_view.indexes_after(after, len(messages), missing)
        if invocation.as_json:
            for message in messages:
                invocation.screen.json(message, one_line=True)
        elif messages:
            invocation.screen.show(session_view.told_messages(messages, indexes)._replace(empty=""))
        for first, last in missing:
            which = f"message {first} is" if first == last else f"messages {first} to {last} are"
            sys.stderr.write(f"{which} lost: the session's file is damaged; perdure doctor tells more\n")
        after = max([after, *indexes, *(last for _first, last in missing)])
    return after


def _get_session(invocation: Invocation, perdure: Runtime, text: str) -> Any:
    return perdure.call("session.get", id=named_session(perdure, invocation.state_path, text))


def _pages(perdure: Runtime, id_: str, after: int) -> Iterator[dict[str, Any]]:
    while True:
        page: dict[str, Any] = perdure.call("session.messages", id=id_, after=after, limit=PAGE_ROWS)
        yield page
        if page["next"] is None:
            return
        after = page["next"]
