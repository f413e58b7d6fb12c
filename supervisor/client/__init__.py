"""The client library: speak to a running Perdure from another program.

    from supervisor.client import Client

    with Client("./coding-agent-state") as perdure:
        task = perdure.call("task.create", description="Implement authentication")

`Client` blocks, and loads in milliseconds: no event loop, no schema library. `connect_trio` gives a `TrioClient` with
many calls in flight. Both give every mutating call an idempotency key, reconnect when the connection is lost, and send
again with the same key, so a crash of the runtime shows as latency only. `follow_output` and `read_output` (for trio,
`TrioClient.follow_output`) give what a run prints, byte for byte. Errors are the classes of `actors.model.errors`, one
for each kind, and those of `supervisor.client.errors` for what happens on this side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supervisor.client.blocking import Client as Client
    from supervisor.client.errors import ConnectionLost as ConnectionLost
    from supervisor.client.errors import NotRunning as NotRunning
    from supervisor.client.errors import TimedOut as TimedOut
    from supervisor.client.output import follow_output as follow_output
    from supervisor.client.output import read_output as read_output
    from supervisor.client.trio_client import TrioClient as TrioClient
    from supervisor.client.trio_client import connect_trio as connect_trio

_FOUND_IN = {
    "Client": "blocking",
    "ConnectionLost": "errors",
    "NotRunning": "errors",
    "TimedOut": "errors",
    "TrioClient": "trio_client",
    "connect_trio": "trio_client",
    "follow_output": "output",
    "read_output": "output",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for, and only that."""
    if name not in _FOUND_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__(f"{__name__}.{_FOUND_IN[name]}", fromlist=[name])
    return getattr(module, name)
