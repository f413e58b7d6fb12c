"""
What joins a root and one runtime process, both ends of each, as they are between its making and its spawning.

Standard library only: the first runtime of a `perdure up` is spawned before anything else is imported (`ahead`).
"""

import os
import socket
from contextlib import ExitStack


class Ends:
    """The control channel, the way that doors to the agent host are handed over, and the pipe of what it prints."""

    def __init__(self) -> None:
        """Raises OSError; then nothing is left open."""
        with ExitStack() as opened:
            self.control, self.their_control = _pair(opened)
            self.doors, self.their_doors = _pair(opened)
            self.output_fd, self.their_output_fd = os.pipe()
            opened.pop_all()

    @property
    def options(self) -> tuple[str, ...]:
        """What tells the process of its end."""
        return ("--control-fd", str(self.their_control.fileno()))

    @property
    def pass_fds(self) -> tuple[int, ...]:
        """What it inherits besides its standard streams and the listening socket."""
        return (self.their_control.fileno(), self.their_doors.fileno())

    def close_theirs(self) -> None:
        """Close the sockets that the process has now; its end of the pipe is closed by who reads it (`output`)."""
        self.their_control.close()
        self.their_doors.close()

    def close(self) -> None:
        """Close all of it: a process that has the other ends ends."""
        self.close_theirs()
        self.control.close()
        self.doors.close()
        os.close(self.output_fd)
        os.close(self.their_output_fd)


def _pair(opened: ExitStack) -> tuple[socket.socket, socket.socket]:
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    opened.enter_context(mine)
    opened.enter_context(theirs)
    return mine, theirs
