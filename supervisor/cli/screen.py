"""
Putting tables on a terminal or into a pipe.

On a terminal `rich` lays them out: colours (unless NO_COLOR says otherwise), nothing wider than the window, long texts
cut at the cells of characters and not in their middle. In a pipe nothing is cut and nothing coloured, so that what is
searched for is found; `rich` is not even imported then. The plain form is made here.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TextIO

from supervisor.cli.paper import Cell, Column, Table
from supervisor.cli.words import shortened

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

GAP: Final = "  "

ELASTIC_LEAST: Final = 40
"""Cells that the elastic column should have: a description is recognised by its first words."""

YIELDING_LEAST: Final = 12
"""Cells that are left to a column that yields."""

NARROW: Final = 120
"""Columns of a terminal that a line with a whole id, its other columns and ELASTIC_LEAST would fill."""


class Screen:
    """Where a command's results go: standard output, or what a test gives."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out
        self.is_terminal = self._out.isatty()
        self._console: Console | None = None

    def show(self, *tables: Table) -> None:
        """Show tables one below the other, those with a title set apart by a blank line."""
        shown = [table for table in tables if table.rows or table.empty]
        for number, table in enumerate(shown):
            if number:
                self.say()
            if table.title:
                self.say(table.title, "bold")
            if not table.rows:
                self.say(table.empty, "dim")
            elif self.is_terminal:
                console = self.console()
                console.print(laid_out(fitted(table, console.width)))
            else:
                self._out.write("".join(line + "\n" for line in plain_lines(table)))
        self._out.flush()

    def say(self, text: str = "", style: str = "") -> None:
        """Write one line; a long one goes on over the window's edge as the terminal has it."""
        if self.is_terminal and style:
            self.console().print(_styled(Cell(text, style)), soft_wrap=True)
        else:
            self._out.write(text + "\n")
        self._out.flush()

    def write(self, text: str) -> None:
        """Write text as it is."""
        self._out.write(text)
        self._out.flush()

    def json(self, value: Any, *, one_line: bool = False) -> None:
        """Write a JSON value, indented for people unless it is one of a stream of them."""
        import json

        self._out.write(json.dumps(value, ensure_ascii=False, indent=None if one_line else 2) + "\n")
        self._out.flush()

    @property
    def is_narrow(self) -> bool:
        """Whether whole ids would leave too little room for anything else."""
        return self.is_terminal and self.console().width < NARROW

    def console(self) -> "Console":
        """The terminal as `rich` sees it."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=self._out, highlight=False, markup=False, emoji=False)
        return self._console


def fitted(table: Table, width: int) -> Table:
    """The table with short ids, then with short cells of columns that yield, as far as the elastic column needs it."""
    if _needed(table) > width:
        table = _with_cells(table, lambda place, text: shortened(text) if table.columns[place].ids else text)
    if (missing := _needed(table) - width) > 0:
        kept = {
            place: max(YIELDING_LEAST, max(len(row[place].text) for row in table.rows) - missing)
            for place, column in enumerate(table.columns)
            if column.yields
        }
        table = _with_cells(table, lambda place, text: _ending(text, kept[place]) if place in kept else text)
    return table


def _needed(table: Table) -> int:
    """How many columns of a terminal show what has to be seen."""
    needed = 0
    for place, column in enumerate(table.columns):
        natural = max(cells(row[place].text) for row in table.rows)
        needed += len(GAP) + max(len(column.name), min(natural, ELASTIC_LEAST) if column.elastic else natural)
    return needed


def _with_cells(table: Table, text_of: Callable[[int, str], str]) -> Table:
    rows = [[cell._replace(text=text_of(place, cell.text)) for place, cell in enumerate(row)] for row in table.rows]
    return table._replace(rows=rows)


def _ending(text: str, kept: int) -> str:
    """What `text` ends with: names that come from a hierarchy (`provider/model`) differ there."""
    return text if len(text) <= kept else f"…{text[1 - kept :]}"


def laid_out(table: Table) -> "RenderableType":
    """The table for a terminal."""
    from rich.table import Table as RichTable

    headed = any(column.name for column in table.columns)
    made = RichTable(
        box=None,
        show_header=headed,
        header_style="bold",
        pad_edge=False,
        padding=(0, len(GAP), 0, 0),
        # Only a table with a column that takes the rest is as wide as the window.
        expand=any(column.elastic for column in table.columns),
    )
    for column in table.columns:
        made.add_column(
            column.name,
            justify="right" if column.right else "left",
            ratio=1 if column.elastic else None,
            no_wrap=not column.wraps,
            overflow="fold" if column.wraps else "ellipsis",
        )
    for row in table.rows:
        made.add_row(*(_styled(cell) for cell in row))
    return made


def plain_lines(table: Table) -> list[str]:
    """The table as lines of text, columns aligned, nothing cut."""
    headed = any(column.name for column in table.columns)
    rows = [tuple(column.name for column in table.columns)] if headed else []
    rows += [tuple(cell.text for cell in row) for row in table.rows]
    wide = [max(cells(line) for row in rows for line in _lines(row[place])) for place in range(len(table.columns))]
    return [line for row in rows for line in _plain_row(table.columns, row, wide)]


def cells(text: str) -> int:
    """How many columns of a terminal `text` takes: none for combining characters, two for wide ones."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0
        if unicodedata.combining(character) or unicodedata.category(character) in {"Cf", "Me", "Mn"}
        else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _plain_row(columns: tuple[Column, ...], row: tuple[str, ...], wide: list[int]) -> list[str]:
    """One row, of as many lines as its longest cell has."""
    parts = [_lines(text) for text in row]
    made = []
    for number in range(max(len(part) for part in parts)):
        texts = [part[number] if number < len(part) else "" for part in parts]
        padded = [
            _padded(text, width, right=column.right) for column, text, width in zip(columns, texts, wide, strict=True)
        ]
        made.append(GAP.join(padded).rstrip())
    return made


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _padded(text: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - cells(text))
    return blanks + text if right else text + blanks


def _styled(cell: Cell) -> "RenderableType":
    from rich.text import Text

    return Text(cell.text, style=cell.style)
