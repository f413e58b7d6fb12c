"""supervisor/cli/screen.py: plain and complete in a pipe, coloured and never too wide on a terminal."""

import io
import re

import pytest

from supervisor.cli.paper import GOOD, Cell, Column, Table, facts
from supervisor.cli.screen import Screen, cells, plain_lines

WIDE = Table(
    (Column("ID"), Column("N", right=True), Column("WHAT", elastic=True)),
    [
        (Cell("first"), Cell("5"), Cell("short")),
        (
            Cell("日本", GOOD),
            Cell("12"),
            Cell("a description that goes on and on and on until it is cut, 日本語も長い説明文です"),
        ),
    ],
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    return Terminal()


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_columns_are_aligned_by_the_cells_that_characters_take() -> None:
    assert plain_lines(WIDE)[:2] == ["ID      N  WHAT", "first   5  short"]
    assert plain_lines(WIDE)[2].startswith("日本   12  a description")


def test_nothing_is_cut_in_a_pipe() -> None:
    out = io.StringIO()
    Screen(out).show(WIDE)
    assert "日本語も長い説明文です" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_nothing_is_wider_than_the_terminal(terminal: Terminal) -> None:
    Screen(terminal).show(WIDE)
    lines = without_colours(terminal.getvalue()).splitlines()
    assert max(cells(line) for line in lines) <= 40
    assert "…" in lines[2]
    assert lines[2].startswith("日本   12  a description")


def test_a_terminal_gets_colours(terminal: Terminal) -> None:
    Screen(terminal).show(WIDE)
    assert "\x1b[32m" in terminal.getvalue()


def test_no_color_is_respected(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    Screen(terminal).show(WIDE)
    assert "\x1b[32m" not in terminal.getvalue()
    assert "first" in terminal.getvalue()


def test_brackets_in_texts_are_no_markup(terminal: Terminal) -> None:
    Screen(terminal).show(facts([("tag", "[red]x[/red] :smile:")]))
    assert "[red]x[/red] :smile:" in without_colours(terminal.getvalue())


def test_a_wrapping_cell_shows_all_of_its_text_below_itself(terminal: Terminal) -> None:
    Screen(terminal).show(facts([("text", "word " * 20)]))
    lines = without_colours(terminal.getvalue()).splitlines()
    assert len(lines) > 1
    assert sum(line.count("word") for line in lines) == 20
    assert all(line.startswith("      ") for line in lines[1:])


def test_a_cell_of_several_lines_stays_in_its_column_in_a_pipe() -> None:
    assert plain_lines(facts([("log", "one\ntwo"), ("rev", "5")])) == ["log  one", "     two", "rev  5"]


def test_an_empty_table_says_what_it_has_to_say() -> None:
    out = io.StringIO()
    Screen(out).show(Table((Column("ID"),), [], empty="No tasks."))
    assert out.getvalue() == "No tasks.\n"


def test_tables_with_titles_are_set_apart() -> None:
    out = io.StringIO()
    Screen(out).show(facts([("a", "1")]), facts([("b", "2")], title="Second"))
    assert out.getvalue() == "a  1\n\nSecond\nb  2\n"


def test_json_is_readable_by_people_and_one_line_in_a_stream() -> None:
    out = io.StringIO()
    screen = Screen(out)
    screen.json({"id": "日"})
    screen.json({"id": "日"}, one_line=True)
    assert out.getvalue() == '{\n  "id": "日"\n}\n{"id": "日"}\n'


@pytest.mark.parametrize(("text", "wide"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("\u200d", 0), ("é", 1)])
def test_cells_are_counted_as_terminals_do(text: str, wide: int) -> None:
    assert cells(text) == wide


def test_ids_are_shortened_only_where_a_description_would_have_no_room(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = "task_01a1fd5e-a31a-7039-acfa-dd81af3386d6"
    row = (Cell(whole), Cell("a description of some length, longer than forty cells"))
    table = Table(
        (Column("ID", ids=True), Column("DESCRIPTION", elastic=True)), [row, (Cell("chosen-by-me"), Cell(""))]
    )
    Screen(terminal).show(table)
    monkeypatch.setenv("COLUMNS", "100")
    roomy, pipe = Terminal(), io.StringIO()
    Screen(roomy).show(table)
    Screen(pipe).show(table)
    narrow = without_colours(terminal.getvalue())
    assert "…dd81af3386d6  a description" in narrow
    assert "chosen-by-me" in narrow
    assert whole in without_colours(roomy.getvalue())
    assert whole in pipe.getvalue()


def test_a_column_that_yields_loses_its_beginning_before_a_title_is_cut_to_nothing(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = (Column("N"), Column("MODEL", yields=True), Column("TITLE", elastic=True))
    row = (Cell("1"), Cell("anthropic/claude-sonnet-4.5"), Cell("a title of some length"))
    table = Table(columns, [row, (Cell("2"), Cell("small"), Cell("another"))])
    Screen(terminal).show(table)
    assert without_colours(terminal.getvalue()).splitlines()[1].rstrip() == "1  …-sonnet-4.5  a title of some length"
    monkeypatch.setenv("COLUMNS", "50")
    wider = Terminal()
    Screen(wider).show(table)
    assert "…ic/claude-sonnet-4.5  a title of some length" in without_colours(wider.getvalue())
