"""What is wrong with a configuration, told so that whoever wrote it can correct it without reading anything else."""

import attrs

from supervisor.config.shipped import default_file


@attrs.frozen(kw_only=True)
class Violation:
    """One mistake at one place."""

    source: str
    """Where it was read: a file's path, `environment NAME`, `.env NAME`, or `option`."""

    key: str
    """The key as it was written, dotted (`state.path`); empty when the whole source is unusable."""

    problem: str
    """What is wrong, without a full stop."""

    nearest: str = ""
    """The right name that comes closest to a wrong one; empty when nothing does."""

    def __str__(self) -> str:
        where = f"{self.source}: {self.key}" if self.key else self.source
        suggestion = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"{where}: {self.problem}{suggestion}"


class ConfigError(Exception):
    """
    The configuration is refused. Nothing of it was applied.

    `message` is one line that names every mistake with its source, key and, for a wrong name, the nearest right one.
    `hint` says what to do next. `violations` holds the same mistakes one by one, in the order of the layers.
    """

    def __init__(self, message: str, hint: str, violations: tuple[Violation, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.violations = violations

    @classmethod
    def of(cls, violations: tuple[Violation, ...]) -> "ConfigError":
        """The one error for all of `violations`, of which there is at least one."""
        listed = "; ".join(str(violation) for violation in violations)
        message = listed if len(violations) == 1 else f"{len(violations)} mistakes in the configuration: {listed}"
        return cls(message, f"correct what is named; {default_file()} explains every key", violations)
