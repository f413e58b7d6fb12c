"""How long commands take from the shell: what a person waits for."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from typing import Final

import attrs

from supervisor.bench import peers
from supervisor.bench.figures import Answer, Figure, compared, taken
from supervisor.bench.setting import Setting
from supervisor.bench.subject import Subject, measured

LOOKING: Final = (
    "status",
    "health",
    "metrics",
    "actors",
    "events",
    "runs",
    "backups",
    "task list",
    "session list",
    "config show",
    "version",
)
"""Commands that only look: these are carried out, on a Perdure that runs. Of the others the help is asked for."""

HOOK: Final = "session hook"
"""Whom an agent calls at every turn; what it brings is empty here."""


def startup(setting: Setting) -> Answer:
    """Measure what each command takes, all of them in every round."""
    sizes = setting.sizes
    with measured(setting.folder) as subject:
        commands = _commands(setting, subject)
        taken_ms: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(sizes.rounds):
            for name, argv in commands.items():
                setting.say(f"round {number + 1} of {sizes.rounds}: {name}")
                taken_ms[name] += peers.durations_ms(partial(_run, argv), 1)
    bare_ms = taken_ms.pop(BARE)
    figures = [taken(f"start of {name}", rounds, "ms", name) for name, rounds in taken_ms.items()]
    status, *others = (compared(figure, bare_ms, "a bare Python") for figure in figures)
    note = f"longest {max(status.rounds):.0f} ms"
    return Answer((attrs.evolve(status, name="status", what="", note=note), *others, _bare(bare_ms)))


BARE: Final = "python -c ''"


def _bare(rounds_ms: list[float]) -> Figure:
    return taken("python", rounds_ms, "ms", "a bare Python, for comparison")


def _commands(setting: Setting, subject: Subject) -> dict[str, list[str]]:
    """Return the command lines by what a person would type; that of the status first."""
    perdure = [sys.executable, "-m", "supervisor"]
    where = ["--state-path", str(subject.stage.state_path)]
    looking = LOOKING[: setting.sizes.commands_max]
    made = {f"perdure {name}": [*perdure, *name.split(), *where] for name in looking}
    made[f"perdure {HOOK}"] = [*perdure, *HOOK.split(), *where]
    for name in setting.commands[: setting.sizes.commands_max]:
        if name not in LOOKING:
            made[f"perdure {name} --help"] = [*perdure, name, "--help"]
    made["perdure --help"] = [*perdure, "--help"]
    made[BARE] = [sys.executable, "-c", ""]
    return made


def _run(argv: list[str]) -> None:
    """Run a command. Raises RuntimeError when it fails: its time would mean nothing."""
    ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=os.environ)
    if ended.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} ended with {ended.returncode}: {ended.stderr.decode()[-300:].strip()}")
