"""Parameters of the methods that start agents, stop them and read what they print (SPEC section 6).

`run.put`, `run.get` and `run.list` stand in `records`: they concern runs of any carrier.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from actors.messages.agents import Stream
from actors.messages.bounds import (
    LIST_LENGTH_MAX,
    READ_BYTES_DEFAULT,
    READ_BYTES_MAX,
    Attempts,
    Count,
    Name,
    Params,
    Text,
    Word,
)

GRACE_S_MAX = 3600.0
"""An agent that needs an hour to stop will not."""

TIMEOUT_S_MAX = 30 * 86_400.0

Encoding = Literal["utf-8", "base64"]
ReadBytes = Annotated[int, Meta(ge=4, le=READ_BYTES_MAX)]
"""At least one whole character of UTF-8."""


class RunStart(Params, frozen=True, kw_only=True):
    """Let a pending task be carried out by its tool."""

    task_id: str


class RunExec(Params, frozen=True, kw_only=True):
    """Make a task of a command, and let it be carried out. `env` is added to the environment of all agents."""

    argv: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=LIST_LENGTH_MAX)]
    cwd: Name | None = None
    env: Annotated[dict[Word, Text], Meta(max_length=LIST_LENGTH_MAX)] = field(default_factory=dict)
    timeout_s: Annotated[float, Meta(gt=0, le=TIMEOUT_S_MAX)] | None = None
    max_attempts: Attempts = 1

    def __post_init__(self) -> None:
        """Refuse what no process can be given."""
        if not self.argv[0]:
            raise ValueError("the first argument names the command: it must not be empty")
        if any("\0" in text for text in (*self.argv, *self.env, *self.env.values(), self.cwd or "")):
            raise ValueError("arguments, environment and cwd must not hold NUL characters")
        if any("=" in name for name in self.env):
            raise ValueError("a name in env must not hold an equals sign")


class RunStop(Params, frozen=True, kw_only=True):
    """End a run: its agent gets SIGTERM, and SIGKILL after `grace_s`. Answered when it is over."""

    id: str
    grace_s: Annotated[float, Meta(ge=0, le=GRACE_S_MAX)] | None = None


class RunOutput(Params, frozen=True, kw_only=True):
    """Read what a run printed, from a byte offset on; `limit` in bytes."""

    id: str
    stream: Stream = "stdout"
    offset: Count = 0
    limit: ReadBytes = READ_BYTES_DEFAULT
    encoding: Encoding = "utf-8"


class OutputSubscribe(Params, frozen=True, kw_only=True):
    """Follow what a run prints; without `stream` both, `offset` in each."""

    id: str
    stream: Stream | None = None
    offset: Count = 0


class OutputUnsubscribe(Params, frozen=True, kw_only=True):
    """Stop following an output; `subscription` is what `output.subscribe` answered."""

    subscription: Word


class Brought(msgspec.Struct, frozen=True):
    """What a task's metadata may bring for its run; whatever does not fit counts as not there."""

    argv: tuple[str, ...] = ()
    cwd: str | None = None
    called_from: str | None = None
    """Where somebody typed what made the task: its agent works there unless the tool has a place of its own."""
    env: dict[str, str] = field(default_factory=dict)
    timeout_s: float | None = None
