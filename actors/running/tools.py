"""Tools: what the configuration says of a command that carries out tasks, and how its argv is made for one run.

A template is a list of arguments; no shell is involved unless the template names one. Only the placeholders below are
replaced, in one pass, so braces of other kinds (JSON, say) and what a description holds stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

OutputFormat = Literal["text", "claude-stream-json", "codex-jsonl"]

SHELL: Final = "SHELL"
"""The tool whose command is the task's `metadata.argv`; `run.exec` makes tasks for it."""

ARGV: Final = "{argv}"
"""As a whole argument: replaced by all the arguments of the task's `metadata.argv`."""

_PLACEHOLDER = re.compile(r"\{(description|task_id|session_id|result_path)\}")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one run may use; None: no limit."""

    wall_s: float | None = None
    silence_s: float | None = None
    """Seconds without output."""
    linger_s: float | None = 30.0
    """Seconds between the final result and the exit; who hangs longer is ended and counts as done."""
    output_bytes: int | None = None
    """Of each stream that are stored; the rest is counted."""
    memory_bytes: int | None = None
    files: int | None = None


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """Which failures are tried again, as long as there are attempts."""

    exit_codes: frozenset[int] | None = None
    """None: every one but 0."""
    signals: bool = True
    is_error: bool = True
    """The agent itself said that it failed."""
    timed_out: bool = False
    failed_to_start: bool = False


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One `[tools.NAME]` of the configuration."""

    name: str
    argv: tuple[str, ...]
    resume: tuple[str, ...] | None = None
    """How a conversation is taken up again, with `{session_id}` in it; None: the tool cannot."""
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    cwd: str | None = None
    output: OutputFormat = "text"
    limits: Limits = msgspec.field(default_factory=Limits)
    retry: Retry = msgspec.field(default_factory=Retry)
    grace_s: float | None = None
    """Between SIGTERM and SIGKILL; None: as for every agent."""

    @property
    def names_its_sessions(self) -> bool:
        """Whether a fresh run is told which session id to use, so that it is known before the agent is."""
        return any("{session_id}" in argument for argument in self.argv)

    @property
    def needs_argv(self) -> bool:
        """Whether the task must bring its command."""
        return ARGV in self.argv


SHELL_TOOL: Final = Tool(name=SHELL, argv=(ARGV,), limits=Limits(linger_s=None))
"""As shipped; `run.exec` works wherever no configuration says otherwise."""


def expanded(template: Sequence[str], values: Mapping[str, str], argv: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the arguments that a template stands for; raises KeyError for a placeholder without a value."""
    found: list[str] = []
    for argument in template:
        if argument == ARGV:
            found.extend(argv)
        else:
            found.append(_PLACEHOLDER.sub(lambda match: values[match[1]], argument))
    return tuple(found)
