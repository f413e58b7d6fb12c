"""The names that the environment and a `.env` file have for settings; imports next to nothing."""

from collections.abc import Mapping
from pathlib import Path

PREFIX = "PERDURE_"
SEPARATOR = "__"

CONFIG_VARIABLE = "PERDURE_CONFIG"
"""Names the configuration file where `--config` does not."""

SHORT_NAMES: Mapping[str, str] = {"STATE_PATH": "state.path", "DEBUG": "log.debug"}
"""Names that are not made of section and key: the one that the first users know, and every debugger's own."""


def dotenv_values(path: Path) -> Mapping[str, str]:
    """
    The variables that a `.env` file sets; empty when there is no such file.

    Names without a value are left out, `${NAME}` is replaced from the file and the environment. The parser is imported
    only when there is something to parse. Raises OSError, UnicodeDecodeError.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        return {}
    if not any(name in text for name in (PREFIX, *SHORT_NAMES)):
        return {}
    import io  # noqa: PLC0415 - only where there is something to parse

    import dotenv  # noqa: PLC0415 - only where there is something to parse

    parsed = dotenv.dotenv_values(stream=io.StringIO(text))
    return {name: value for name, value in parsed.items() if value is not None}
