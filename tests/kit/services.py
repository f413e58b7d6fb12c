"""Services for tests: small servers that misbehave, how they are configured, and how a Perdure with them is asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kit.perdure import Perdure, eventually

SERVERS = {
    # Counts, a line each, until it is told to stop; then says so and leaves with 0.
    "counts": """
import signal, time
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(True))
number = 0
while not told:
    print(f"line {number}", flush=True)
    number += 1
    time.sleep(0.002)
print("bye", flush=True)
""",
    # Ignores SIGTERM, and says when it does.
    "deaf": """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    time.sleep(3600)
""",
    # Leaves with CODE for as many lives as the file at PATH has characters, then stays.
    "recovers": """
import pathlib, sys, time
path, code = pathlib.Path(sys.argv[1]), int(sys.argv[2])
left = path.read_text()
path.write_text(left[1:])
if left:
    sys.exit(code)
while True:
    time.sleep(3600)
""",
}


def server(name: str, *arguments: object) -> dict[str, Any]:
    """A service's command and arguments."""
    return {"command": sys.executable, "args": ["-c", SERVERS[name], *map(str, arguments)]}


def configure(whole: Perdure, services: dict[str, dict[str, Any]]) -> None:
    """Have a Perdure configured with services, from its next start on."""
    lines = []
    for name, members in services.items():
        lines.append(f"[services.{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in members.items()]
    path = Path(whole.folder) / "services.toml"
    path.write_text("\n".join(lines) + "\n")
    whole.environment["PERDURE_CONFIG"] = str(path)


def service(whole: Perdure, name: str) -> dict[str, Any]:
    """A service's record."""
    rows = whole.call("service.list")["services"]
    return next(row for row in rows if row["name"] == name)


def until(whole: Perdure, name: str, holds: Callable[[dict[str, Any]], Any], what: str) -> dict[str, Any]:
    """Wait until something is true of a service's record; return it."""

    def look() -> Any:
        row = service(whole, name)
        return row if holds(row) else None

    row: dict[str, Any] = eventually(look, f"service {name} {what}")
    return row


def running(whole: Perdure, name: str, lives: int = 1) -> dict[str, Any]:
    """Wait until this life of a service runs."""
    return until(whole, name, lambda row: row["status"] == "running" and row["lives"] >= lives, "runs")


def output_of(whole: Perdure, run_id: str) -> str:
    """What a life has printed, as the log holds it."""
    path = whole.state_path / "logs" / f"run_{run_id}.stdout.log"
    return path.read_text() if path.exists() else ""
