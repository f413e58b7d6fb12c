"""
Every key there is, declared once.

The meaning, unit and reason of each key stand in `configs/default.toml`, beside the value that a reader would change; a
test holds the defaults here and there equal. A key that is not declared here is refused wherever it is written. What is
not built has no key.
"""

import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

import attrs

T = TypeVar("T")

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

DAY_S = 24 * 3600
INT_MAX = 2**63 - 1
"""Numbers stay within 64 bits: they travel to the runtime as JSON."""

Durability = Literal["commit", "interval", "none"]
OnExhausted = Literal["stop", "slow_retry"]
LogLevel = Literal["debug", "info", "warning", "error"]


@attrs.frozen
class Bounds:
    """What a declaration says beside type and default. Both ends are allowed values."""

    at_least: float | None = None
    at_most: float | None = None
    live: bool = False
    """Whether a running Perdure takes a new value; every other key needs a restart."""


def _key(default: T, at_least: float | None = None, at_most: float | None = None, *, live: bool = False) -> T:
    return attrs.field(default=default, metadata={"bounds": Bounds(at_least, at_most, live)})


@attrs.frozen(kw_only=True)
class State:
    """The state directory and how it is written."""

    path: Path = _key(Path("coding-agent-state"))
    durability: Durability = _key("commit")
    durability_interval_s: float = _key(1.0, 0.01, 3600)
    autosave_interval_s: float = _key(30.0, 0.01, DAY_S, live=True)
    snapshot_after_facts: int = _key(50_000, 1, INT_MAX)
    backups_kept: int = _key(10, 1, 1000, live=True)
    journal_keep: int = _key(7, 0, 36_500, live=True)
    journal_bytes_max: int = _key(GIB, 64 * KIB, INT_MAX, live=True)
    disk_reserve_bytes: int = _key(64 * MIB, 0, INT_MAX, live=True)
    segment_bytes_max: int = _key(64 * MIB, 4 * KIB, 4 * GIB)
    task_files_delay_s: float = _key(0.25, 0, 60)
    fallback_path: Path | None = _key(None)


@attrs.frozen(kw_only=True)
class Supervisor:
    """When a child is restarted, how soon, and when that is given up."""

    restarts_max: int = _key(10, 0, 1_000_000)
    within_s: float = _key(10.0, 0.001, DAY_S)
    process_restarts_max: int = _key(20, 0, 1_000_000)
    process_within_s: float = _key(10.0, 0.001, DAY_S)
    backoff_base_s: float = _key(0.05, 0.0001, 3600)
    backoff_factor: float = _key(2.0, 1, 100)
    backoff_max_s: float = _key(5.0, 0.0001, DAY_S)
    healthy_after_s: float = _key(5.0, 0, DAY_S)
    heartbeat_s: float = _key(1.0, 0.001, 3600)
    hung_after_s: float = _key(10.0, 0.01, DAY_S)
    stop_grace_s: float = _key(10.0, 0.01, 3600)
    on_exhausted: OnExhausted = _key("stop")
    slow_retry_s: float = _key(60.0, 0.01, DAY_S)
    standby: bool = _key(default=False)


@attrs.frozen(kw_only=True)
class Gateway:
    """What one client, and all of them together, may make the runtime hold."""

    frame_bytes_max: int = _key(16 * MIB, KIB, GIB)
    nesting_max: int = _key(128, 4, 200)
    connections_max: int = _key(1024, 1, 100_000)
    in_flight_max: int = _key(1024, 1, 1_000_000)
    half_frame_s: float = _key(30.0, 0.01, DAY_S)
    unsent_bytes_max: int = _key(64 * MIB, KIB, 64 * GIB)
    memory_bytes_max: int = _key(256 * MIB, 64 * KIB, 1024 * GIB)


@attrs.frozen(kw_only=True)
class Tasks:
    """Tasks, their inline logs and their leases."""

    logs_kept: int = _key(1000, 0, 1_000_000, live=True)
    archive_after_days: int = _key(90, 0, 36_500, live=True)
    lease_s: float = _key(60.0, 0.01, 30 * DAY_S, live=True)


@attrs.frozen(kw_only=True)
class Sessions:
    """How many sessions stay, and for how long."""

    max: int = _key(100, 0, 10_000_000, live=True)
    keep_days: int = _key(30, 0, 36_500, live=True)


@attrs.frozen(kw_only=True)
class Events:
    """Events held for those who ask again, and for those who are slow."""

    cache_size: int = _key(1000, 0, 10_000_000)
    subscriber_lines_max: int = _key(10_000, 1, 10_000_000)


@attrs.frozen(kw_only=True)
class Runs:
    """How waiting tasks are ordered, and how agents are run."""

    ageing_s: float = _key(600.0, 0.01, 365 * DAY_S, live=True)
    concurrency: int = _key(4, 0, 10_000, live=True)
    interruptions_max: int = _key(3, 0, 1000, live=True)
    grace_s: float = _key(10.0, 0, 3600, live=True)
    backoff_base_s: float = _key(1.0, 0, DAY_S, live=True)
    backoff_factor: float = _key(2.0, 1, 100, live=True)
    backoff_max_s: float = _key(300.0, 0, DAY_S, live=True)
    keep_days: float = _key(30.0, 0, 36_500, live=True)
    max: int = _key(10_000, 0, 100_000_000, live=True)
    cgroups: bool = _key(default=True)


