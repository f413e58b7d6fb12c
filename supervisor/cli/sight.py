"""What one look at a Perdure sees: the runtime's own answer if one comes within a glance, else the root's lock file."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from supervisor.cli import status_view
from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.invocation import Invocation
from supervisor.cli.paper import Table
from supervisor.cli.reach import GLANCE_S, runtime

if TYPE_CHECKING:
    from supervisor.root.lock import LockInfo

GLANCE_OF_NOBODY_S = 0.3
"""How long a look waits while the root itself says that no runtime serves: the next one may come up just now."""


class Sight(NamedTuple):
    """What one look found."""

    lock: "LockInfo"
    status: dict[str, Any] | None
    """None when no runtime answered."""
    health: dict[str, Any] | None

    @property
    def exit_code(self) -> Exit:
        """What it means for a script."""
        if self.status is not None:
            return Exit.FINE
        return Exit.FAILED if self.lock.held else Exit.NOTHING_RUNS


def look(invocation: Invocation) -> Sight:
    """Look once; takes no longer than a glance."""
    from actors.model.errors import PerdureError
    from supervisor.root.lock import read_lock

    lock = read_lock(invocation.state_path)
    if not lock.held:
        return Sight(lock, None, None)
    try:
        with runtime(invocation, patience_s=GLANCE_S if lock.phase == "running" else GLANCE_OF_NOBODY_S) as perdure:
            return Sight(lock, perdure.call("runtime.status"), perdure.call("runtime.health"))
    except (PerdureError, CommandFailed, OSError):
        return Sight(read_lock(invocation.state_path), None, None)


def tables(invocation: Invocation, sight: Sight, now: datetime) -> list[Table]:
    """What was seen, for people."""
    if sight.status is not None:
        return status_view.running(sight.status, sight.health, now)
    return [status_view.not_answering(invocation.state_path, sight.lock, now)]


def as_json(invocation: Invocation, sight: Sight) -> dict[str, Any]:
    """What was seen, for programs: the runtime's answer, or what the lock file says."""
    if sight.status is not None:
        return {"answers": True, **sight.status, "health": sight.health}
    return {"answers": False, "state_path": str(invocation.state_path), "lock": sight.lock._asdict()}
