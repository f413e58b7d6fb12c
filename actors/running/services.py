"""Services: what the configuration says of a long-lived agent server, and the tool that runs each of its lives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from actors.model.service import Restart, tool_of
from actors.running.tools import Limits, Tool

NO_LIMITS: Final = Limits(linger_s=None)


class ServiceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One `[services.NAME]` of the configuration."""

    name: str
    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    cwd: str | None = None
    strategy: str = "managed"
    mode: str = "stdio"
    endpoint: str | None = None
    restart: Restart = "permanent"
    stop_grace_s: float = 10.0
    """Between SIGTERM and SIGKILL."""
    limits: Limits = NO_LIMITS
    """Of its output, memory and open files; a server has no time limits."""

    @property
    def tool(self) -> Tool:
        """The tool of its lives."""
        return Tool(
            name=tool_of(self.name),
            argv=(self.command, *self.args),
            env=self.env,
            cwd=self.cwd,
            limits=self.limits,
            grace_s=self.stop_grace_s,
        )
