"""Parameters of `runtime.*`, `actor.*`, `state.*` and `rpc.discover` (SPEC section 6). Most have none."""

from __future__ import annotations

from typing import Literal

from actors.messages.bounds import Name, Params


class RuntimePing(Params, frozen=True, kw_only=True):
    """Ask whether anybody answers."""


class RuntimeStatus(Params, frozen=True, kw_only=True):
    """Read who and what is running."""


class RuntimeHealth(Params, frozen=True, kw_only=True):
    """Read how well it is running."""


class RuntimeMetrics(Params, frozen=True, kw_only=True):
    """Read the counters: as JSON, or as the text that OpenMetrics readers take."""

    format: Literal["json", "openmetrics"] = "json"


class RuntimeReload(Params, frozen=True, kw_only=True):
    """Read the configuration again."""


class RuntimeShutdown(Params, frozen=True, kw_only=True):
    """Stop the whole of Perdure."""


class ActorList(Params, frozen=True, kw_only=True):
    """Read the tree of actors."""


class ActorRestart(Params, frozen=True, kw_only=True):
    """Stop an actor and start it again."""

    name: Name


class ActorKill(Params, frozen=True, kw_only=True):
    """Break an actor on purpose; only with `chaos.enabled`."""

    name: Name
    how: Literal["crash", "cancel", "hang"]


class StateSave(Params, frozen=True, kw_only=True):
    """Take a snapshot now."""


class StateBackups(Params, frozen=True, kw_only=True):
    """Read what backups there are."""


class StateVerify(Params, frozen=True, kw_only=True):
    """Check everything on disk without changing it."""


class StateGet(Params, frozen=True, kw_only=True):
    """Read the whole state, as the seeds' loadState gives it."""


class RpcDiscover(Params, frozen=True, kw_only=True):
    """Read the description of every method."""
