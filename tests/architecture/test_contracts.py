"""
.importlinter holds on the code as it is, and sees what it is there to see.

Every contract is shown to break: a violation is planted into a small tree of empty modules with the real names.
"""

import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import attrs
import grimp
import pytest

CHECKOUT = Path(__file__).parents[2]

PLANTED_MODULES = (
    "actors.model.task",
    "actors.messages.request",
    "actors.kernel.mailbox",
    "actors.storage.store",
    "actors.writer",
    "actors.tasks",
    "actors.sessions",
    "actors.events",
    "supervisor.tree.policy",
    "supervisor.tree.spec",
    "supervisor.tree.supervisor",
    "supervisor.wire.jsonrpc",
    "supervisor.config.schema",
    "supervisor.gateway.pump",
    "supervisor.client.blocking",
    "supervisor.root.root",
    "supervisor.runtime.metrics",
    "supervisor.logs",
    "supervisor.boot",
    "supervisor.cli.tasks",
    "supervisor.demo",
)


@attrs.frozen
class Row:
    importer: str
    imported: str
    broken: str


VIOLATIONS = (
    Row("actors.tasks", "supervisor.logs", "supervisor imports actors, never back"),
    Row("actors.model.task", "actors.kernel.mailbox", "The floors of actors, siblings independent"),
    Row("actors.kernel.mailbox", "actors.messages.request", "The floors of actors, siblings independent"),
    Row("actors.tasks", "actors.sessions", "The floors of actors, siblings independent"),
    Row("actors.writer", "actors.events", "The floors of actors, siblings independent"),
    Row("supervisor.tree.spec", "supervisor.wire.jsonrpc", "The floors of supervisor, siblings independent"),
    Row("supervisor.gateway.pump", "supervisor.client.blocking", "The floors of supervisor, siblings independent"),
    Row("supervisor.root.root", "supervisor.runtime.assembly", "The floors of supervisor, siblings independent"),
    Row("supervisor.wire.jsonrpc", "supervisor.cli.tasks", "The floors of supervisor, siblings independent"),
    Row("actors.tasks", "actors.storage.store", "Only the writer and the offline commands import storage"),
    Row("supervisor.gateway.pump", "actors.storage.store", "Only the writer and the offline commands import storage"),
    Row("actors.model.task", "trio", "Pure floors know no event loop"),
    Row("actors.storage.store", "trio", "Pure floors know no event loop"),
    Row("supervisor.wire.jsonrpc", "trio", "Pure floors know no event loop"),
    Row("supervisor.tree.policy", "trio", "Pure floors know no event loop"),
    Row("supervisor.config.schema", "trio", "Pure floors know no event loop"),
    Row("actors.storage.store", "tenacity", "What must not be repeated cannot be: no tenacity below the tree"),
    Row("supervisor.client.blocking", "actors.writer", "Who stands outside the runtime knows the model only"),
    Row("supervisor.cli.tasks", "actors.kernel.mailbox", "Who stands outside the runtime knows the model only"),
    Row("supervisor.root.root", "actors.tasks", "The root process and the supervision tree know no domain"),
    Row("supervisor.tree.supervisor", "actors.writer", "The root process and the supervision tree know no domain"),
    Row("supervisor.gateway.pump", "asyncio", "No asyncio anywhere"),
)


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        check=False,
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Every planned module, empty, under the real contracts."""
    for module in PLANTED_MODULES:
        path = module_path(tmp_path, module)
        path.parent.mkdir(parents=True, exist_ok=True)
        for package in (path.parent, *path.parent.parents):
            if package == tmp_path:
                break
            (package / "__init__.py").touch()
        path.touch()
    (tmp_path / ".importlinter").write_text((CHECKOUT / ".importlinter").read_text())
    return tmp_path


def module_path(tree: Path, module: str) -> Path:
    return tree.joinpath(*module.split(".")).with_suffix(".py")


def test_the_code_keeps_every_contract() -> None:
    done = lint(CHECKOUT)
    assert done.returncode == 0, done.stdout


def test_a_tree_without_violations_is_kept(tree: Path) -> None:
    done = lint(tree)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("row", VIOLATIONS, ids=lambda row: f"{row.importer} imports {row.imported}")
def test_a_planted_violation_breaks_its_contract(tree: Path, row: Row) -> None:
    module_path(tree, row.importer).write_text(f"import {row.imported}\n")
    done = lint(tree)
    assert done.returncode != 0
    assert f"{row.broken} BROKEN" in " ".join(done.stdout.split())


def test_every_contract_is_shown_to_break_by_some_row() -> None:
    lines = (CHECKOUT / ".importlinter").read_text().splitlines()
    named = {line.removeprefix("name = ") for line in lines if line.startswith("name = ")}
    assert named == {row.broken for row in VIOLATIONS}


def circle(package: str, *others: str) -> list[str]:
    """Return modules that import each other in a circle, for their types alone too; empty when there are none."""
    graph = grimp.build_graph(package, *others, exclude_type_checking_imports=False, cache_dir=None)
    modules = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(modules).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_no_modules_import_each_other_in_a_circle_not_even_for_their_types() -> None:
    assert circle("actors", "supervisor") == []


def test_a_circle_of_types_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "planted_circle"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "above.py").write_text("from planted_circle import below\n")
    types_only = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from planted_circle import above\n"
    (package / "below.py").write_text(types_only)
    monkeypatch.syspath_prepend(tmp_path)
    assert set(circle("planted_circle")) == {"planted_circle.above", "planted_circle.below"}
