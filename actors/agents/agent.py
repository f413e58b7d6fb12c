"""One run that is active, as far as this incarnation of the runs actor follows it."""

from __future__ import annotations

import attrs

from actors.agents.output import AgentOutput
from actors.decisions.runs_ends import Ending
from actors.running.limits import Watch
from actors.running.tools import Tool


@attrs.define(eq=False)
class Agent:
    """What is known of it beside its row."""

    run_id: str
    tool: Tool | None
    watch: Watch
    output: AgentOutput
    ending: Ending | None = None
    """How it ended, once that is known; its fact may still have to wait for output."""
    is_finishing: bool = False
    end_asked: bool = False
    """A deadline passed, and its end is on the way into the journal."""
    end_sent: bool = False
    vendor_session_id: str | None = None
    warning: str = ""
