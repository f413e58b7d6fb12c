"""
What can go wrong in supervision, each named by what happened.

`Shutdown` is raised by children. Those below `TreeError` are told to whoever runs a supervisor or asks it something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisor.tree.report import CrashReport
    from supervisor.tree.states import ChildState


class Shutdown(Exception):
    """A child leaves on purpose: exit kind SHUTDOWN, which restarts permanent children only."""


class TreeError(Exception):
    """Root of what a supervisor tells those who use it."""


class GaveUp(TreeError):
    """A supervisor stopped its children and itself; `reports` are the crashes that led there, oldest first."""

    def __init__(self, path: str, message: str, reports: tuple[CrashReport, ...]) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.reports = reports


class IntensityExceeded(GaveUp):
    """There were more restarts than the intensity allows. The last exit's exception is the `__cause__`."""


class StartFailed(GaveUp):
    """A child's very first start failed, so the supervisor's did. The child's exception is the `__cause__`."""


class UnknownChild(TreeError):
    """No child has this path or name, or more than one has this name."""


class NotRestartable(TreeError):
    """A temporary child is never started again."""


class NotSupervising(TreeError):
    """The supervisor does not run (yet, or any more)."""


class ChildDown(TreeError):
    """The child is not running, or did not come back; `state` and `last_crash` say where it stands."""

    def __init__(self, path: str, state: ChildState, last_crash: CrashReport | None) -> None:
        why = f": {last_crash.exception_type}: {last_crash.message}" if last_crash else ""
        super().__init__(f"{path} is {state}{why}")
        self.path = path
        self.state = state
        self.last_crash = last_crash
