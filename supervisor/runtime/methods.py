"""The handlers of the local methods, by name. Those that wait for something run beside the gateway."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
import trio

from actors.messages.request import Request
from actors.model.errors import Conflict, Forbidden, Internal, InvalidParams, NotFound, PerdureError
from actors.model.tables import decode_service
from supervisor.config import masked
from supervisor.runtime.health import health, look_at_disk
from supervisor.runtime.office import Office
from supervisor.runtime.services.methods import service_methods
from supervisor.runtime.services.supervisors import PLACE
from supervisor.runtime.tree_rows import tree_rows
from supervisor.tree.chaos import Harm
from supervisor.tree.errors import NotRestartable, TreeError, UnknownChild
from supervisor.tree.supervisor import Supervisor
from supervisor.wire import openrpc

LocalHandler = Callable[[Request], None]
LOOK_EVERY_S = 30.0
"""Counting the files of a directory takes the disk a while; readers of metrics come more often."""
RELOAD_WITHIN_S = 10.0
"""The root reads one file; if it says nothing for so long it is stopped or hung, and that is told."""


def local_methods(office: Office) -> Mapping[str, LocalHandler]:
    """Return method name → handler, for everything that is answered without an actor."""
    now: dict[str, Callable[[Request], Any]] = {
        "runtime.ping": lambda _request: {"pong": True, "seq": office.ledger.tables.seq},
        "runtime.status": lambda _request: status(office),
        "runtime.shutdown": lambda _request: _shutdown(office),
        "actor.list": lambda _request: {"actors": _rows(office)},
        "actor.kill": lambda request: _kill(office, request),
        "rpc.discover": lambda _request: openrpc.document(office.version),
    }
    waiting: dict[str, Callable[[Request], Awaitable[Any]]] = {
        "runtime.health": lambda _request: health(office),
        "runtime.metrics": lambda request: _metrics(office, request),
        "runtime.reload": lambda _request: _reload(office),
        "actor.restart": lambda request: _restart(office, request),
        **service_methods(office.records),
    }
    handlers: dict[str, LocalHandler] = {name: _at_once(answer) for name, answer in now.items()}
    handlers.update({name: _beside(office, answer) for name, answer in waiting.items()})
    return handlers


def status(office: Office) -> dict[str, Any]:
    """Return who and what is running."""
    ledger = office.ledger
    tables = ledger.tables
    daemon = tables.row("daemon", "daemon")
    return {
        "identity": ledger.identity,
        "version": office.version,
        "state_path": str(office.state_path),
        "socket": office.socket_path,
        "mode": ledger.mode.value,
        "reasons": ledger.reasons,
        "alerts": office.standing_alerts,
        "seq": tables.seq,
        "epoch": ledger.epoch,
        "started_at": office.started_at,
        "incarnation": office.incarnation,
        "pids": {**office.pids, "agents": office.agents},
        "root": office.root,
        "daemon": orjson.loads(daemon.encoded) if daemon is not None else None,
        "actors": _rows(office),
        "counts": {
            "tasks": {
                **{name: tables.tasks.count(name) for name in tables.tasks.by_status},
                "total": len(tables.tasks),
            },
            "sessions": len(tables.sessions),
            "runs": len(tables.runs),
            "services": Counter(decode_service(row.encoded).status for row in tables.services.rows.values()),
            "keys": len(tables.keys),
        },
        "metrics": tables.metrics(),
        "recovery": ledger.recovery,
        "config": masked(office.config),
    }


def _at_once(answer: Callable[[Request], Any]) -> LocalHandler:
    def handle(request: Request) -> None:
        try:
            request.done(orjson.dumps(answer(request), default=str))
        except PerdureError as error:
            request.fail(error)

    return handle


def _beside(office: Office, answer: Callable[[Request], Awaitable[Any]]) -> LocalHandler:
    async def prepare(request: Request) -> None:
        try:
            request.done(orjson.dumps(await answer(request), default=str))
        except PerdureError as error:
            request.fail(error)
        except Exception as error:
            crash_id = secrets.token_hex(6)
            office.log.exception("a local method failed", method=request.method, crash_id=crash_id)
            request.fail(Internal(f"{request.method} failed: {error!r}", crash_id=crash_id))

    def handle(request: Request) -> None:
        if office.nursery is None:
            raise RuntimeError("the runtime has not started")
        office.nursery.start_soon(prepare, request)

    return handle


def _rows(office: Office) -> list[dict[str, Any]]:
    tree = _tree(office).tree()
    rows = tree_rows(tree, office.mailboxes)
    if office.services is not None:
        for view in office.services.views(above=tree.path):
            rows.extend(tree_rows(view, {}))
    return rows


def _tree(office: Office) -> Supervisor:
    if office.tree is None:
        raise RuntimeError("the runtime has not started")
    return office.tree


async def _metrics(office: Office, request: Request) -> Any:
    if office.clock.monotonic_s() - office.looked_at_s > LOOK_EVERY_S:
        await look_at_disk(office)
    office.metrics.files = office.disk.get("files", {})
    from supervisor.runtime import metric_families  # noqa: PLC0415  no start waits for the library

    if request.params.format == "openmetrics":
        return {"text": metric_families.as_openmetrics(office.metrics)}
    return metric_families.as_json(office.metrics)


def _shutdown(office: Office) -> dict[str, Any]:
    office.ask_shutdown()
    return {"stopping": True}


def _kill(office: Office, request: Request) -> dict[str, Any]:
    if not office.config.chaos.enabled:
        raise Forbidden("actor.kill is for chaos only", hint="set chaos.enabled = true in the configuration")
    name, how = request.params.name, Harm(request.params.how)
    try:
        _tree(office).crash_child(name, how)
    except UnknownChild as error:
        raise _unknown(name, error) from None
    except TreeError as error:
        raise Conflict(str(error), hint="it is on its way back: try again") from None
    return {"name": name, "how": str(how)}


def _unknown(name: str, error: UnknownChild) -> NotFound:
    if f"/{PLACE}/" in name:
        return NotFound(f"{name} is no actor but a service", hint="service.restart, service.stop")
    return NotFound(str(error), hint="actor.list shows the tree")


async def _restart(office: Office, request: Request) -> dict[str, Any]:
    name = request.params.name
    try:
        view = await _tree(office).restart_child(name)
    except UnknownChild as error:
        raise _unknown(name, error) from None
    except NotRestartable as error:
        raise InvalidParams.of("name", str(error)) from None
    except TreeError as error:
        raise Conflict(str(error), hint="actor.list shows how it goes on") from None
    return tree_rows(view, office.mailboxes)[0]


async def _reload(office: Office) -> dict[str, Any]:
    answered = trio.Event()
    said: list[dict[str, Any] | Exception] = []

    def hear(answer: dict[str, Any] | Exception) -> None:
        said.append(answer)
        answered.set()

    office.reloads.append(hear)
    office.ask_reload()
    with trio.move_on_after(RELOAD_WITHIN_S):
        await answered.wait()
    if not said:
        office.reloads.remove(hear)
        raise Internal("the root does not answer", hint="look at perdure status; the root may be stopped")
    if isinstance(said[0], Exception):
        raise said[0]
    return said[0]
