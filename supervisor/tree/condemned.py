"""Why a child was cancelled: what its exit counts as, and the first line of its crash report."""

from typing import ClassVar

from supervisor.tree.rules import ExitKind


class Condemned(Exception):
    """Why a child was cancelled. `kind` and `reason` are what its exit counts as."""

    kind: ClassVar[ExitKind] = ExitKind.ABNORMAL
    reason: ClassVar[str]


class Hung(Condemned):
    """It gave no sign of life for its `hung_after_s`."""

    reason = "hung"


class StartedTooSlowly(Condemned):
    """It was not ready within its `start_within_s`."""

    reason = "start_timeout"


class Overstayed(Condemned):
    """It was asked to leave and did not within its `stop_grace_s`."""

    reason = "killed"


class BrutallyKilled(Condemned):
    """It has no grace, by its specification: nothing is wrong."""

    kind = ExitKind.SHUTDOWN
    reason = "brutal_kill"


class CancelledFromOutside(Condemned):
    """Somebody who is not its supervisor cancelled its scope."""

    reason = "cancelled"
