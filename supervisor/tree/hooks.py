"""What a tree of supervisors takes from outside, so that a test, a log or a metric can give its own."""

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from attrs import field, frozen

from supervisor.tree.events import TreeEvent


def _ignore(_event: TreeEvent) -> None:
    """Let an event pass where nobody asked for events."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@frozen(kw_only=True)
class Hooks:
    """Who is told what happens, where chance comes from, and what time it is."""

    on_event: Callable[[TreeEvent], None] = _ignore
    """Called synchronously, from the supervisor's own task: it must not block. What it raises is logged."""
    rng: Random = field(factory=Random)
    """For jitter and for the ids of crash reports."""
    utc_now: Callable[[], datetime] = _utc_now
