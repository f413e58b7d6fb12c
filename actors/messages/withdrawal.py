"""What the tasks actor hands to the runs actor: a command that has to wait until a task's agent is gone."""

from __future__ import annotations

import attrs

from actors.kernel.ref import Ref
from actors.messages.request import Request
from actors.model.errors import PerdureError


@attrs.define(eq=False)
class Withdrawal:
    """End the runs of these tasks; when that is durable, give the command back to its home."""

    request: Request
    home: Ref
    task_ids: tuple[str, ...]
    deliveries: int = 0

    @property
    def method(self) -> str:
        """The command's name, for dead letters."""
        return self.request.method

    def fail(self, error: PerdureError) -> None:
        """Answer the command with an error."""
        self.request.fail(error)
