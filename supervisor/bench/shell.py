"""How long commands take from the shell: what a person waits for."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from supervisor.bench import peers
from supervisor.bench.figures import Answer, Figure
from supervisor.bench.setting import Setting
from supervisor.bench.subject import measured


def startup(setting: Setting) -> Answer:
    """Measure `perdure status`, and the start of every command (its help)."""
    times = max(3, setting.sizes.rounds)
    bare_ms = statistics.median(peers.durations_ms(lambda: _run([sys.executable, "-c", ""]), times))
    figures = [Figure("python", bare_ms, "ms", "a bare Python, for comparison")]
    with measured(setting.folder) as subject:
        setting.say("perdure status")
        taken = peers.durations_ms(lambda: _run(subject.stage.command("status")), max(5, times))
        figures.insert(0, Figure("status", statistics.median(taken), "ms", note=f"longest {max(taken):.0f} ms"))
    for name in setting.commands[: setting.sizes.commands_max]:
        setting.say(f"perdure {name} --help")
        taken = peers.durations_ms(
            lambda command=name: _run([sys.executable, "-m", "supervisor", command, "--help"]),  # type: ignore[misc]
            times,
        )
        figures.append(Figure(f"start of {name}", statistics.median(taken), "ms", f"perdure {name} --help"))
    return Answer(tuple(figures))


def _run(argv: list[str]) -> None:
    """Run a command. Raises RuntimeError when it fails: its time would mean nothing."""
    ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=os.environ)
    if ended.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} ended with {ended.returncode}: {ended.stderr.decode()[-300:].strip()}")
