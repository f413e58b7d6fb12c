"""A whole Perdure under the interposer: root, runtime and agent host as users run them; one of the kinds is spoiled.

Slower than `interposer_trial` by ten times: it shows that what holds for the runtime alone holds for all of it.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import Factory, define

from actors.model.errors import PerdureError
from supervisor.client import Client, ConnectionLost, NotRunning, TimedOut
from tests.kit import tally
from tests.kit.interposer import Action, Fault, Interposer, Seen
from tests.kit.interposer_trial import MAY_BE_TOLD, WITHIN_S
from tests.kit.interposer_workload import SAMPLE_V1, migrated, nothing
from tests.kit.oracle import Broken, Oracle, Step
from tests.kit.oracle_disk import check_directory
from tests.kit.perdure import Perdure, perdure
from tests.kit.powerloss import scratch

ROOT: Final = "supervisor up"
RUNTIME: Final = "supervisor.boot"
HOST: Final = "supervisor.agents"
"""What stands in the command line of each kind of process."""

STARTS_MAX: Final = 8
CALL_WITHIN_S: Final = 1.0
"""After so long without an answer it is looked whether the root is there; asking again is harmless."""


@define
class Whole:
    """See the module's text."""

    perdure: Perdure
    interposer: Interposer
    oracle: Oracle
    codes: list[int] = Factory(list)
    """How the roots ended that were not told to."""

    @property
    def state_path(self) -> Path:
        """Where it keeps its state."""
        return self.perdure.state_path

    def start(self) -> None:
        """Start, and start again when the root does not live to be ready."""
        for _ in range(STARTS_MAX):
            try:
                self.perdure.start()
            except RuntimeError:
                self.codes.append(self.perdure.wait())
            else:
                return
        raise Broken(f"it does not start: {self.codes}: {self.errors}")

    @property
    def hit(self) -> Seen | None:
        """The first call that was spoiled."""
        return next((seen for seen in self.interposer.log() if seen.action is not Action.NOTHING), None)

    @property
    def errors(self) -> str:
        """The end of what the root printed."""
        return (self.perdure.folder / "stderr.log").read_text(errors="replace")[-2000:]

    def run(self) -> None:
        """Carry out every step, starting what has died whole; then stop in order and check the directory."""
        self.start()
        for _ in self.oracle.steps:
            step = self.oracle.submit()
            self.insist(step)
            self.oracle.acknowledge()
        self.stop()
        self.check()

    def check(self) -> None:
        """Check the directory that is left, and count the faults."""
        for seen in self.interposer.log():
            if seen.action is not Action.NOTHING:
                tally.count("kill points" if seen.action.kills else "injected errors")
        if check_directory(self.oracle, self.state_path) != self.oracle.now:
            raise Broken("not everything that was acknowledged is there at the end")

    def insist(self, step: Step) -> list[Any]:
        """Send a step until all of it is acknowledged; return the results."""
        deadline_s = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline_s:
            try:
                with self.client() as client:
                    answers = client.batch([command.with_key for command in step.commands])
            except (TimedOut, NotRunning, ConnectionLost):
                self._see_to_the_root()
                continue
            errors = [answer for answer in answers if isinstance(answer, PerdureError)]
            if not errors:
                return answers
            if strange := [error for error in errors if error.kind not in MAY_BE_TOLD]:
                raise Broken(f"{step.commands[0].method} was answered {strange[0].kind}: {strange[0]}")
            time.sleep(0.02)
        raise Broken(f"{step.commands[0].method} was not carried out within {WITHIN_S:g} s: {self.errors}")

    def client(self) -> Client:
        """Return a client that soon says that nobody answers."""
        return Client(str(self.state_path), timeout_s=CALL_WITHIN_S, wait_s=CALL_WITHIN_S)

    def stop(self) -> None:
        """Stop in order; a root that dies of the fault instead is started and stopped once more."""
        for _ in range(STARTS_MAX):
            with contextlib.suppress(ProcessLookupError):
                if (code := self.perdure.stop()) == 0:
                    return
                self.codes.append(code)
            self.start()
        raise Broken(f"it does not stop: {self.codes}")

    def _see_to_the_root(self) -> None:
        root = self.perdure._root
        if root is not None and root.poll() is not None:
            self.codes.append(self.perdure.wait())
            self.start()


@contextlib.contextmanager
def whole(
    kind: str, *faults: Fault, steps: Any = (), sample: Path | None = SAMPLE_V1, pairs: bool = False
) -> Iterator[Whole]:
    """Give a Perdure on a copy of `sample`, not started yet, whose processes of this kind meet these faults."""
    settings = {"supervisor__process_restarts_max": "1000", "supervisor__backoff_max_s": "0.05"}
    with scratch() as folder, perdure(folder / "in", **settings) as given:
        if sample is not None:
            shutil.copytree(sample, given.state_path)
        interposer = Interposer(folder / "interposer", given.state_path.parent)
        interposer.spoil(*faults, pairs=pairs)
        given.environment |= interposer.environment(kind)
        oracle = Oracle(steps, migrated() if sample is not None else nothing())
        try:
            yield Whole(given, interposer, oracle)
        finally:
            given.close()
            interposer.close()
