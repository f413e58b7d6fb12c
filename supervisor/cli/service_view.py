"""How services look. Pure functions from the rows that the runtime answered."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from supervisor.cli.paper import BAD, BUSY, FAINT, GOOD, PLAIN, STRONG, WARNING, Cell, Column, Table
from supervisor.cli.words import age, dig, one_line, scalar

Service = Mapping[str, Any]

STYLES: Final[Mapping[str, str]] = {
    "running": GOOD,
    "starting": BUSY,
    "backing_off": WARNING,
    "failed": BAD,
    "stopped": FAINT,
}


def listed(services: Sequence[Service], now: datetime) -> Table:
    """The list: a row per service. Columns in which no service has anything to say are left out."""
    columns: list[tuple[Column, Any]] = [
        (Column("NAME"), lambda service: Cell(scalar(service.get("name")), STRONG)),
        (Column("STATUS"), _status),
        (Column("PID", right=True), lambda service: Cell(scalar(service.get("pid")))),
        (Column("SINCE", right=True), lambda service: Cell(age(_since(service), now), FAINT)),
        (Column("RESTARTS", right=True), lambda service: Cell(scalar(service.get("restarts")))),
    ]
    if any(service.get("endpoint") for service in services):
        columns.append((Column("ENDPOINT"), lambda service: Cell(scalar(service.get("endpoint")))))
    columns.append((Column("COMMAND", elastic=True), lambda service: Cell(_command_line(service))))
    if any(service.get("last_error") for service in services):
        columns.append((Column("LAST ERROR", elastic=True), lambda service: Cell(_last_error(service), WARNING)))
    rows = [tuple(cell_of(service) for _, cell_of in columns) for service in services]
    return Table(tuple(column for column, _ in columns), rows, empty="No services; [services.NAME] configures them.")


def outcome(service: Service) -> str:
    """What came of a command, in one line."""
    why = _last_error(service) if service.get("status") in {"failed", "backing_off"} else ""
    return f"{service['name']}: {service['status']}{': ' + why if why else ''}"


def _status(service: Service) -> Cell:
    """The status, with what the last life ended with where it is not what everybody hopes for."""
    text = scalar(service.get("status"))
    style = STYLES.get(text, PLAIN)
    if service.get("signal") is not None:
        return Cell(f"{text} (signal {service['signal']})", style)
    if service.get("exit_code"):
        return Cell(f"{text} ({service['exit_code']})", style)
    return Cell(text, style)


def _since(service: Service) -> Any:
    return service.get("started_at") if service.get("status") in {"running", "starting"} else service.get("exited_at")


def _command_line(service: Service) -> str:
    return one_line(shlex.join(str(word) for word in (service.get("command"), *(service.get("args") or ()))))


def _last_error(service: Service) -> str:
    return one_line(str(dig(service, "last_error", "message") or ""))
