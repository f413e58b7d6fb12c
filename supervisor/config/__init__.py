"""
The configuration: what may be set, where it is read, and what is refused.

Theory of operation. `schema` declares every key once: section, type, default, bounds, and whether it may change while
running. `sources` reads the layers, each value with the place it came from: `configs/default.toml`, then the file named
by `--config` or `PERDURE_CONFIG`, then `.env` of the working directory, then the environment, then options. Each layer
is checked whole against the schema, also where a later one overrides it, so that a mistake never sleeps. `loading`
merges them and raises one `ConfigError` that lists every violation, or gives a frozen `Config`.

Why not typed-settings: it passes over unknown names in the environment, sees no mistake in a value that a later layer
overrides, takes `state-path` for `state_path`, names no nearest key, and costs 50 ms of import; what would be left of
it is a merge of dictionaries. The schema's types are four scalars and a path, checked in `values`.

The names below are loaded at their first use: `perdure status` needs `state_path` only, which imports next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisor.config.changes import apply_live, live_changes
    from supervisor.config.errors import ConfigError, Violation
    from supervisor.config.loading import Resolved, from_wire, load, masked, resolve, to_wire
    from supervisor.config.schema import Config
    from supervisor.config.state_path import quick_state_path

__all__ = [
    "Config",
    "ConfigError",
    "Resolved",
    "Violation",
    "apply_live",
    "from_wire",
    "live_changes",
    "load",
    "masked",
    "quick_state_path",
    "resolve",
    "to_wire",
]

_MODULE_OF = {
    "Config": "schema",
    "ConfigError": "errors",
    "Resolved": "loading",
    "Violation": "errors",
    "apply_live": "changes",
    "from_wire": "loading",
    "live_changes": "changes",
    "load": "loading",
    "masked": "loading",
    "quick_state_path": "state_path",
    "resolve": "loading",
    "to_wire": "loading",
}


def __getattr__(name: str) -> object:
    """Import what is asked for from the module that has it."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    return found
