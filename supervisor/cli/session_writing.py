"""`perdure session rename|close|rm|restore`: one command of the protocol each."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from supervisor.cli.choices import SESSION_OUTCOMES, one_of, session_id
from supervisor.cli.each import do_each
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation

id_argument = click.argument("id", metavar="ID", shell_complete=session_id)
ids_argument = click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=session_id)


@command("rename", example='perdure session rename 0190163d-8694-739b-aea5-966c26f8ad91 "The login"', data=True)
@id_argument
@click.argument("title")
def rename(invocation: Invocation, id: str, title: str) -> int:
    """Give a session another title."""
    return do_each(
        invocation, "session", [id], lambda perdure, id_: perdure.call("session.rename", id=id_, title=title), _title
    )


@command("close", example="perdure session close 0190163d-8694-739b-aea5-966c26f8ad91 --outcome done", data=True)
@ids_argument
@click.option("--outcome", type=one_of(*SESSION_OUTCOMES), help="How it ended.")
@click.option("--reason", metavar="TEXT", help="Why.")
def close(invocation: Invocation, ids: Sequence[str], outcome: str | None, reason: str | None) -> int:
    """Say that a session is over, and how it ended."""
    given = {name: value for name, value in (("outcome", outcome), ("reason", reason)) if value is not None}
    return do_each(
        invocation, "session", ids, lambda perdure, id_: perdure.call("session.close", id=id_, **given), _status
    )


@command("rm", example="perdure session rm 0190163d-8694-739b-aea5-966c26f8ad91", data=True)
@ids_argument
def rm(invocation: Invocation, ids: Sequence[str]) -> int:
    """Move sessions into the archive; `perdure session restore` brings them back."""
    return do_each(invocation, "session", ids, lambda perdure, id_: perdure.call("session.delete", id=id_), _gone)


@command("restore", example="perdure session restore 0190163d-8694-739b-aea5-966c26f8ad91", data=True)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
def restore(invocation: Invocation, ids: Sequence[str]) -> int:
    """Bring sessions back from the archive."""
    return do_each(invocation, "session", ids, lambda perdure, id_: perdure.call("session.restore", id=id_), _status)


def _title(row: Mapping[str, Any]) -> str:
    return f"{row['id']}: {row['title']}"


def _status(row: Mapping[str, Any]) -> str:
    return f"{row['id']}: {row['status']}"


def _gone(row: Mapping[str, Any]) -> str:
    return f"{row['id']}: {'archived' if row.get('deleted') else 'was not there'}"
