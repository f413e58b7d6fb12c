"""Which sockets are ready: one object that knows, and one descriptor by which trio can wait for it.

Linux has epoll and macOS kqueue; both can be watched by the event loop like any socket, which is what lets one task
serve all connections. A socket with an empty interest is watched still: a client that goes away for good is told
(GONE) whatever one is interested in.
"""

from __future__ import annotations

import select
import selectors
import sys
from typing import Final, Protocol

READ: Final = 1
WRITE: Final = 2
GONE: Final = 4
"""The other side has closed both ways, or the socket is broken: only told, never asked for."""

EVENTS_MAX: Final = 512
"""Sockets served in one wake-up: the actors get their turn before the rest."""


class Readiness(Protocol):
    """What the pump needs of either."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when `poll` has something."""
        ...

    def register(self, descriptor: int, interest: int) -> None:
        """Begin to watch."""
        ...

    def modify(self, descriptor: int, interest: int) -> None:
        """Change what is watched for."""
        ...

    def unregister(self, descriptor: int) -> None:
        """Watch no longer."""
        ...

    def poll(self) -> list[tuple[int, int]]:
        """Return (descriptor, what it is ready for) of those that are ready; never waits."""
        ...

    def close(self) -> None:
        """Give the descriptor back."""
        ...


def readiness() -> Readiness:
    """Return what this system has."""
    return EpollReadiness() if sys.platform == "linux" else SelectorReadiness(selectors.DefaultSelector())


class EpollReadiness:
    """By epoll, whose own event masks are translated at this edge."""

    def __init__(self) -> None:
        self._epoll = select.epoll(flags=select.EPOLL_CLOEXEC)

    def fileno(self) -> int:
        """Return the epoll's descriptor."""
        return self._epoll.fileno()

    def register(self, descriptor: int, interest: int) -> None:
        """Begin to watch."""
        self._epoll.register(descriptor, _TO_EPOLL[interest])

    def modify(self, descriptor: int, interest: int) -> None:
        """Change what is watched for."""
        self._epoll.modify(descriptor, _TO_EPOLL[interest])

    def unregister(self, descriptor: int) -> None:
        """Watch no longer."""
        self._epoll.unregister(descriptor)

    def poll(self) -> list[tuple[int, int]]:
        """Return what is ready; never waits."""
        return [(descriptor, _FROM_EPOLL[mask & _EPOLL_KNOWN]) for descriptor, mask in self._epoll.poll(0, EVENTS_MAX)]

    def close(self) -> None:
        """Close the epoll's descriptor."""
        self._epoll.close()


class SelectorReadiness:
    """By the standard library's selectors (kqueue on macOS): slower, and GONE shows as READ only."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector

    def fileno(self) -> int:
        """Return the selector's descriptor."""
        number: int = self._selector.fileno()  # type: ignore[attr-defined]  # epoll, kqueue and devpoll have it
        return number

    def register(self, descriptor: int, interest: int) -> None:
        """Begin to watch; an empty interest is not watched at all."""
        if interest:
            self._selector.register(descriptor, interest)

    def modify(self, descriptor: int, interest: int) -> None:
        """Change what is watched for."""
        if descriptor not in self._selector.get_map():
            self.register(descriptor, interest)
        elif interest:
            self._selector.modify(descriptor, interest)
        else:
            self._selector.unregister(descriptor)

    def unregister(self, descriptor: int) -> None:
        """Watch no longer."""
        if descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)

    def poll(self) -> list[tuple[int, int]]:
        """Return what is ready; never waits."""
        return [(key.fd, mask) for key, mask in self._selector.select(0)]

    def close(self) -> None:
        """Close the selector."""
        self._selector.close()


if sys.platform == "linux":
    _EPOLL_KNOWN: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLHUP | select.EPOLLERR
    _TO_EPOLL: Final = {
        0: 0,
        READ: select.EPOLLIN,
        WRITE: select.EPOLLOUT,
        READ | WRITE: select.EPOLLIN | select.EPOLLOUT,
    }
    _FROM_EPOLL: Final = {
        mask: (READ if mask & select.EPOLLIN else 0)
        | (WRITE if mask & select.EPOLLOUT else 0)
        | (GONE if mask & (select.EPOLLHUP | select.EPOLLERR) else 0)
        for mask in range(_EPOLL_KNOWN + 1)
    }
