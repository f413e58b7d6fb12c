"""
Telling the service manager: the datagrams of sd_notify(3), written here because they are one `sendto`.

A manager that does not read must never stop the root: sends do not wait, and a datagram that finds no room is lost. The
next one says what is true by then.
"""

import os
import socket
import time
from collections.abc import MutableMapping
from typing import Final

ADDRESS_VARIABLE: Final = "NOTIFY_SOCKET"
_WATCHDOG_VARIABLES: Final = ("WATCHDOG_USEC", "WATCHDOG_PID")
NOTIFY_VARIABLES: Final = (ADDRESS_VARIABLE, *_WATCHDOG_VARIABLES)
"""What the manager means for this process and not for its children."""
ACTIVATION_VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
"""The same, where it passes the socket to listen on (`listener`)."""


class Notifier:
    """The way to the service manager; without one every call does nothing."""

    def __init__(self, address: str | None, watchdog_s: float | None) -> None:
        """`address` is a path, or `@name` for an abstract socket; `watchdog_s` how often it wants to hear from us."""
        self.watchdog_s = watchdog_s
        self._address = address
        self._socket: socket.socket | None = None
        if address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.settimeout(0)

    @classmethod
    def taken_from(cls, environment: MutableMapping[str, str]) -> "Notifier":
        """Take the manager's variables out of `environment`: they are for this process, not for its children."""
        address = environment.pop(ADDRESS_VARIABLE, "")
        period_us, pid = (environment.pop(name, "") for name in _WATCHDOG_VARIABLES)
        mine = pid in ("", str(os.getpid()))
        watchdog_s = int(period_us) / 2e6 if period_us.isdecimal() and int(period_us) > 0 and mine else None
        usable = address.startswith(("/", "@"))
        return cls(address if usable else None, watchdog_s if usable else None)

    def ready(self, status: str) -> None:
        """Clients are served; also the end of a reload."""
        self._send("READY=1", f"STATUS={_one_line(status)}")

    def status(self, text: str) -> None:
        """Show `text` in the manager's status."""
        self._send(f"STATUS={_one_line(text)}")

    def alive(self) -> None:
        """Feed the manager's watchdog."""
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """The configuration is read again; `ready` tells when that is over."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """The end has begun."""
        self._send("STOPPING=1", f"STATUS={_one_line(status)}")

    def close(self) -> None:
        """Nothing is told after this."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *assignments: str) -> bool:
        """Whether the manager got it."""
        if self._socket is None or self._address is None:
            return False
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            self._socket.sendto("\n".join(assignments).encode(), address)
        except OSError:  # no room, or the manager is gone: neither is a reason to stop, or to say it every second
            return False
        return True


def _one_line(text: str) -> str:
    return " ".join(text.split())