@attrs.frozen(kw_only=True)
class Idempotency:
    """How long a repeated command is known for one."""

    keys_max: int = _key(100_000, 1, 100_000_000)
    keep_s: float = _key(float(DAY_S), 1, 365 * DAY_S)


@attrs.frozen(kw_only=True)
class Chaos:
    """Breaking things on purpose."""

    enabled: bool = _key(default=False)


@attrs.frozen(kw_only=True)
class Log:
    """`logs/perdure.log`."""

    level: LogLevel = _key("info", live=True)
    debug: str = _key("", live=True)
    rotate_bytes: int = _key(10 * MIB, 4 * KIB, 64 * GIB, live=True)
    rotated_kept: int = _key(5, 0, 1000, live=True)


@attrs.frozen(kw_only=True)
class Health:
    """When `health` complains."""

    disk_low_bytes: int = _key(512 * MIB, 0, INT_MAX, live=True)


@attrs.frozen(kw_only=True)
class Alerts:
    """When trouble is told, and whom."""

    command: tuple[str, ...] = _key((), live=True)
    timeout_s: float = _key(30.0, 0.01, 3600, live=True)
    restarts: int = _key(5, 1, 1_000_000, live=True)
    restarts_within_s: float = _key(60.0, 0.01, DAY_S, live=True)
    lag_files: int = _key(10_000, 1, INT_MAX, live=True)


@attrs.frozen(kw_only=True)
class Config:
    """The whole configuration; `Config()` is the defaults. Frozen: who holds one may keep it."""

    state: State = attrs.field(factory=State)
    supervisor: Supervisor = attrs.field(factory=Supervisor)
    gateway: Gateway = attrs.field(factory=Gateway)
    tasks: Tasks = attrs.field(factory=Tasks)
    sessions: Sessions = attrs.field(factory=Sessions)
    events: Events = attrs.field(factory=Events)
    runs: Runs = attrs.field(factory=Runs)
    idempotency: Idempotency = attrs.field(factory=Idempotency)
    chaos: Chaos = attrs.field(factory=Chaos)
    log: Log = attrs.field(factory=Log)
    health: Health = attrs.field(factory=Health)
    alerts: Alerts = attrs.field(factory=Alerts)
    tools: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    """[tools.NAME] as written, judged and merged (`config.tools`); their names are the user's, so they are no keys."""
    services: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    """[services.NAME], the same (`config.services`)."""


@attrs.frozen(kw_only=True)
class Key:
    """One declared key, as the sources and checks need it."""

    name: str
    """Dotted: `state.path`."""

    kind: type
    """bool, int, float, str, Path, or tuple for a list of texts."""

    default: object
    one_of: tuple[str, ...]
    """The words allowed; empty when any text is."""

    bounds: Bounds
    is_optional: bool = False
    """Whether an empty text means that there is none."""


@attrs.frozen(kw_only=True)
class NotAbove:
    """Two keys that only make sense in this order."""

    lower: str
    upper: str
    reason: str


ORDER = (
    NotAbove(
        lower="supervisor.heartbeat_s",
        upper="supervisor.hung_after_s",
        reason="every child would be taken for hung before it could answer",
    ),
    NotAbove(
        lower="supervisor.backoff_base_s", upper="supervisor.backoff_max_s", reason="the first delay is the shortest"
    ),
    NotAbove(
        lower="gateway.frame_bytes_max",
        upper="gateway.unsent_bytes_max",
        reason="a reply as long as a frame could never be sent",
    ),
    NotAbove(
        lower="gateway.unsent_bytes_max",
        upper="gateway.memory_bytes_max",
        reason="one slow client would use up what all share",
    ),
    NotAbove(
        lower="state.segment_bytes_max", upper="state.journal_bytes_max", reason="one segment would not fit the journal"
    ),
)


NAMED = ("tools", "services")
"""Sections whose tables have names of the user's own: [tools.NAME]."""

SECTIONS: Mapping[str, type] = types.MappingProxyType(
    {section.name: cast("type", section.type) for section in attrs.fields(Config) if section.name not in NAMED}
)
"""Section name to its class."""


def _kind_of(declared: Any) -> type:
    """The type that a value is judged by: of a list the list, of what may be missing what it is when it is there."""
    origin = get_origin(declared)
    if origin is types.UnionType:
        return cast("type", next(one for one in get_args(declared) if one is not type(None)))
    return cast("type", origin or declared)


def _declared() -> Iterator[Key]:
    for section, kind in SECTIONS.items():
        for field in attrs.fields(kind):
            words = get_args(field.type) if get_origin(field.type) is Literal else ()
            yield Key(
                name=f"{section}.{field.name}",
                kind=str if words else _kind_of(field.type),
                is_optional=type(None) in get_args(field.type),
                default=field.default,
                one_of=words,
                bounds=field.metadata["bounds"],
            )


KEYS: Mapping[str, Key] = types.MappingProxyType({key.name: key for key in _declared()})
"""Dotted name to declaration, in the order of `configs/default.toml`."""
