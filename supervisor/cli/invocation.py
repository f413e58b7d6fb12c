"""What one call of the command line was told by the options that every command has."""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from supervisor.cli.screen import Screen

if TYPE_CHECKING:
    from supervisor.config import Config, Resolved


class Invocation:
    """Filled while the options are parsed, read by the command afterwards."""

    def __init__(self) -> None:
        self.state_option: str | None = None
        """What `--state-path` says."""
        self.config_option: str | None = None
        """What `--config` says."""
        self.debug = False
        """Whether failures show their traceback."""
        self.as_json = False
        """Whether data is printed for programs."""

    @cached_property
    def screen(self) -> Screen:
        """Where results go."""
        return Screen()

    @cached_property
    def state_path(self) -> Path:
        """The state directory, absolute. Raises ConfigError."""
        from supervisor.config.state_path import quick_state_path

        return quick_state_path(self.state_option, os.environ, Path.cwd(), self.config_option)

    def resolved(self) -> "Resolved":
        """The whole configuration and where it was read. Raises ConfigError."""
        from supervisor.config import resolve

        return resolve(self.config_option, {"state.path": self.state_option})

    def config(self) -> "Config":
        """The whole configuration. Raises ConfigError."""
        return self.resolved().config
