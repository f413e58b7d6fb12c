"""`perdure session alias|parent|link|unlink`: one command of the protocol each."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from supervisor.cli.each import do_each
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.reach import Runtime
from supervisor.cli.session_names import id_argument, is_number, last_option, named_session, one_of_them

words_argument = click.argument("words", nargs=-1, metavar="ID NAME")
tasks_option = click.option("--task", "tasks", multiple=True, metavar="ID", help="A task; may be given several times.")
projects_option = click.option("--project", "projects", multiple=True, metavar="NAME", help="A project; likewise.")


@command("alias", example="perdure session alias 3 login", data=True)
@words_argument
@last_option
@click.option("--none", "nothing", is_flag=True, help="Take the alias away.")
def alias(invocation: Invocation, words: Sequence[str], last: bool, nothing: bool) -> int:  # noqa: FBT001  click gives flags so
    """Give a session a name that no other has; it stands for the id everywhere."""
    named, wanted = id_and_name(words, last=last, nothing=nothing)
    if wanted is not None and is_number(wanted):
        raise click.UsageError(f"the alias {wanted} would hide the session with that number in a list: choose a word")
    return do_each(
        invocation, "session", [named], lambda perdure, id_: perdure.call("session.alias", id=id_, alias=wanted), _alias
    )


@command("parent", example="perdure session parent 3 login", data=True)
@click.argument("words", nargs=-1, metavar="ID PARENT")
@last_option
@click.option("--none", "nothing", is_flag=True, help="It descends from nobody.")
def parent(invocation: Invocation, words: Sequence[str], last: bool, nothing: bool) -> int:  # noqa: FBT001  click gives flags so
    """Say which session another one descends from."""
    named, wanted = id_and_name(words, last=last, nothing=nothing)

    def tell(perdure: Runtime, id_: str) -> Any:
        parent_id = None if wanted is None else named_session(perdure, invocation.state_path, wanted)
        return perdure.call("session.parent", id=id_, parent_id=parent_id)

    return do_each(invocation, "session", [named], tell, _parent)


@command("link", example="perdure session link 3 --task fix-login --project web", data=True)
@id_argument
@last_option
@tasks_option
@projects_option
def link(invocation: Invocation, ids: Sequence[str], last: bool, **links: Sequence[str]) -> int:  # noqa: FBT001  click gives flags so
    """Link a session to tasks and projects."""
    return _relate(invocation, "session.link", one_of_them(ids, last=last), links)


@command("unlink", example="perdure session unlink 3 --task fix-login", data=True)
@id_argument
@last_option
@tasks_option
@projects_option
def unlink(invocation: Invocation, ids: Sequence[str], last: bool, **links: Sequence[str]) -> int:  # noqa: FBT001  click gives flags so
    """Take links to tasks and projects away."""
    return _relate(invocation, "session.unlink", one_of_them(ids, last=last), links)


def id_and_name(words: Sequence[str], *, last: bool, nothing: bool) -> tuple[str, str | None]:
    """The session and the name behind it; with --last there is no session, with --none no name. Raises UsageError."""
    name = None if nothing or not words else words[-1]
    ids = words if nothing else words[:-1]
    if name is None and not nothing:
        raise click.UsageError("a name is missing")
    return one_of_them(ids, last=last), name


def _relate(invocation: Invocation, method: str, named: str, links: Mapping[str, Sequence[str]]) -> int:
    given = {name: list(values) for name, values in links.items() if values}
    if not given:
        raise click.UsageError("name what it is linked to: --task or --project")
    return do_each(invocation, "session", [named], lambda perdure, id_: perdure.call(method, id=id_, **given), _links)


def _alias(row: Mapping[str, Any]) -> str:
    return f"{row['id']}: {'alias ' + row['alias'] if row['alias'] else 'no alias'}"


def _parent(row: Mapping[str, Any]) -> str:
    if not row["parent_id"]:
        return f"{row['id']}: descends from nobody"
    return f"{row['id']}: descends from {row['parent_id']}"


def _links(row: Mapping[str, Any]) -> str:
    kinds = (("tasks", row["task_ids"]), ("projects", row["projects"]))
    links = [f"{kind} {', '.join(named)}" for kind, named in kinds if named]
    return f"{row['id']}: {'; '.join(links) or 'no links'}"
