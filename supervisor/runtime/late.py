"""What a runtime loads when its start is over: no start waits for it, and nobody waits later.

The metrics library: loaded only when somebody asks, it could not be when there are no descriptors left, which is when
metrics are looked at. The structs of all methods: what each holds is found out at its first use, which takes longer
than most commands.

A thread imports the library: on the loop every client, and an actor that crashes in that moment, would wait for all of
it (30 to 60 ms); beside a thread the loop waits for a slice of the interpreter (5 ms). The structs stay on the loop,
one method at a time (3 ms at most): msgspec shows a struct to other threads while it finds out what it holds, and
whoever uses it in that moment takes the process down.
"""

from __future__ import annotations

from typing import Final

import trio

from actors.kernel.io_thread import IoThread
from supervisor.logs import get_logger
from supervisor.wire.methods import METHODS
from supervisor.wire.validation import validate

LATE_AFTER_S: Final = 1.0
"""After the start."""

_log: Final = get_logger("supervision:runtime")


async def load_the_rest() -> None:
    """Wait until the start is well over, then load, and let the loop go on meanwhile."""
    await trio.sleep(LATE_AFTER_S)
    await find_out_structs()
    try:
        await _import_beside()
    except (ImportError, OSError) as error:  # there are no descriptors left even now; clients are served all the same
        _log.warning("the metrics library cannot be loaded: whoever asks for metrics tries again", problem=str(error))


async def find_out_structs() -> None:
    """Use the structs of all methods for the first time."""
    for row in METHODS.values():
        validate(row, dict(row.example))
        await trio.lowlevel.checkpoint()


def import_metrics() -> None:
    """Import the metrics library; raises ImportError or OSError."""
    import supervisor.runtime.metric_families  # noqa: F401, PLC0415  the module's text says why here


async def _import_beside() -> None:
    try:
        thread = IoThread("late")
    except RuntimeError:  # the system has no thread to give
        import_metrics()
        return
    try:
        await thread.call(import_metrics)
    finally:
        thread.close()
