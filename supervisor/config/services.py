"""The tables `[services.NAME]`: long-lived agent servers that Perdure keeps running.

As tools they travel to the runtime merged and plain; `services_of` gives the values that the actors and the services'
supervisors work with. NAME is what `perdure service` and `service.*` call it by, and a part of paths in the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from actors.model.service import Restart
from actors.running.services import NO_LIMITS, ServiceSpec
from actors.running.tools import Limits
from supervisor.config.tables import Problem, judged, passed_on

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What TOML takes as a bare key; far below what a file name or a line of a list holds."""

Text = Annotated[str, Meta(min_length=1)]
Words = Annotated[str, Meta(min_length=1, max_length=1000)]
Bytes = Annotated[int, Meta(ge=1)]


class _Limits(msgspec.Struct, forbid_unknown_fields=True):
    output_bytes: Bytes | None = None
    memory_bytes: Bytes | None = None
    files: Bytes | None = None


class _Service(msgspec.Struct, forbid_unknown_fields=True):
    command: Text
    args: tuple[str, ...] = ()
    cwd: Text | None = None
    env: dict[str, str] = {}
    pass_env: tuple[Text, ...] = ()
    strategy: Words = "managed"
    mode: Words = "stdio"
    endpoint: Words | None = None
    restart: Restart = "permanent"
    stop_grace_s: Annotated[float, Meta(ge=0, le=3600)] = 10.0
    limits: _Limits = msgspec.field(default_factory=_Limits)


def services_of(tables: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]) -> dict[str, ServiceSpec]:
    """Return the services by name; `environ` is where the variables of `pass_env` are taken from."""
    return {name: _service(name, msgspec.convert(dict(table), _Service), environ) for name, table in tables.items()}


def problems_of(name: str, table: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with one service's name and table."""
    if not NAME.fullmatch(name):
        yield "", "a service's name has letters, digits, - and _ only, 64 at most", ""
    service, problems = judged(table, _Service)
    yield from problems
    if service is None:
        return
    for key, texts in (("command", (service.command,)), ("args", service.args), ("cwd", (service.cwd or "",))):
        if any("\0" in text for text in texts):
            yield key, "must not hold NUL characters", ""
    for variable, value in service.env.items():
        if not variable or "=" in variable or "\0" in variable + value:
            yield f"env.{variable}", "is no variable that a process can be given", ""


def _service(name: str, given: _Service, environ: Mapping[str, str]) -> ServiceSpec:
    return ServiceSpec(
        name=name,
        command=given.command,
        args=given.args,
        env={**passed_on(given.pass_env, environ), **given.env},
        cwd=given.cwd,
        strategy=given.strategy,
        mode=given.mode,
        endpoint=given.endpoint,
        restart=given.restart,
        stop_grace_s=given.stop_grace_s,
        limits=Limits(linger_s=NO_LIMITS.linger_s, **msgspec.structs.asdict(given.limits)),
    )
