"""`perdure completion`: what a shell needs to complete commands and options."""

import click

from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation

VARIABLE = "_PERDURE_COMPLETE"
"""Tells `perdure` that a shell asks; click's convention."""


_EXAMPLE = """eval "$(perdure completion bash)"        in ~/.bashrc
  eval "$(perdure completion zsh)"         in ~/.zshrc, after compinit
  perdure completion fish > ~/.config/fish/completions/perdure.fish"""


@command("completion", example=_EXAMPLE)
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
def completion(invocation: Invocation, shell: str) -> None:
    """Print a completion script for bash, zsh or fish."""
    from click.shell_completion import get_completion_class

    from supervisor.cli.commands import perdure

    made_by = get_completion_class(shell)
    if made_by is None:
        raise click.UsageError(f"there is no completion for {shell}")
    # Not `source()`: for bash that runs bash to look at its version, and a script may be made on another machine.
    script = made_by(perdure, {}, "perdure", VARIABLE)
    invocation.screen.write(script.source_template % script.source_vars() + "\n")
