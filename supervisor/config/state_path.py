"""
Where the state directory is, found out at the price of a few system calls.

`perdure status` and its like need nothing of the configuration but `state.path`, and must answer before a person
notices a wait. So the answer is looked for in the same layers as ever, in the order of precedence, and the full loader
is imported only where a configuration file is in play. What is not looked at is not checked: `up` does that.
"""

from collections.abc import Mapping
from pathlib import Path

from supervisor.config.environment import CONFIG_VARIABLE, dotenv_values

DEFAULT_STATE_PATH = "coding-agent-state"
"""A test holds it equal to `state.path` of the schema and of `default.toml`."""

_PATH_NAMES = ("PERDURE_STATE__PATH", "STATE_PATH")


def quick_state_path(
    option: str | Path | None, environ: Mapping[str, str], cwd: Path, config_path: str | Path | None = None
) -> Path:
    """
    The absolute path of the state directory, as the full loader would find it.

    `option` is what `--state-path` says, None when it was not given; `config_path` is what `--config` says. Raises
    ConfigError where a path cannot be one, where `.env` cannot be read, and, when a configuration file is named, for
    whatever is wrong in any layer.
    """
    if option is not None:
        return _absolute(str(option), "option", cwd)
    places = ((environ, "environment"), (_dotenv_or_refuse(cwd / ".env"), str(cwd / ".env")))
    for variables, label in places:
        for name in _PATH_NAMES:
            if variables.get(name):
                return _absolute(variables[name], f"{label} {name}", cwd)
    if config_path or any(variables.get(CONFIG_VARIABLE) for variables, _ in places):
        from supervisor.config.loading import load  # noqa: PLC0415 - the point of this module

        return load(config_path, environ=environ, cwd=cwd).state.path
    return cwd / DEFAULT_STATE_PATH


def _dotenv_or_refuse(path: Path) -> Mapping[str, str]:
    try:
        return dotenv_values(path)
    except (OSError, UnicodeDecodeError):
        from supervisor.config.errors import ConfigError  # noqa: PLC0415 - only where it is raised
        from supervisor.config.sources import from_dotenv  # noqa: PLC0415 - it words the violation

        raise ConfigError.of(tuple(from_dotenv(path.parent).violations)) from None


def _absolute(text: str, source: str, cwd: Path) -> Path:
    if text and not text.startswith("~") and "\0" not in text:
        return cwd / text
    from supervisor.config.errors import ConfigError, Violation  # noqa: PLC0415 - only for what is not plain
    from supervisor.config.values import Unfit, absolute  # noqa: PLC0415 - as above

    try:
        return absolute(text, cwd)
    except Unfit as error:
        raise ConfigError.of((Violation(source=source, key="state.path", problem=str(error)),)) from None
