"""
A runtime that is sent ahead: spawned by `perdure up` before it reads the configuration and becomes the root.

What a runtime needs longest for before its hello is its imports, and the root's own take as long: on two processors
they are done at once, and a start is a quarter shorter. Until its hello a runtime knows nothing and touches nothing, so
one that is not needed after all (the directory is locked, the configuration is wrong) is killed without a trace.

The socket that it is to serve on does not exist that early, but what it inherits is the kernel's object, and the root
binds that one later. Where a service manager passes a socket of its own no runtime is sent ahead.

Standard library only, as everything that it imports: this runs before anything else is imported.
"""

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from supervisor.agents.sweep import without_marker
from supervisor.root.ends import Ends
from supervisor.root.notify import ACTIVATION_VARIABLES, NOTIFY_VARIABLES
from supervisor.root.programs import runtime_argv

UMASK = 0o077
"""The root's own too, with which later runtimes are spawned: nobody else may read what they write."""


class Ahead:
    """A process that waits for its hello, and what it was spawned with."""

    def __init__(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> None:
        """Spawn it, from the main thread: its life is tied to the spawning thread's. Raises OSError."""
        self._is_taken = False
        self.unbound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        """What the root is to listen on."""
        try:
            self._ends = Ends()
        except BaseException:
            self.unbound.close()
            raise
        try:
            self.process = subprocess.Popen(
                (*argv, *self._ends.options),
                env=environment,
                pass_fds=(*self._ends.pass_fds, self.unbound.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=self._ends.their_output_fd,
                stderr=self._ends.their_output_fd,
                umask=UMASK,
            )
        except BaseException:
            self._ends.close()
            self.unbound.close()
            raise

    def taken(self) -> Ends:
        """Give its ends to whoever sees to its own end from now on."""
        self._is_taken = True
        return self._ends

    def close(self) -> None:
        """End the process, unless the root has taken it."""
        if not self._is_taken:
            self.process.kill()
            self.process.wait()
            self._ends.close()
            self.unbound.close()


@contextmanager
def sent_ahead() -> Iterator[Ahead | None]:
    """Send a runtime ahead for the root that this process is about to become; None where that cannot be."""
    ahead = _sent(os.environ)
    try:
        yield ahead
    finally:
        if ahead is not None:
            ahead.close()


def _sent(environment: Mapping[str, str]) -> Ahead | None:
    if any(name in environment for name in ACTIVATION_VARIABLES):
        return None
    for_children = {name: value for name, value in environment.items() if name not in NOTIFY_VARIABLES}
    try:
        return Ahead(runtime_argv(), without_marker(for_children))
    except OSError:
        return None  # what is missing now may be there in a moment: the tree tries again, and tells
