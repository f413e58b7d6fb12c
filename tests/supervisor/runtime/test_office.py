"""The office: which processes there are, as far as is known."""

from __future__ import annotations

import os
from pathlib import Path

from supervisor.root.control import Root
from tests.kit.runtimes import running_runtime


async def test_before_the_root_has_said_anything_the_parent_is_the_root(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        assert running.assembly.office.pids == {
            "root": os.getppid(),
            "runtime": os.getpid(),
            "standby": None,
            "host": None,
        }


async def test_what_the_root_says_stands_but_for_this_process(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        said = {"root": 11, "runtime": 12, "standby": 13, "host": None}
        running.order(Root(pids=said, restarts=1, last_error=None, phase="running"))
        await running.until(lambda: running.assembly.office.root)
        assert running.assembly.office.pids == {**said, "runtime": os.getpid()}
        assert running.assembly.office.root["phase"] == "running"
