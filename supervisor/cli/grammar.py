"""
The form of the command line: what all commands share, and groups that load a command when it is asked for.

Every command has `--state-path`, `--config`, `--debug`, help that ends with an example, and, where it prints data,
`--json`. They may stand before the command's name as well (`perdure --state-path DIR task list`): both places mean the
same. A group shows its commands' help from its own table, so that neither `perdure --help` nor completing a name
imports what is not run.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

import click
from click.shell_completion import CompletionItem

from supervisor.cli.invocation import Invocation

CommandFunction = Callable[..., int | None]
"""Takes the Invocation and its own parameters; gives the exit code, None for 0."""


class Row(NamedTuple):
    """One command of a group."""

    module: str
    """Where it is, below `supervisor.cli`."""
    attribute: str
    """Its name there."""
    summary: str
    section: str = "Commands"


class Command(click.Command):
    """A command with the options that all have."""

    def __init__(self, *args: Any, data: bool = False, example: str = "", **kwargs: Any) -> None:
        kwargs["params"] = [*(kwargs.get("params") or ()), *common_options(data=data)]
        kwargs["epilog"] = f"\b\nExample:\n  {example}" if example else None
        super().__init__(*args, **kwargs)


class LazyGroup(click.Group):
    """A group whose commands are rows of a table."""

    def __init__(self, *args: Any, table: Mapping[str, Row], **kwargs: Any) -> None:
        kwargs["params"] = [*(kwargs.get("params") or ()), *common_options(data=True)]
        super().__init__(*args, **kwargs)
        self.table = table

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Every name, in the table's order."""
        return list(self.table)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import the command called `name`."""
        row = self.table.get(name)
        if row is None:
            return None
        found = getattr(import_module(f"supervisor.cli.{row.module}"), row.attribute)
        if not isinstance(found, click.Command):
            raise TypeError(f"{row.module}.{row.attribute} is no command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse a name that is not there by naming the nearest one that is."""
        name = args[0]
        if name not in self.table and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, self.table, n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            ctx.fail(f'there is no command "{name}"{guess}')
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by section, from the table."""
        for section in dict.fromkeys(row.section for row in self.table.values()):
            with formatter.section(section):
                formatter.write_dl([(name, row.summary) for name, row in self.table.items() if row.section == section])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name from the table, an option's as ever."""
        names = [
            CompletionItem(name, help=row.summary) for name, row in self.table.items() if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)


def command(
    name: str, *, example: str, data: bool = False, **settings: Any
) -> Callable[[CommandFunction], click.Command]:
    """Make a function a command. `data` gives it `--json`; the function's docstring is its help."""

    def made(function: CommandFunction) -> click.Command:
        return click.command(name, cls=Command, example=example, data=data, **settings)(click.pass_obj(function))

    return made


def common_options(*, data: bool) -> list[click.Option]:
    """The options that every command has; `--json` where it prints data."""
    options = [
        click.Option(
            ["--state-path"],
            type=click.Path(readable=False),
            metavar="DIR",
            expose_value=False,
            callback=_note("state_option"),
            help="The state directory (default: STATE_PATH, then the configuration, then ./coding-agent-state).",
        ),
        click.Option(
            ["--config"],
            type=click.Path(readable=False),
            metavar="FILE",
            expose_value=False,
            callback=_note("config_option"),
            help="A configuration file (default: PERDURE_CONFIG).",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_note("debug"),
            help="Show the traceback of a failure.",
        ),
    ]
    if data:
        options.append(
            click.Option(
                ["--json", "as_json"],
                is_flag=True,
                expose_value=False,
                callback=_note("as_json"),
                help="Print data for programs.",
            )
        )
    return options


def _note(member: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback that keeps the option's value in the Invocation; what was not given overrides nothing."""

    def noted(ctx: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        if value and not ctx.resilient_parsing:
            setattr(ctx.ensure_object(Invocation), member, value)
        return value

    return noted


TERMINAL_WIDTH_MAX: Final = 100
"""Help is prose: wider lines are hard to read."""

CONTEXT_SETTINGS: Final[Mapping[str, Any]] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": TERMINAL_WIDTH_MAX,
}
