"""What a client must know of the methods without loading their parameters: which of them change something.

A mutating method takes an `idempotency_key`; the clients give every such call one, so that sending it again after a
lost connection is safe. `methods` is the whole table; a test holds the two equal.
"""

from __future__ import annotations

from typing import Final

MUTATING: Final = frozenset(
    {
        "batch.apply",
        "event.record",
        "log.append",
        "report.save",
        "run.exec",
        "run.put",
        "run.start",
        "run.stop",
        "service.restart",
        "service.start",
        "service.stop",
        "session.alias",
        "session.append",
        "session.close",
        "session.create",
        "session.delete",
        "session.link",
        "session.load",
        "session.parent",
        "session.put",
        "session.rename",
        "session.restore",
        "session.save",
        "session.seen",
        "session.sweep",
        "session.unlink",
        "task.cancel",
        "task.claim",
        "task.complete",
        "task.create",
        "task.delete",
        "task.fail",
        "task.heartbeat",
        "task.log",
        "task.release",
        "task.reopen",
        "task.save",
        "task.start",
        "task.update",
    }
)

ONCE: Final = frozenset(
    {
        "actor.kill",
        "actor.restart",
        "runtime.reload",
        "runtime.shutdown",
    }
)
"""Methods that do something and take no key: after a lost connection nobody sends them again unasked."""
