"""
From the layers to a `Config`, and from a `Config` to what leaves the process.

Later layers win, key by key. Every layer's mistakes are told together; the rules between two keys are looked at only
when each key is fine by itself, on the values that hold in the end.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import attrs

from supervisor.config import services, tools
from supervisor.config.environment import CONFIG_VARIABLE, dotenv_values
from supervisor.config.errors import ConfigError, Violation
from supervisor.config.schema import KEYS, NAMED, ORDER, SECTIONS, Config
from supervisor.config.shipped import default_file
from supervisor.config.sources import (
    Layer,
    Sourced,
    from_dotenv,
    from_environment,
    from_file,
    from_options,
    from_tables,
)
from supervisor.config.tables import merged
from supervisor.masking import mask

WIRE_SOURCE = "the configuration handed over by the root process"


@attrs.frozen(kw_only=True)
class Resolved:
    """A configuration and where each of its values was read (dotted key to a file's path, variable or `option`)."""

    config: Config
    sources: Mapping[str, str]


def load(
    config_path: str | Path | None = None,
    options: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Config:
    """The configuration that holds; arguments and errors as `resolve`."""
    return resolve(config_path, options, environ, cwd).config


def resolve(
    config_path: str | Path | None = None,
    options: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Resolved:
    """
    Read every layer and merge them.

    `config_path` is what `--config` says; None leaves it to `PERDURE_CONFIG`. `options` are explicit settings by dotted
    key (`{"state.path": "/srv/perdure"}`), as text or typed; None as a value stands for an option that was not given.
    `environ` and `cwd` default to this process's. Raises ConfigError with every mistake found.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    given = {name: value for name, value in (options or {}).items() if value is not None}
    layers = [
        from_file(default_file(), cwd),
        from_file(default_file("tools.toml"), cwd),
        from_dotenv(cwd),
        from_environment(environ, cwd),
        from_options(given, cwd),
    ]
    named = config_path or environ.get(CONFIG_VARIABLE) or _config_of_dotenv(cwd)
    if named:
        layers.insert(2, from_file(cwd / Path(named).expanduser(), cwd))
    return _merged(layers)


def to_wire(config: Config) -> dict[str, dict[str, Any]]:
    """`config` as sections of JSON values."""
    sections: dict[str, dict[str, Any]] = {
        section: {
            field: str(value) if isinstance(value, Path) else value
            for field, value in attrs.asdict(getattr(config, section)).items()
        }
        for section in SECTIONS
    }
    for section in NAMED:
        sections[section] = {name: dict(table) for name, table in getattr(config, section).items()}
    return sections


def from_wire(tables: Mapping[str, object]) -> Config:
    """
    The configuration that `to_wire` made `tables` of.

    As strict as a file, and complete: a key that is missing is refused, because a root process of another version would
    otherwise be misunderstood in silence. Raises ConfigError.
    """
    layer = from_tables(tables, WIRE_SOURCE, Path("/"))
    refused = {violation.key for violation in layer.violations}
    for name in KEYS:
        if name not in layer.values and name not in refused:
            layer.refuse(WIRE_SOURCE, name, "is missing")
    return _merged([layer]).config


def masked(config: Config) -> dict[str, dict[str, Any]]:
    """As `to_wire`, for people to read: texts whose key looks secret are replaced."""
    return cast("dict[str, dict[str, Any]]", mask(to_wire(config)))


def _config_of_dotenv(cwd: Path) -> str | None:
    try:
        return dotenv_values(cwd / ".env").get(CONFIG_VARIABLE)
    except (OSError, UnicodeDecodeError):
        return None  # the layer of .env, which is read as well, tells it


def _merged(layers: list[Layer]) -> Resolved:
    violations = tuple(violation for layer in layers for violation in layer.violations)
    if violations:
        raise ConfigError.of(violations)
    values: dict[str, Sourced] = {}
    for layer in layers:
        values.update(layer.values)
    if violations := tuple(_out_of_order(values)):
        raise ConfigError.of(violations)
    sections = {
        section: kind(
            **{
                name.partition(".")[2]: sourced.value
                for name, sourced in values.items()
                if name.startswith(f"{section}.")
            }
        )
        for section, kind in SECTIONS.items()
    }
    return Resolved(
        config=Config(**sections, tools=_named("tools", layers), services=_named("services", layers)),
        sources={name: sourced.source for name, sourced in values.items()},
    )


def _named(section: str, layers: list[Layer]) -> Mapping[str, Mapping[str, Any]]:
    """A section's tables of all layers, one over the other; raises ConfigError with everything that is wrong there."""
    found: dict[str, Mapping[str, Any]] = {}
    for layer in layers:
        for name, table in layer.named[section].items():
            found[name] = merged(found.get(name, {}), table)
    wrong = [
        Violation(
            source=_said_in(layers, section, name, key),
            key=f"{section}.{name}.{key}".rstrip("."),
            problem=problem,
            nearest=nearest,
        )
        for name, table in found.items()
        for key, problem, nearest in _PROBLEMS_OF[section](name, table)
    ]
    if wrong:
        raise ConfigError.of(tuple(wrong))
    return found


def _said_in(layers: list[Layer], section: str, name: str, key: str) -> str:
    """Where a member of a table was said: the last place that says most of its dotted name, for that one holds."""
    words = key.replace("[", ".").split(".")

    def words_said(layer: Layer) -> int:
        table: object = layer.named[section][name]
        for count, word in enumerate(words):
            if not isinstance(table, Mapping) or word not in table:
                return count
            table = table[word]
        return len(words)

    places = [layer for layer in reversed(layers) if name in layer.named[section]]
    return max(places, key=words_said).named_in


_PROBLEMS_OF = {"tools": lambda _name, table: tools.problems_of(table), "services": services.problems_of}


def _out_of_order(values: Mapping[str, Sourced]) -> list[Violation]:
    found = []
    for rule in ORDER:
        lower, upper = (values.get(name, Sourced(KEYS[name].default, "default")) for name in (rule.lower, rule.upper))
        if lower.value > upper.value:  # type: ignore[operator] # both are declared as numbers
            problem = f"{lower.value} is more than {rule.upper} = {upper.value} ({upper.source}): {rule.reason}"
            found.append(Violation(source=lower.source, key=rule.lower, problem=problem))
    return found
