"""`--ready-fd`: one line of JSON for the program that spawned us, when clients are served for the first time."""

import contextlib
import json
import os
from typing import Final

from supervisor.root.errors import BadActivation

_NONE: Final = -1


class ReadyLine:
    """The descriptor that was passed in; without one every call does nothing. Only its end of file: it failed."""

    def __init__(self, descriptor: int | None) -> None:
        """Raises `BadActivation` when the descriptor is not open."""
        self._descriptor = _NONE if descriptor is None else descriptor
        if descriptor is None:
            return
        try:
            os.set_inheritable(descriptor, False)  # noqa: FBT003  the system call's own argument
        except (OSError, OverflowError):
            self._descriptor = _NONE
            raise BadActivation(f"--ready-fd {descriptor} is not an open descriptor") from None

    def tell(self, pid: int, socket: str, seq: int) -> None:
        """Write the line and close; only the first call does anything. A line fits the emptiest of pipes."""
        if self._descriptor != _NONE:
            line = json.dumps({"pid": pid, "socket": socket, "seq": seq}) + "\n"
            with contextlib.suppress(OSError):  # whoever wanted to know is gone
                os.write(self._descriptor, line.encode())
            self.close()

    def close(self) -> None:
        """Close without a word; called again, it does nothing."""
        if self._descriptor != _NONE:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = _NONE
