"""What must start quickly does not import what is slow: shown by looking at what a fresh interpreter has loaded."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import attrs
import pytest

CHECKOUT = Path(__file__).parents[2]


@attrs.frozen
class Row:
    module: str
    unwanted: tuple[str, ...]


SLOW = ("trio", "structlog", "rich", "prometheus_client", "hypothesis")

NOT_SERVING = ("rich", "pygments", "prometheus_client", "http.server", "hypothesis")
"""What no process that serves needs in order to begin."""

ROWS = (
    Row("supervisor", ("attrs", *SLOW)),
    Row("supervisor.__main__", ("attrs", "click", *SLOW)),
    Row("supervisor.config", ("attrs", *SLOW)),
    Row("supervisor.config.loading", SLOW),
    Row("supervisor.client", SLOW),
    Row("supervisor.cli", SLOW),
    Row("supervisor.cli.entry", ("attrs", "msgspec", "orjson", "json", "traceback", *SLOW)),
    Row("supervisor.foreign.claude_hook", ("attrs", "msgspec", "orjson", "uuid_utils", *SLOW)),
    Row("actors.model", SLOW),
    Row("actors.storage", SLOW),
    Row("actors.storage.disk_store", ("actors.storage.migrations", "actors.storage.verify", *SLOW)),
    Row("supervisor.root.root", NOT_SERVING),
    Row("supervisor.agents.host", NOT_SERVING),
    Row("supervisor.runtime.life", ("actors.storage.migrations", "actors.storage.verify", *NOT_SERVING)),
)


def loaded_by(module: str) -> set[str]:
    program = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=CHECKOUT, capture_output=True, text=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("row", [row for row in ROWS if find_spec(row.module)], ids=lambda row: row.module)
def test_nothing_slow_is_loaded_by(row: Row) -> None:
    assert loaded_by(row.module).isdisjoint(row.unwanted)


def test_the_look_sees_what_is_loaded() -> None:
    assert "trio" in loaded_by("trio")
