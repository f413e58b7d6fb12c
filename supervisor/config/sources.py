"""
The layers: what each place says, every value with the name of the place.

A function here reads one place whole and never raises for what it finds: mistakes are collected in the layer, so that
all of them, from all layers, are told at once.
"""

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from supervisor.config.environment import PREFIX, SEPARATOR, SHORT_NAMES, dotenv_values
from supervisor.config.errors import Violation
from supervisor.config.schema import KEYS, NAMED, SECTIONS, Key
from supervisor.config.values import Unfit, checked, read

NEAREST_CUTOFF = 0.6
"""difflib's own default: below it a suggestion misleads more often than it helps."""

BEGINNING_MIN = 3
"""So many characters written right are taken for the beginning of a longer name, whatever else looks alike."""

DOTENV = ".env"


Convert = Callable[[Key, Any, Path], object]
"""`checked` or `read`: a declaration, what was found, and the directory that relative paths are taken from."""


@attrs.frozen
class Sourced:
    """A checked value and where it was read."""

    value: object
    source: str


@attrs.define
class Layer:
    """What one place says, by dotted key, and what is wrong there. Filled by the function that makes it."""

    values: dict[str, Sourced] = attrs.field(factory=dict)
    violations: list[Violation] = attrs.field(factory=list)
    named: dict[str, dict[str, Mapping[str, Any]]] = attrs.field(factory=lambda: {section: {} for section in NAMED})
    """[tools.NAME] and the like, by section and name."""
    named_in: str = ""
    """Where those were read."""

    def refuse(self, source: str, key: str, problem: str, nearest: str = "") -> None:
        """Note a mistake."""
        self.violations.append(Violation(source=source, key=key, problem=problem, nearest=nearest))

    def take(self, source: str, name: str, convert: Convert, value: Any, directory: Path) -> None:
        """Keep `value`, converted, as that of the declared key `name`, or note why it does not fit."""
        try:
            self.values[name] = Sourced(convert(KEYS[name], value, directory), source)
        except Unfit as error:
            self.refuse(source, name, str(error))


def from_file(path: Path, directory: Path) -> Layer:
    """The layer of one TOML file; relative paths in it are taken from `directory`, as those given anywhere else are."""
    source = str(path)
    layer = Layer()
    try:
        tables = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        layer.refuse(source, "", "there is no such file")
    except OSError as error:
        layer.refuse(source, "", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        layer.refuse(source, "", f"is not valid UTF-8 (at byte {error.start})")
    except ValueError as error:  # tomllib's own is one, and a number with too many digits is another
        layer.refuse(source, "", f"is not valid TOML: {error}")
    except RecursionError:
        layer.refuse(source, "", "is nested too deeply")
    else:
        layer = from_tables(tables, source, directory)
    return layer


def from_tables(tables: Mapping[str, object], source: str, directory: Path) -> Layer:
    """The layer of sections of typed values, `{"state": {"path": …}}`."""
    layer = Layer(named_in=source)
    for section, table in tables.items():
        if section in NAMED and isinstance(table, Mapping):
            _take_named(layer, section, table, source)
        elif section not in SECTIONS:
            layer.refuse(source, section, "there is no such section", _nearest_section(section))
        elif not isinstance(table, Mapping):
            layer.refuse(source, section, f"is a section: write [{section}] and its keys below")
        else:
            _take_table(layer, section, table, source, directory)
    return layer


def from_environment(variables: Mapping[str, str], directory: Path, label: str = "environment") -> Layer:
    """
    The layer of `STATE_PATH`, `DEBUG` and `PERDURE_SECTION__KEY`.

    Other names are other programs' and are passed over; but one that is a key's name with a single `_` between section
    and key is a slip, and is refused. Where the short and the long name of a key are both set, the long one holds. An
    empty short name is an unset one, as shells and container tools give it.
    """
    layer = Layer()
    for short, name in SHORT_NAMES.items():
        if variables.get(short):
            layer.take(f"{label} {short}", name, read, variables[short], directory)
    for variable, text in variables.items():
        if not variable.startswith(PREFIX):
            continue
        source = f"{label} {variable}"
        section, separator, rest = variable.removeprefix(PREFIX).partition(SEPARATOR)
        name = f"{section}.{rest}".lower()
        if not separator:
            if meant := _SLIPS.get(variable):
                layer.refuse(label, variable, "there is no such variable", meant)
        elif name not in KEYS or variable != _variable(name):
            layer.refuse(label, variable, "there is no such key", _nearest(variable, map(_variable, KEYS)))
        else:
            layer.take(source, name, read, text, directory)
    return layer


def from_dotenv(directory: Path) -> Layer:
    """The layer of `.env` in `directory`; empty when there is none."""
    path = directory / DOTENV
    try:
        variables = dotenv_values(path)
    except OSError as error:
        layer = Layer()
        layer.refuse(str(path), "", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        layer = Layer()
        layer.refuse(str(path), "", f"is not valid UTF-8 (at byte {error.start})")
    else:
        layer = from_environment(variables, directory, str(path))
    return layer


def from_options(options: Mapping[str, object], directory: Path) -> Layer:
    """The layer of explicit options by dotted key; a text is read as the key's type, anything else must have it."""
    layer = Layer()
    for name, value in options.items():
        if name not in KEYS:
            layer.refuse("option", name, "there is no such key", _nearest(name, KEYS))
        elif isinstance(value, str):
            layer.take("option", name, read, value, directory)
        else:
            layer.take("option", name, checked, value, directory)
    return layer


def _take_table(layer: Layer, section: str, table: Mapping[str, object], source: str, directory: Path) -> None:
    for short, value in table.items():
        name = f"{section}.{short}"
        if name in KEYS:
            layer.take(source, name, checked, value, directory)
            continue
        layer.refuse(source, name, "there is no such key", _nearest_key(section, short))


def _take_named(layer: Layer, section: str, tables: Mapping[str, object], source: str) -> None:
    for name, table in tables.items():
        if isinstance(table, Mapping):
            layer.named[section][name] = table
        else:
            noun = section.removesuffix("s")
            layer.refuse(source, f"{section}.{name}", f"is a {noun}: write [{section}.{name}] and its keys below")


def _nearest_section(section: str) -> str:
    return _nearest(section, (*SECTIONS, *NAMED)) or _nearest_key("", section)


def _nearest_key(section: str, short: str) -> str:
    """The right key below the wrong section; else the closest one of this section; else the closest one of any."""
    anywhere = {name.partition(".")[2]: name for name in KEYS}
    beside = {name.partition(".")[2]: name for name in KEYS if name.startswith(f"{section}.")}
    return anywhere.get(short) or beside.get(_nearest(short, beside)) or anywhere.get(_nearest(short, anywhere), "")


def _nearest(name: str, candidates: Iterable[str]) -> str:
    known = list(candidates)
    found = difflib.get_close_matches(name, known, n=1, cutoff=NEAREST_CUTOFF)
    longer = [candidate for candidate in known if len(name) >= BEGINNING_MIN and candidate.startswith(name)]
    return next(iter([*longer, *found]), "")


def _variable(name: str) -> str:
    section, _, key = name.partition(".")
    return f"{PREFIX}{section}{SEPARATOR}{key}".upper()


_SLIPS: Mapping[str, str] = {_variable(name).replace(SEPARATOR, "_"): _variable(name) for name in KEYS}
"""`PERDURE_STATE_PATH` to `PERDURE_STATE__PATH`, for every key."""
