"""
The supervisor process: the one process that may never die, so it knows as little as possible.

Theory of operation. `run_root` (root.py) makes the state directory safe to use (`directory`), takes the lock (`lock`),
binds the socket (`listener`) and then holds both for its whole life, while the runtime, a child process under the same
`supervisor.tree` that runs the actors, may die and come back (`runtime_child`); `perdure up` sends the first one ahead
while it still imports what the root needs itself (`ahead`). The two talk over a socketpair
(`control`): orders go down, beats and news come up; the socketpair's end of file, or the kernel's parent-death signal,
ends a runtime whose root is gone (`runtime_side`). `watchdog` judges silence; `notify` tells the service manager;
`relay` serves one client on stdin/stdout.

The root accepts no connection, reads no task and writes no data: what it writes is the lock file, the socket and
`logs/perdure.log`. Nothing is imported here, because `perdure status` reads the lock file (`lock`, standard library
only) and must start in milliseconds.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisor.root.options import RootOptions


def run_root(options: "RootOptions") -> int:
    """Run Perdure until it is told to stop; return the process's exit code. See `supervisor.root.root.run`."""
    from supervisor.root.root import run  # noqa: PLC0415  whoever only reads the lock must not pay for trio

    return run(options)
