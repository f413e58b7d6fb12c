"""The runs actor's hall: what is the actor's but outlives its crashes, and who waits there."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import attrs

from actors.kernel.ref import Ref
from actors.messages.request import Request
from actors.model.errors import PerdureError
from actors.outputs import Followers
from actors.running.link import Host, Link, NoLink
from actors.running.parsing import ParserOf, TextParser


@attrs.define(eq=False)
class Held:
    """A command that waits for runs to end."""

    request: Request
    home: Ref
    """Who decides it then."""
    run_ids: set[str]
    kind: str
    grace_s: float | None = None


def _text_only(_output_format: str) -> TextParser:
    return TextParser()


def _nobody_watches() -> None:
    """Stand in where there are no services."""


@attrs.define(eq=False, kw_only=True)
class Hall:
    """What is the runs actor's but outlives its crashes."""

    link: Link = attrs.field(factory=NoLink)
    parser_of: ParserOf = _text_only
    held: list[Held] = attrs.field(factory=list)
    ordered_by: dict[str, Host] = attrs.field(factory=dict)
    followers: Followers = attrs.field(factory=dict)
    rng: Random = attrs.field(factory=Random)
    beginning: list[Request] = attrs.field(factory=list)
    """Lives of services that are to begin, once a host is attached."""
    changed: Callable[[], None] = _nobody_watches
    """Called when rows of runs or services changed, durably; also when this actor has started."""

    def close(self, error: PerdureError) -> None:
        """Answer whoever still waits."""
        waiting = [*(one.request for one in self.held), *self.beginning]
        self.held, self.beginning = [], []
        for request in waiting:
            request.fail(error)
