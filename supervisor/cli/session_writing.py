"""`perdure session rename|close|rm|restore`: one command of the protocol each."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from supervisor.cli.choices import SESSION_OUTCOMES, one_of, told
from supervisor.cli.each import do_each
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.session_names import ids_argument, last_option, some_of_them
from supervisor.cli.session_relating import id_and_name


@command("rename", example='perdure session rename 0190163d-8694-739b-aea5-966c26f8ad91 "The login"', data=True)
@click.argument("words", nargs=-1, metavar="ID TITLE")
@last_option
def rename(invocation: Invocation, words: Sequence[str], last: bool) -> int:  # noqa: FBT001  click gives flags so
    """Give a session another title."""
    named, title = id_and_name(words, last=last, nothing=False)
    return do_each(
        invocation, "session", [named], lambda perdure, id_: perdure.call("session.rename", id=id_, title=title), _title
    )


@command("close", example="perdure session close 0190163d-8694-739b-aea5-966c26f8ad91 --outcome done", data=True)
@ids_argument
@last_option
@click.option("--outcome", type=one_of(*SESSION_OUTCOMES), metavar="WORD", help=told("How it ended", SESSION_OUTCOMES))
@click.option("--reason", metavar="TEXT", help="Why.")
def close(
    invocation: Invocation,
    ids: Sequence[str],
    last: bool,  # noqa: FBT001  click gives flags so
    outcome: str | None,
    reason: str | None,
) -> int:
    """Say that a session is over, and how it ended."""
    named = some_of_them(ids, last=last)
    given = {name: value for name, value in (("outcome", outcome), ("reason", reason)) if value is not None}
    return do_each(
        invocation, "session", named, lambda perdure, id_: perdure.call("session.close", id=id_, **given), _status
    )


@command("rm", example="perdure session rm 0190163d-8694-739b-aea5-966c26f8ad91", data=True)
@ids_argument
@last_option
def rm(invocation: Invocation, ids: Sequence[str], last: bool) -> int:  # noqa: FBT001  click gives flags so
    """Move sessions into the archive; `perdure session restore` brings them back."""
    named = some_of_them(ids, last=last)
    return do_each(invocation, "session", named, lambda perdure, id_: perdure.call("session.delete", id=id_), _gone)


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
