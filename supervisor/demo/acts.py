"""The play: what is done to Perdure, one act after the other, and the table of what came of it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import attrs
from rich.console import Console
from rich.table import Table

from supervisor.client import Client
from supervisor.demo.audit import Finding, audit
from supervisor.trials.agent import command_line
from supervisor.trials.stage import Stage, staged

WORKERS: Final = 4
KILLS: Final = 4
AGENTS: Final = 4
AGENT_SECONDS: Final = 3
AGENT_KILLS: Final = 2
LOAD: Final = 60
"""Acknowledgements between two blows: so that each falls into the middle of work."""

ACTORS: Final = ("writer", "tasks", "sessions", "events", "runs", "reports", "autosave", "gateway")
V1_TASKS: Final = 6
"""Tasks in the version-1 sample."""


@attrs.frozen
class Scene:
    """One row of the table."""

    done: str
    finding: Finding
    back_s: tuple[float, ...]
    """How long it took, each time, until a new command was acknowledged."""


class Play:
    """The acts; each does something to the stage and returns the times until Perdure was back."""

    def __init__(self, stage: Stage, console: Console) -> None:
        self._stage = stage
        self._console = console
        self._probes = 0
        self._wrong: list[str] = []
        """What an act found wrong by itself, beside the audit."""
        self.scenes: list[Scene] = []

    def run(self) -> bool:
        """Play all acts; return whether everything acknowledged is there, once."""
        self._act("migrate the version-1 state of another program", self._migrate)
        self._stage.hire("supervisor.demo.worker", WORKERS)
        self._stage.wait_for_records(LOAD)
        for actor in ACTORS:
            self._act(f"crash the {actor} actor under load", partial(self._crash, actor))
        self._act(f"kill -9 the runtime under load, {KILLS} times", self._kill_runtimes)
        self._act(f"kill -9 the runtime under {AGENTS} running agents, {AGENT_KILLS} times", self._kill_under_agents)
        self._act("kill -9 the root under load", self._kill_root)
        self._stage.dismiss()
        self._act("stop; damage state.json", lambda: self._damage(backups=0))
        self._act("stop; damage state.json and the newest backup", lambda: self._damage(backups=1))
        self._act("kill -9 the root; tear the journal's last line", self._tear)
        return all(scene.finding.is_clean for scene in self.scenes)

    def _act(self, title: str, act: Callable[[], Iterator[float]]) -> None:
        self._console.print(f"  {title} …", highlight=False)
        back_s = tuple(act())
        with self._stage.client() as client:
            finding = audit(client, self._stage.records)
        wrong, self._wrong = self._wrong, []
        finding = attrs.evolve(finding, lost=finding.lost + len(wrong), examples=(*finding.examples, *wrong))
        for example in finding.examples:
            self._console.print(f"    [bold red]{example}[/]", highlight=False)
        self.scenes.append(Scene(title, finding, back_s))

    def _migrate(self) -> Iterator[float]:
        sample = files("supervisor") / "_configs" / "demo" / "state-v1"
        source = Path(str(sample))
        if not source.is_dir():  # a checkout: the configuration lies beside the package
            source = Path(__file__).parents[2] / "configs" / "demo" / "state-v1"
        shutil.copytree(source, self._stage.state_path)
        begun_s = time.monotonic()
        self._stage.start()
        yield time.monotonic() - begun_s
        with self._stage.client() as client:
            tasks = client.call("task.list")["tasks"]
        if len(tasks) != V1_TASKS:
            raise RuntimeError(f"{len(tasks)} of {V1_TASKS} tasks were migrated")

    def _crash(self, actor: str) -> Iterator[float]:
        self._stage.wait_for_records(LOAD)
        with self._stage.client() as client:
            client.call("actor.kill", name=actor, how="crash")
        yield self._back()

    def _kill_runtimes(self) -> Iterator[float]:
        for _ in range(KILLS):
            self._stage.wait_for_records(LOAD)
            self._stage.kill_runtime()
            yield self._back()

    def _kill_under_agents(self) -> Iterator[float]:
        """Agents go on while the runtime dies; every byte that they printed must be kept, once."""
        copies = [self._stage.records / f"agent-{n}" for n in range(AGENTS)]
        with self._stage.client() as client:
            runs = [client.call("run.exec", argv=command_line(str(copy), AGENT_SECONDS))["id"] for copy in copies]
            for run in runs:
                _wait_until(client, run, "running")
            for _ in range(AGENT_KILLS):
                self._stage.kill_runtime()
                yield self._back()
            for run, copy in zip(runs, copies, strict=True):
                self._compare(_wait_until(client, run, "exited"), copy)

    def _compare(self, run: dict[str, Any], copy: Path) -> None:
        printed = copy.read_bytes()
        kept = (self._stage.state_path / run["stdout"]["path"]).read_bytes()
        if kept != printed or run["exit_code"] != 0:
            self._wrong.append(f"run {run['id']} printed {len(printed)} bytes, {len(kept)} were kept")

    def _kill_root(self) -> Iterator[float]:
        self._stage.wait_for_records(LOAD)
        self._stage.kill_root()
        yield self._start_again()

    def _damage(self, backups: int) -> Iterator[float]:
        self._stage.stop()
        newest = sorted(self._stage.state_path.glob("state.backup.*.json"), reverse=True)[:backups]
        for victim in [self._stage.state_path / "state.json", *newest]:
            content = bytearray(victim.read_bytes())
            middle = len(content) // 2
            content[middle : middle + 64] = b"\x00" * 64
            victim.write_bytes(content)
        yield self._start_again()

    def _tear(self) -> Iterator[float]:
        self._stage.kill_root()
        with self._stage.segments()[-1].open("ab") as segment:
            segment.write(b'{"v":1,"seq":999999999,"durable":999')
        yield self._start_again()

    def _start_again(self) -> float:
        begun_s = time.monotonic()
        self._stage.start()
        self._back()
        return time.monotonic() - begun_s

    def _back(self) -> float:
        self._probes += 1
        return self._stage.back_after_s(str(self._probes))


def play() -> int:
    """Play in a temporary directory; return the exit code."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="perdure-demo-") as folder, staged(Path(folder)) as stage:
        console.print(f"Perdure with {WORKERS} clients at work; what can break is broken:", highlight=False)
        drama = Play(stage, console)
        kept = drama.run()
        stage.stop()
    console.print(_table(drama.scenes))
    total = drama.scenes[-1].finding.acknowledged
    if kept:
        console.print(f"[bold green]{total} commands acknowledged, nothing lost, nothing done twice.[/]")
        return 0
    console.print("[bold red]Something acknowledged was lost or done twice: see above.[/]")
    return 1


def _wait_until(client: Client, run_id: str, status: str) -> dict[str, Any]:
    """Wait until a run has a status, as the journal's events tell it; also return when it has ended otherwise."""
    for _line in client.subscribe(after_seq=0, kinds=["run.*"]):
        run: dict[str, Any] = client.call("run.get", id=run_id)
        if run["status"] in {status, "exited", "interrupted", "failed_to_start", "cancelled", "timed_out"}:
            return run
    raise RuntimeError("the subscription ended")


def _table(scenes: list[Scene]) -> Table:
    table = Table(title="what was done to it", title_justify="left")
    table.add_column("done")
    for name in ("acknowledged", "lost", "twice", "back after"):
        table.add_column(name, justify="right")
    for scene in scenes:
        found = scene.finding
        back = f"{max(scene.back_s) * 1000:.0f} ms" if scene.back_s else ""
        table.add_row(scene.done, str(found.acknowledged), str(found.lost), str(found.doubled), back)
    return table
