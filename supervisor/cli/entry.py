"""
Running the command line once: arguments in, exit code out, every failure told in one line.

Click's own error output is not used: its messages have a form of their own and span several lines.
"""

import os
import sys
from collections.abc import Sequence

import click

from supervisor.cli.commands import perdure
from supervisor.cli.faults import Exit, told, with_hint
from supervisor.cli.invocation import Invocation
from supervisor.cli.words import one_line


def run(arguments: Sequence[str] | None = None) -> int:
    """Carry out `arguments`, this process's own when None; give the exit code."""
    _take_any_text()
    invocation = Invocation()
    try:
        code = perdure.main(
            args=None if arguments is None else list(arguments),
            prog_name="perdure",
            standalone_mode=False,
            obj=invocation,
        )
        sys.stdout.flush()
    except click.ClickException as error:
        return _usage(error)
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("\n")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except Exception as error:  # noqa: BLE001  the last place where anything can be told
        if invocation.debug:
            import traceback

            traceback.print_exc()
        line, exit_code = told(error)
        sys.stderr.write(line + "\n")
        return exit_code
    return int(code or 0)


def _usage(error: click.ClickException) -> int:
    """Tell a wrong command line, and which help to read."""
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        sys.stderr.write(error.format_message() + "\n")
        return Exit.USAGE
    # Click calls the type of a bounded number a range, which is not what is wrong with `high`.
    message = one_line(error.format_message()).rstrip(". ").removesuffix(" range")
    path = context.command_path if context is not None else "perdure"
    line = with_hint(f"{message[:1].lower()}{message[1:]}", f"{path} --help says what there is")
    sys.stderr.write(f"perdure: {line}\n")
    return Exit.USAGE


def _reader_gone() -> int:
    """Nobody reads any more (`perdure events | head`): say nothing, also not when the interpreter flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.PIPE_CLOSED


def _take_any_text() -> None:
    """A character that the terminal's encoding lacks is shown as `?`, and is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
