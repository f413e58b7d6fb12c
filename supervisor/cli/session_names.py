"""
Which session somebody means: by an id, an alias, a number of the last list, another tool's id, or a part of the id.

Whatever is written in full decides before a part does; a part that several sessions have decides nothing.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from supervisor.cli.choices import session_id
from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.last_list import numbered
from supervisor.cli.reach import Runtime, listing
from supervisor.cli.words import GENERATED_ID, one_line

LAST: Final = "@last"
"""The session that was used last; `--last` says the same."""

_NUMBER: Final = re.compile(r"\d{1,4}")
_PART: Final = re.compile(r"(?P<mark>…|\.{2,3})?(?P<part>[0-9a-f][0-9a-f-]{3,35})")
_SHOWN_MAX: Final = 5

id_argument = click.argument("ids", nargs=-1, metavar="ID", shell_complete=session_id)
ids_argument = click.argument("ids", nargs=-1, metavar="ID...", shell_complete=session_id)
last_option = click.option("--last", is_flag=True, help="The session that was used last.")


def one_of_them(ids: Sequence[str], *, last: bool) -> str:
    """The one session that the command line names. Raises UsageError."""
    named = some_of_them(ids, last=last)
    if len(named) > 1:
        raise click.UsageError("name one session")
    return named[0]


def some_of_them(ids: Sequence[str], *, last: bool) -> list[str]:
    """The sessions that the command line names. Raises UsageError when it names none."""
    named = [*ids, *([LAST] if last else [])]
    if not named:
        raise click.UsageError("name a session: an id, an alias, a number of the last list, or --last")
    return named


def is_number(text: str) -> bool:
    """Whether `text` is what the last list may have called a session."""
    return _NUMBER.fullmatch(text) is not None


def named_session(perdure: Runtime, state_path: Path, text: str) -> str:
    """
    The id of the session that `text` names; a whole id as it is, for the runtime to judge.

    Raises CommandFailed for a part that several sessions have and for what names nobody, UsageError for a path.
    """
    if GENERATED_ID.fullmatch(text):
        return text
    if text == LAST:
        rows = perdure.call("session.list", limit=1)["sessions"]
        if not rows:
            raise CommandFailed("there is no session yet", "perdure import brings some in", Exit.NOT_FOUND)
        return str(rows[0]["id"])
    found = _in_full(perdure, text) or _by_number(state_path, text) or _by_part(perdure, text)
    if found is None and _NUMBER.fullmatch(text):
        raise CommandFailed(f"the last list had no session {text}", "perdure session list shows one", Exit.NOT_FOUND)
    if found is None and ("/" in text or "\\" in text):
        raise click.UsageError(f"{one_line(text)} is a path: name a session by id, alias or number of the last list")
    if found is None:
        raise CommandFailed(f"no session is called {one_line(text)}", "perdure session list shows them", Exit.NOT_FOUND)
    return found


def _in_full(perdure: Runtime, text: str) -> str | None:
    """By its alias, or by what another tool calls it."""
    if not text or len(text) > 200:  # noqa: PLR2004  as long as either may be
        return None
    for name in ("alias", "external_id"):
        rows = perdure.call("session.find", **{name: text}, limit=1)["sessions"]
        if rows:
            return str(rows[0]["id"])
    return None


def _by_number(state_path: Path, text: str) -> str | None:
    return numbered(state_path, int(text)) if _NUMBER.fullmatch(text) else None


def _by_part(perdure: Runtime, text: str) -> str | None:
    part = _PART.fullmatch(text)
    if part is None:
        return None
    begins: Callable[[str], bool] = lambda id_: not part["mark"] and id_.startswith(part["part"])  # noqa: E731
    rows: list[dict[str, Any]] = listing(perdure, "session.list", "sessions", {}, None).rows
    found = [row for row in rows if begins(str(row["id"])) or str(row["id"]).endswith(part["part"])]
    if len(found) > 1:
        shown = ", ".join(f"{row['id']} ({one_line(str(row['title']))[:30]})" for row in found[:_SHOWN_MAX])
        more = f" and {len(found) - _SHOWN_MAX} more" if len(found) > _SHOWN_MAX else ""
        raise CommandFailed(
            f"{len(found)} sessions have {text} in their id: {shown}{more}", "write more of it", Exit.USAGE
        )
    return str(found[0]["id"]) if found else None
