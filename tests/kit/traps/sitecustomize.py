"""
Kills a process of Perdure at a step that a test names: Python imports this where its folder is on PYTHONPATH.

The file that `PERDURE_TRAP` names holds `MODULE|CLASS.METHOD|before or after|COUNT|WORD`: whoever is at that method for
the COUNT-th time, with arguments whose text contains WORD, removes the file and gets SIGKILL. So a trap is sprung once,
in whichever process comes by, and can be laid while everything runs. Methods that may be named are those of `STEPS`.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.util
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

TRAP = os.environ.get("PERDURE_TRAP", "")

STEPS = {
    "actors.agents.output": ("AgentOutput.take",),
    "actors.agents.ends": ("Ends.heard",),
    "actors.agents.notes": ("Notes.ended",),
    "actors.agents.orders": ("Orders.bury",),
    "actors.storage.run_logs": ("RunLogs.write", "RunLogs.sync"),
    "actors.storage.disk_store": ("DiskStore.commit",),
    "supervisor.runtime.agents_link": ("AgentsLink.acknowledge",),
    "supervisor.agents.agent": ("Pipe.read",),
    "supervisor.agents.buffers": ("Window.next_chunk", "Window.acknowledge"),
    "supervisor.agents.connection": ("Connection.post", "Connection.flush"),
    "supervisor.agents.runs": ("Runs._bury",),
}

_passed: Counter[str] = Counter()


def _pass(step: str, when: str, args: tuple[Any, ...]) -> None:
    """Die if this is where the trap is."""
    try:
        with open(TRAP) as file:  # noqa: PTH123  pathlib would change what the agent host weighs
            laid = file.read()
    except FileNotFoundError:
        return
    module, method, laid_when, count, word = laid.split("|")
    if (f"{module}|{method}", laid_when) != (step, when) or word not in repr(args[1:]):
        return
    _passed[laid] += 1
    if _passed[laid] == int(count):
        os.unlink(TRAP)  # noqa: PTH108
        os.kill(os.getpid(), signal.SIGKILL)


def _trapped(original: Callable[..., Any], step: str) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(*args: Any, **more: Any) -> Any:
        _pass(step, "before", args)
        result = original(*args, **more)
        _pass(step, "after", args)
        return result

    return call


def _lay(module: ModuleType) -> None:
    for path in STEPS[module.__name__]:
        owner_name, name = path.split(".")
        owner = getattr(module, owner_name)
        setattr(owner, name, _trapped(getattr(owner, name), f"{module.__name__}|{path}"))


class Finder(importlib.abc.MetaPathFinder):
    """Lets the usual ones find a module, and lays its steps when it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find what `STEPS` names."""
        if fullname not in STEPS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        sys.meta_path.insert(0, self)
        loader = None if spec is None else spec.loader
        if loader is not None:
            load = loader.exec_module

            def load_and_lay(module: ModuleType) -> None:
                load(module)
                _lay(module)

            loader.exec_module = load_and_lay  # type: ignore[method-assign]
        return spec


if TRAP:
    sys.meta_path.insert(0, Finder())
