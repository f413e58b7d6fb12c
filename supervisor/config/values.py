"""
One value against one declaration: strict for values that have a type, and for text read as the type that is declared.

A function here gives the value to keep, or raises `Unfit` with the reason. Nothing is coerced: no "5" for 5, no 1.9 for
1, no 1 for true. The one exception is a whole number where seconds are declared: people write 30 and mean 30.0.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from supervisor.config.schema import Key

SHOWN_CHARACTERS_MAX = 80
"""A wrong value is shown to be recognised, not to fill a line."""

SHOWN_BITS_MAX = 1024
"""Of a number; Python itself refuses to write out those of some thousands of digits."""

_WORDS: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False}
"""What means yes and no where only text can be given."""

_KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path as text",
    tuple: "a list of texts",
    dict: "a table",
    list: "a list",
}


class Unfit(ValueError):
    """The value cannot be what the key declares; the text says why."""


def checked(key: Key, value: object, directory: Path) -> object:
    """
    `value`, which has a type (from TOML, JSON or a caller), as `key` wants it.

    A relative path is taken from `directory`, `~` is expanded. Raises Unfit.
    """
    if key.is_optional and value in (None, ""):
        return None
    if key.kind is Path:
        if isinstance(value, Path):
            return absolute(str(value), directory)
        if isinstance(value, str):
            return absolute(value, directory)
    elif key.kind is tuple and isinstance(value, list | tuple):
        return _texts(value)
    elif key.kind is float and type(value) in (int, float):
        try:
            return _within(key, float(value))  # type: ignore[arg-type] # the line above has looked
        except OverflowError:
            raise Unfit(f"must be {_KINDS[key.kind]}, is {_shown(value)}") from None
    elif type(value) is key.kind:
        return _one_of(key, value) if isinstance(value, str) else _within(key, value)
    raise Unfit(f"must be {_KINDS[key.kind]}, is {_named(value)}")


def read(key: Key, text: str, directory: Path) -> object:
    """The value that `text` (from the environment or a command line) stands for. Raises Unfit."""
    if not text.isascii():
        _refuse_undecodable(text)
    if key.kind is bool:
        if text.lower() not in _WORDS:
            raise Unfit(f"must be true or false, is {_shown(text)}")
        return _WORDS[text.lower()]
    if key.kind in (int, float):
        try:
            return checked(key, key.kind(text), directory)
        except ValueError as error:
            if isinstance(error, Unfit):
                raise
            raise Unfit(f"must be {_KINDS[key.kind]}, is {_shown(text)}") from None
    if key.kind is tuple:
        return _words(text)
    return checked(key, text, directory)


def _texts(value: Sequence[object]) -> tuple[str, ...]:
    for text in value:
        if not isinstance(text, str) or not text or "\0" in text:
            raise Unfit(f"must be a list of texts, each with something in it, holds {_named(text)}")
    return tuple(str(text) for text in value)


def _words(text: str) -> tuple[str, ...]:
    """A list where only text can be given: words, quoted as for a shell."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise Unfit(f"cannot be taken apart into words: {error}") from None


def _refuse_undecodable(text: str) -> None:
    """What the environment held as bytes that are no UTF-8 could not travel to the runtime as JSON."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unfit("is not valid UTF-8") from None


def absolute(text: str, directory: Path) -> Path:
    """`text` as an absolute path: `~` expanded, relative ones taken from `directory`. Raises Unfit."""
    if not text or "\0" in text:
        raise Unfit("must name a path, is empty" if not text else "must name a path, holds a NUL character")
    try:
        return directory / Path(text).expanduser()
    except RuntimeError as error:  # "~nobody" and no such user, or no home directory at all
        raise Unfit(f"cannot be expanded: {error}") from None


def _one_of(key: Key, value: str) -> str:
    if key.one_of and value not in key.one_of:
        words = ", ".join(f'"{word}"' for word in key.one_of)
        raise Unfit(f"must be one of {words}, is {_shown(value)}")
    return value


def _within(key: Key, value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise Unfit(f"must be a finite number, is {value}")
    if key.bounds.at_least is not None and value < key.bounds.at_least:
        raise Unfit(f"must be at least {_plain(key.bounds.at_least)}, is {_shown(value)}")
    if key.bounds.at_most is not None and value > key.bounds.at_most:
        raise Unfit(f"must be at most {_plain(key.bounds.at_most)}, is {_shown(value)}")
    return value


def _named(value: object) -> str:
    kind = _KINDS.get(type(value), type(value).__name__)
    return kind if isinstance(value, dict | list) else f"{kind} ({_shown(value)})"


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > SHOWN_BITS_MAX:
        return f"a number of {value.bit_length()} bits"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"


def _plain(bound: float) -> str:
    return str(int(bound)) if float(bound).is_integer() else str(bound)
