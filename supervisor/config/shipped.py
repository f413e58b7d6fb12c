"""Where the shipped files are: they are read as defaults, and named to whoever made a mistake."""

from pathlib import Path


def default_file(name: str = "default.toml") -> Path:
    """A shipped file: in the installed package if it is there, else the checkout's."""
    package = Path(__file__).parents[1]
    installed = package / "_configs" / name
    return installed if installed.exists() else package.parent / "configs" / name
