"""Decisions about services as clients ask for them, and what the configuration makes of their rows (SPEC section 8).

A command changes what is wanted, and tells a life that is to leave to do so; both are one line. All else follows from
the rows: the services' supervisors in the runtime see to what is wanted, and stop what is not.
"""

from __future__ import annotations

import posixpath
from typing import Any

import attrs

from actors.decisions.decision import At, Decision, Handler, patch, row_reply, whole
from actors.decisions.runs_life import STOPPED, ending_of
from actors.messages import services as ask
from actors.model.draft import Draft
from actors.model.errors import NotFound
from actors.model.facts import Fact
from actors.model.run import ACTIVE, Run
from actors.model.service import Service, next_status
from actors.model.state import Lookup
from actors.model.tables import decode_run, decode_service
from actors.running.rules import RunRules
from actors.running.services import ServiceSpec


def configured(draft: Draft, at: At) -> Decision:
    """Bring the rows up to the configuration; a Perdure that came up anew wants every service that it names."""
    rules = at.rules.runs
    facts: list[Fact] = []
    for spec in rules.services.values():
        row = draft.row("services", spec.name)
        before = None if row is None else decode_service(row.encoded)
        after = _as_configured(before, spec, rules, at)
        if after != before:
            after = attrs.evolve(after, rev=draft.next_rev("services", spec.name))
            facts.append(whole("service.configured", after))
    gone = [name for name in draft.tables.services.rows if name not in rules.services]
    facts.extend(patch(draft, "services", "service.removed", name, {}) for name in gone)
    return Decision(tuple(facts), ())


def start(draft: Draft, asked: ask.ServiceStart, at: At) -> Decision:
    """Want a service that is stopped, given up or about to leave; one that is on its way, or there, stays as it is."""
    service = needed_service(draft, asked.name, at)
    life = life_of(draft, service)
    leaves = life is not None and ending_of(life) is not None and service.status != "starting"
    if service.wanted and service.status != "failed" and not leaves:
        return Decision((), (service.name,))
    return Decision((_wanted(draft, service),), (service.name,))


def stop(draft: Draft, asked: ask.ServiceStop, at: At) -> Decision:
    """Want a service no more, and end the life that it has."""
    service = needed_service(draft, asked.name, at)
    life = life_of(draft, service)
    facts = end_of_life(draft, life, "somebody stopped it")
    changes: dict[str, Any] = {"wanted": False}
    if life is None:
        changes["status"] = next_status(service.name, service.status, "rest")
    if any(getattr(service, name) != value for name, value in changes.items()):
        facts.append(patch(draft, "services", "service.stopped", service.name, changes))
    return Decision(tuple(facts), (service.name,))


def restart(draft: Draft, asked: ask.ServiceRestart, at: At) -> Decision:
    """End the life that a service has, so that another begins; a service without one is started."""
    service = needed_service(draft, asked.name, at)
    facts = end_of_life(draft, life_of(draft, service), "somebody restarted it")
    return Decision((*facts, _wanted(draft, service)), (service.name,))


def needed_service(lookup: Lookup, name: str, at: At) -> Service:
    """Return a service that is configured, or raise NotFound naming those that are."""
    row = lookup.row("services", name)
    if row is None or name not in at.rules.runs.services:
        known = ", ".join(sorted(at.rules.runs.services))
        hint = f"configured are {known}" if known else "the configuration names services as [services.NAME]"
        raise NotFound(f"there is no service {name}", hint=hint, name=name)
    return decode_service(row.encoded)


def life_of(lookup: Lookup, service: Service) -> Run | None:
    """Return the run that is the present life of a service; None when it has none."""
    row = lookup.row("runs", service.run_id or "")
    run = None if row is None else decode_run(row.encoded)
    return run if run is not None and run.status in ACTIVE else None


def end_of_life(draft: Draft, life: Run | None, message: str) -> list[Fact]:
    """Return the fact that Perdure ends a life, where that is not a fact already."""
    if life is None or ending_of(life) is not None:
        return []
    return [patch(draft, "runs", "run.end_asked", life.id, {"error": {"kind": STOPPED, "message": message}})]


def _wanted(draft: Draft, service: Service) -> Fact:
    status = next_status(service.name, service.status, "begin")
    changes = {"wanted": True, "status": status, "restarts": 0, "last_error": None}
    return patch(draft, "services", "service.wanted", service.name, changes)


def _as_configured(before: Service | None, spec: ServiceSpec, rules: RunRules, at: At) -> Service:
    part: dict[str, Any] = {
        "strategy": spec.strategy,
        "mode": spec.mode,
        "endpoint": spec.endpoint,
        "command": spec.command,
        "args": spec.args,
        "cwd": posixpath.normpath(posixpath.join(rules.cwd, spec.cwd or "")),
        "restart": spec.restart,
    }
    if before is None:
        return Service(id=spec.name, name=spec.name, status="starting", up_at=rules.up_at, **part)
    if before.up_at == rules.up_at:
        return attrs.evolve(before, **part)
    # No agent outlives its Perdure. The run that was this one's life becomes `interrupted` when the host says so.
    if before.pid is not None:
        part["last_error"] = {"kind": "interrupted", "message": "Perdure went down, and the service with it"}
        part["exited_at"] = at.stamp
    return attrs.evolve(
        before,
        status="starting",
        pid=None,
        pid_started=None,
        restarts=0,
        run_id=None,
        wanted=True,
        up_at=rules.up_at,
        **part,
    )


HANDLERS: dict[type, Handler] = {
    ask.ServiceStart: Handler(start, row_reply("services")),
    ask.ServiceStop: Handler(stop, row_reply("services")),
    ask.ServiceRestart: Handler(restart, row_reply("services")),
}
"""What clients may ask."""
