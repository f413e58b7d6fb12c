"""What importing and exporting need of a client."""

from typing import Any, Protocol


class Runtime(Protocol):
    """A connection to a runtime; `supervisor.client` has two."""

    def call(self, method: str, /, **params: Any) -> Any:
        """Carry out one command; raises the error's class."""
        ...
