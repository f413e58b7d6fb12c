"""What a running Perdure takes from a configuration that was read again, and what waits for a restart."""

import attrs

from supervisor.config.schema import KEYS, NAMED, SECTIONS, Config


def live_changes(old: Config, new: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    The dotted keys whose values differ: those that can be applied while running, and those that need a restart.

    Which key belongs where stands in the schema (`live=True`). Both in the order of the schema.
    """
    changed = [name for name in KEYS if _value(old, name) != _value(new, name)]
    return (
        tuple(name for name in changed if KEYS[name].bounds.live),
        (
            *(name for name in changed if not KEYS[name].bounds.live),
            *(name for name in NAMED if getattr(old, name) != getattr(new, name)),
        ),
    )


def apply_live(old: Config, new: Config) -> Config:
    """`old` with the changes of `new` that can be applied while running: what holds after a reload."""
    applied, _ = live_changes(old, new)
    for section in SECTIONS:
        taken = {name.partition(".")[2]: _value(new, name) for name in applied if name.startswith(f"{section}.")}
        if taken:
            old = attrs.evolve(old, **{section: attrs.evolve(getattr(old, section), **taken)})
    return old


def _value(config: Config, name: str) -> object:
    section, _, field = name.partition(".")
    value: object = getattr(getattr(config, section), field)
    return value
