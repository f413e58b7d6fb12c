"""Values of options and arguments: words to choose from, JSON, and ids that the shell can complete."""

import json
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from supervisor.cli.invocation import Invocation
from supervisor.cli.words import one_line

TASK_STATUSES: Final = ("pending", "running", "completed", "failed", "cancelled")
RUN_STATUSES: Final = (
    "queued",
    "starting",
    "running",
    "exited",
    "interrupted",
    "cancelled",
    "timed_out",
    "failed_to_start",
)
SESSION_STATUSES: Final = ("open", "closed")
SESSION_OUTCOMES: Final = ("open", "done", "blocked", "abandoned", "merged", "superseded")
SESSION_ACTIVITIES: Final = ("active", "idle", "archived")
SESSION_ORDERS: Final = ("last_accessed", "created", "title")
"""As `actors.messages` declares them; a test holds them equal, because importing them costs more than a command may."""

COMPLETED_MAX: Final = 200
"""Ids offered by the shell; more are no help."""


def one_of(*words: str) -> click.Choice[str]:
    """One of `words`."""
    return click.Choice(words)


def told(what: str, words: tuple[str, ...]) -> str:
    """The help of an option that takes one of `words`: beside the option they would push every other help aside."""
    return f"{what}: {', '.join(words)}."


class JsonObject(click.ParamType[dict[str, Any]]):
    """A JSON object given as text."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Read it; a wrong one is a mistake of the command line."""
        if isinstance(value, dict):
            return value
        try:
            found = json.loads(value)
        except (ValueError, RecursionError) as error:
            self.fail(f"{one_line(value)!r} is not JSON: {error}", param, ctx)
        if not isinstance(found, dict):
            self.fail(f'{one_line(value)!r} is no JSON object: write {{"name": "value"}}', param, ctx)
        return found


def json_or_text(text: str) -> Any:
    """What `text` says as JSON; the text itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def task_id(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a task's id, its description as help."""
    return _completed(ctx, "task.list", "tasks", "description", incomplete)


def run_id(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a run's id, its status as help."""
    return _completed(ctx, "run.list", "runs", "status", incomplete)


def session_id(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a session's id, its title as help."""
    return _completed(ctx, "session.list", "sessions", "title", incomplete)


def service_name(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a service's name, its status as help."""
    return _completed(ctx, "service.list", "services", "status", incomplete, limit=None)


def _completed(
    ctx: click.Context, method: str, member: str, described_by: str, incomplete: str, limit: int | None = 1000
) -> list[CompletionItem]:
    """Ask the runtime; where none answers at once there is nothing to offer, and a shell must not be told why."""
    from supervisor.cli.reach import answered_at_once

    invocation = ctx.find_object(Invocation) or Invocation()
    page = answered_at_once(invocation, method, {} if limit is None else {"limit": limit})
    if not isinstance(page, dict):
        return []
    rows = [row for row in page.get(member, ()) if str(row.get("id", "")).startswith(incomplete)]
    return [
        CompletionItem(row["id"], help=one_line(str(row.get(described_by, "")))[:60]) for row in rows[:COMPLETED_MAX]
    ]
