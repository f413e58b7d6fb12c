"""Doing the same to several ids: each one's outcome is told, and what one refuses does not keep the others from it."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from supervisor.cli.faults import CommandFailed, told
from supervisor.cli.invocation import Invocation
from supervisor.cli.reach import Runtime, runtime
from supervisor.cli.short_ids import do_with_id
from supervisor.cli.words import one_line

Doing = Callable[[Runtime, str], Mapping[str, Any]]
"""Carries out the command for one id and gives what the runtime answered."""


def do_each(
    invocation: Invocation,
    noun: str,
    ids: Sequence[str],
    doing: Doing,
    outcome: Callable[[Mapping[str, Any]], str],
) -> int:
    """
    Do it to every id of a `noun`; `outcome` words each answer.

    Gives the exit code of the first failure, 0 without one. A single id fails as every command does: by raising.
    """
    from actors.model.errors import PerdureError

    answers: list[Mapping[str, Any]] = []
    failures: list[int] = []
    with runtime(invocation) as perdure:
        for id_ in ids:
            try:
                answers.append(_do(invocation, perdure, noun, id_, doing))
            except (PerdureError, CommandFailed) as error:
                if len(ids) == 1:
                    raise
                line, exit_code = told(error)
                sys.stderr.write(line + "\n")
                failures.append(exit_code)
                continue
            if not invocation.as_json:
                invocation.screen.say(one_line(outcome(answers[-1])))
    if invocation.as_json:
        invocation.screen.json(answers[0] if len(ids) == 1 else answers)
    return failures[0] if failures else 0


def _do(invocation: Invocation, perdure: Runtime, noun: str, text: str, doing: Doing) -> Mapping[str, Any]:
    """Do it to whom `text` names: sessions have more names than others."""
    if noun != "session":
        return do_with_id(perdure, noun, text, partial(doing, perdure))

    from supervisor.cli.session_names import named_session

    return doing(perdure, named_session(perdure, invocation.state_path, text))
