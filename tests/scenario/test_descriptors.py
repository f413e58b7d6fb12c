"""No process of Perdure would hand what it holds to a program that it starts: locks, sockets and pipes are its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.kit.perdure import Perdure
from tests.kit.whole_runs import running


def inheritable(pid: int) -> dict[int, str]:
    """The descriptors of a process that an exec would keep, beside the three that every program has."""
    found = {}
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        flags = next(line.split()[1] for line in entry.read_text().splitlines() if line.startswith("flags:"))
        if int(entry.name) > 2 and not int(flags, 8) & os.O_CLOEXEC:
            found[int(entry.name)] = str(Path(f"/proc/{pid}/fd/{entry.name}").readlink())
    return found


def test_no_process_would_hand_on_what_it_holds(make: Any) -> None:
    whole: Perdure = make(supervisor__standby="true")
    whole.start()
    run = running(whole, whole.call("run.exec", argv=["sleep", "300"])["id"])
    pids = whole.call("runtime.status")["pids"]
    found = {name: inheritable(pids[name]) for name in ("root", "runtime", "host")}
    assert found == {"root": {}, "runtime": {}, "host": {}}
    assert inheritable(run["pid"]) == {}
    assert whole.stop() == 0
