"""What a runtime loads when its start is over: no start waits for it, and nobody waits later.

The metrics library: loaded only when somebody asks, it could not be when there are no descriptors left, which is when
metrics are looked at. The structs of all methods: what each holds is found out at its first use, which takes longer
than most commands.

A thread does it. On the loop every client, and an actor that crashes in that moment, would wait for all of it (60 ms);
beside a thread the loop waits for a slice of the interpreter (5 ms).
"""

from __future__ import annotations

from typing import Final

import trio

from actors.kernel.io_thread import IoThread
from supervisor.wire.methods import METHODS
from supervisor.wire.validation import validate

LATE_AFTER_S: Final = 1.0
"""After the start."""


async def load_the_rest() -> None:
    """Wait until the start is well over, then load, and let the loop go on meanwhile."""
    await trio.sleep(LATE_AFTER_S)
    try:
        thread = IoThread("late")
    except RuntimeError:  # the system has no thread to give
        load()
        return
    try:
        await thread.call(load)
    finally:
        thread.close()


def load() -> None:
    """Load on the spot."""
    import supervisor.runtime.metric_families  # noqa: F401, PLC0415  the module's text says why here

    for row in METHODS.values():
        validate(row, dict(row.example))
