"""
What views make and `screen` shows: tables of styled cells, as frozen values.

A view knows nothing of terminals. It says which column may be cut when there is no room (`elastic`), which one is
broken into lines (`wraps`), and what a cell means by a style; where there are no colours, styles are nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

GOOD: Final = "green"
BAD: Final = "red"
WARNING: Final = "yellow"
BUSY: Final = "cyan"
FAINT: Final = "dim"
STRONG: Final = "bold"
PLAIN: Final = ""


class Cell(NamedTuple):
    """Text and what it means."""

    text: str
    style: str = PLAIN


class Column(NamedTuple):
    """How a column is laid out; one without a name has no heading."""

    name: str = ""
    right: bool = False
    """Numbers stand below each other's last digits."""
    elastic: bool = False
    """Takes the room that is left, and is cut first when there is too little."""
    yields: bool = False
    """Loses its beginning where the elastic column would get too little room with short ids, too."""
    wraps: bool = False
    """Shows all of a long text, on several lines."""
    ids: bool = False
    """Holds ids, which are shortened where the elastic column would get too little room."""


class Table(NamedTuple):
    """Columns, and rows of as many cells."""

    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    """Stands above it when there is more than one table to see."""
    empty: str = ""
    """Is said instead of it when there are no rows; without it nothing is."""


def facts(pairs: Iterable[tuple[str, str | Cell]], title: str = "") -> Table:
    """Names and what they are, below each other."""
    rows = [(Cell(name, FAINT), value if isinstance(value, Cell) else Cell(value)) for name, value in pairs]
    return Table((Column(), Column(wraps=True)), rows, title=title)
