"""`perdure config show|check`: the configuration that holds here, and every mistake in it."""

import difflib
import os
import sys
from typing import Final

import click

from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.grammar import CONTEXT_SETTINGS, LazyGroup, Row, command
from supervisor.cli.invocation import Invocation
from supervisor.cli.paper import FAINT, STRONG, Cell, Column, Table
from supervisor.cli.words import one_line

TABLE: Final = {
    "show": Row("config", "show", "Show every key with its value and where it was read."),
    "check": Row("config", "check", "Say whether the configuration is right, and name every mistake."),
}


@click.group("config", cls=LazyGroup, table=TABLE, context_settings=CONTEXT_SETTINGS)
def config() -> None:
    """Show or check the configuration."""


@command("show", example="perdure config show --config perdure.toml", data=True)
@click.argument("keys", nargs=-1, metavar="[KEY]...")
def show(invocation: Invocation, keys: tuple[str, ...]) -> None:
    """
    Show every key with its value and where it was read.

    With KEYs (`state.path`) or sections (`state`) only those. Values of names that look secret are masked.
    """
    from supervisor.config import masked
    from supervisor.config.schema import KEYS

    resolved = invocation.resolved()
    values = masked(resolved.config)
    wanted = [name for name in KEYS if not keys or name in keys or name.partition(".")[0] in keys]
    if unknown := [key for key in keys if key not in KEYS and key not in values]:
        near = difflib.get_close_matches(unknown[0], [*KEYS, *values], n=1)
        guess = f"did you mean {near[0]}?" if near else "perdure config show lists them all"
        raise CommandFailed(f"there is no key {', '.join(unknown)}", guess, Exit.USAGE)
    if invocation.as_json:
        invocation.screen.json(
            {name: {"value": _value(values, name), "source": resolved.sources.get(name, "default")} for name in wanted}
        )
        return
    from supervisor.config.shipped import default_file

    shipped = str(default_file())
    rows = []
    for name in wanted:
        source = resolved.sources.get(name, "default")
        is_default = source in {shipped, "default"}
        rows.append(
            (
                Cell(name),
                Cell(_shown(_value(values, name)), "" if is_default else STRONG),
                Cell("default" if is_default else source, FAINT if is_default else ""),
            )
        )
    invocation.screen.show(Table((Column("KEY"), Column("VALUE", wraps=True), Column("SOURCE", wraps=True)), rows))


@command("check", example="perdure config check --config perdure.toml")
def check(invocation: Invocation) -> int:
    """
    Say whether the configuration is right, and name every mistake, one per line.

    Tools whose command is not installed are named too; that is no mistake.
    """
    from supervisor.config import ConfigError
    from supervisor.config.tools import not_installed, told, tools_of

    try:
        resolved = invocation.resolved()
    except ConfigError as error:
        for violation in error.violations:
            sys.stderr.write(f"perdure: {one_line(str(violation))}\n")
        if not error.violations:
            raise
        return Exit.USAGE
    invocation.screen.say(f"The configuration is right; the state directory is {resolved.config.state.path}")
    missing = not_installed(tools_of(resolved.config.tools, os.environ), os.environ)
    if missing:
        invocation.screen.say(f"Not installed here, and so not to be used: {told(missing)}")
    return Exit.FINE


def _value(values: dict[str, dict[str, object]], name: str) -> object:
    section, _, key = name.partition(".")
    return values[section][key]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{one_line(value)}"'
    if value is None:
        return '""'
    if isinstance(value, list | tuple):
        return f"[{', '.join(_shown(part) for part in value)}]"
    return str(value)
