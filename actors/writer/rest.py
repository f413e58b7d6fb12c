"""How long the background thread rests between two portions of task files, so that commands come first.

The threads share one interpreter: while files are written, each system call of the loop may have to wait for its turn
with it. Whoever sent a command waits for the answer; nobody waits for a task's file. So while commands come, the thread
works a tenth of the time. It catches up when there are fewer of them. When none came there is no rest, and beyond a
number of files that wait there is none either: each of them keeps journal on the disk.
"""

from __future__ import annotations

from typing import Final

REST_PER_WORK: Final = 9.0
"""A tenth of the time: 64 clients had 40 % more commands answered than with a thread that never rests, one client 20 to
60 %."""

REST_MAX_S: Final = 1.0
"""However long a portion took: a disk that was slow once must not keep files waiting for minutes."""

WAITING_MAX: Final = 200_000
"""Files. Their lines are some 150 MB of journal that cannot be let go of yet."""


def rest_s(work_s: float, *, lines: int, waiting: int) -> float:
    """Return the seconds to rest after a portion that took `work_s`.

    `lines` came to the journal meanwhile, and `waiting` files are left to write.
    """
    if not lines or waiting > WAITING_MAX:
        return 0.0
    return min(REST_MAX_S, work_s * REST_PER_WORK)
