"""One life of a service: its beginning, its end, and what its supervisor makes of that (SPEC section 8).

A life is a run without a task. It waits for no turn: it is queued and ordered in one line. What becomes known of the
run (`runs_life.started`, `runs_ends.ended`) becomes known of the service in the same line, while the run is its life.
"""

from __future__ import annotations

from typing import Any

from actors.decisions.decision import NOTHING, At, Decision, Handler, patch, row_reply, whole
from actors.decisions.services import end_of_life, life_of, needed_service
from actors.messages import services as ask
from actors.model.draft import Draft
from actors.model.errors import Conflict
from actors.model.facts import Fact
from actors.model.run import Run, Stream, next_status, output_path
from actors.model.service import Service, tool_of
from actors.model.service import next_status as next_service_status
from actors.model.tables import decode_service


def begin(draft: Draft, asked: ask.LifeBegin, at: At) -> Decision:
    """Give the life that there is, the one whose end is not judged, or a new one; Conflict when none is wanted."""
    service = needed_service(draft, asked.name, at)
    if service.run_id == asked.run_id:
        return Decision((), (asked.run_id,))  # asked before
    if not service.wanted or service.status == "failed":
        raise Conflict(f"service {service.name} is not to run", hint="service.start", name=service.name)
    is_unjudged = service.status == "stopped" and not asked.is_judged
    if life_of(draft, service) is not None or (is_unjudged and draft.row("runs", service.run_id or "") is not None):
        return Decision((), (service.run_id or "",))
    return Decision((*_new_run(draft, service, asked, at), _begun(draft, service, asked, at)), (asked.run_id,))


def end(draft: Draft, asked: ask.LifeEnd, _at: At) -> Decision:
    """Its supervisor ends a life; that it is wanted stays."""
    service = _service_of(draft, asked.name, asked.run_id)
    life = None if service is None else life_of(draft, service)
    return Decision(tuple(end_of_life(draft, life, "its supervisor stopped it")), (asked.run_id,))


def delayed(draft: Draft, asked: ask.LifeDelayed, _at: At) -> Decision:
    """The next life begins by and by."""
    return _judged(draft, asked.name, asked.run_id, "service.backed_off", "back_off")


def last(draft: Draft, asked: ask.LifeLast, _at: At) -> Decision:
    """No life follows: the service is not wanted any more until somebody starts it."""
    return _judged(draft, asked.name, asked.run_id, "service.stopped", "rest", wanted=False)


def given_up(draft: Draft, asked: ask.GivenUp, _at: At) -> Decision:
    """Its supervisor gave up; why its last life ended stays, where that is known."""
    service = _service_of(draft, asked.name, asked.run_id)
    known = None if service is None else service.last_error
    error = {"kind": (known or {}).get("kind", "given_up"), "message": asked.message}
    return _judged(draft, asked.name, asked.run_id, "service.failed", "fail", last_error=error)


def _judged(draft: Draft, name: str, run_id: str, op: str, happening: str, **changes: Any) -> Decision:
    """What was decided when a life had ended, unless somebody wanted something else since."""
    service = _service_of(draft, name, run_id)
    if service is None or not service.wanted or service.status != "stopped":
        return NOTHING
    status = next_service_status(name, service.status, happening)
    return Decision((patch(draft, "services", op, name, {"status": status, **changes}),), (name,))


def _service_of(draft: Draft, name: str, run_id: str) -> Service | None:
    """Return the service while this run is its life, or its last."""
    row = draft.row("services", name)
    service = None if row is None else decode_service(row.encoded)
    return service if service is not None and service.run_id == run_id else None


def _new_run(draft: Draft, service: Service, asked: ask.LifeBegin, at: At) -> tuple[Fact, Fact]:
    run = Run(
        id=asked.run_id,
        tool=tool_of(service.name),
        attempt=service.lives + 1,
        argv=(service.command, *service.args),
        cwd=service.cwd,
        stdout=Stream(path=output_path(asked.run_id, "stdout")),
        stderr=Stream(path=output_path(asked.run_id, "stderr")),
        rev=draft.next_rev("runs", asked.run_id),
    )
    changes = {"status": next_status(run.id, run.status, "order"), "started_at": at.stamp}
    return whole("run.queued", run), Fact(op="run.ordered", id=run.id, rev=run.rev + 1, data=changes)


def _begun(draft: Draft, service: Service, asked: ask.LifeBegin, at: At) -> Fact:
    changes = {
        "status": next_service_status(service.name, service.status, "begin"),
        "pid": None,
        "pid_started": None,
        "started_at": at.stamp,
        "exited_at": None,
        "exit_code": None,
        "signal": None,
        "restarts": service.restarts + (1 if asked.is_restart else 0),
        "run_id": asked.run_id,
        "lives": service.lives + 1,
    }
    return patch(draft, "services", "service.begun", service.name, changes)


_RUN = row_reply("runs")
_SERVICE = row_reply("services")

HANDLERS: dict[type, Handler] = {
    ask.LifeBegin: Handler(begin, _RUN),
    ask.LifeEnd: Handler(end, _RUN),
    ask.LifeDelayed: Handler(delayed, _SERVICE),
    ask.LifeLast: Handler(last, _SERVICE),
    ask.GivenUp: Handler(given_up, _SERVICE),
}
"""What a service's supervisor may ask."""
