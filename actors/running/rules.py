"""The configuration of runs, as far as decisions and the actor depend on it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from actors.running.services import ServiceSpec
from actors.running.tools import SHELL, SHELL_TOOL, Tool


@attrs.frozen(kw_only=True)
class RunRules:
    """Times in seconds."""

    concurrency: int = 4
    """Agents at once."""
    interruptions_max: int = 3
    """Interruptions in a row that cost no attempt; the next one fails the task."""
    grace_s: float = 10.0
    """Between SIGTERM and SIGKILL."""
    backoff_base_s: float = 1.0
    backoff_factor: float = 2.0
    backoff_max_s: float = 300.0
    """The delay before a failed attempt is repeated is drawn between nothing and an exponential ceiling."""
    tools: Mapping[str, Tool] = attrs.field(factory=lambda: {SHELL: SHELL_TOOL})
    keep_days: float = 30.0
    """Runs that have been over for longer are archived; 0 means never."""
    runs_max: int = 10_000
    """Runs beyond this are archived, the oldest first, once they are over; 0 means no limit."""
    env: Mapping[str, str] = attrs.field(factory=dict)
    """What every agent's environment begins with."""
    services: Mapping[str, ServiceSpec] = attrs.field(factory=dict)
    """[services.NAME] by name."""
    up_at: str = ""
    """When this Perdure came up: it wants every service, also one that was stopped by command under the one before."""
    cwd: str = "/"
    """Where agents work when neither the tool, nor the task, nor its session says so."""
    results: str = "/tmp/perdure"  # noqa: S108  the runtime names the user's own
    """The directory for results that agents leave in files (`{result_path}`)."""
