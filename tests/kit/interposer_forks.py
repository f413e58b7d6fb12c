"""The keeper's other end, in the test's process: gives trials, one at a time, and carries offline commands out."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

from attrs import define, field

from tests.kit import tally
from tests.kit.interposer import Fault, Interposer, library
from tests.kit.interposer_trial import WITHIN_S, Trial
from tests.kit.interposer_workload import CRASH_AT, SAMPLE_V1, WORKLOAD, migrated, nothing
from tests.kit.oracle import Broken, Oracle, Step, Visible
from tests.kit.oracle_disk import Surroundings
from tests.kit.powerloss import scratch
from tests.kit.runtimes import config_of

CHECKOUT: Final = Path(__file__).parents[2]
SMALL: Final[dict[str, Any]] = {"segment_bytes_max": 4096, "backups_kept": 2, "journal_keep": 0}


@define
class Keeper:
    """The process from which runtimes are forked, for as many trials as one likes, one at a time."""

    _process: subprocess.Popen[bytes] = field(init=False)
    _socket: socket.socket = field(init=False)

    def __enter__(self) -> Self:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.kit.interposer_keeper", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                cwd=CHECKOUT,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT), "LD_PRELOAD": str(library())},
            )
        self._socket = ours
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()
        self._process.wait(WITHIN_S)

    def carry_out(self, command: str, state_path: Path, interposer: Interposer) -> int:
        """Carry out an offline command on a directory; return its exit code, negative when a signal ended it."""
        given = {"do": "work", "command": command, "state_path": str(state_path), "interposer": str(interposer.file)}
        self._socket.settimeout(WITHIN_S)
        self._socket.sendall(json.dumps(given).encode())
        code: int = json.loads(self._socket.recv(65536))["code"]
        return code

    @contextlib.contextmanager
    def trial(
        self,
        *faults: Fault,
        steps: Sequence[Step] = WORKLOAD,
        sample: Path | None = SAMPLE_V1,
        crash_at: int = CRASH_AT,
        mutant: str | None = None,
        settings: dict[str, Any] | None = None,
        start: Visible | None = None,
        on: Path | None = None,
        beside: bool = False,
    ) -> Iterator[Trial]:
        """Give a trial whose first runtime is about to start on a copy of `sample`, under these faults.

        `on`: a folder of the file system that the state directory is to lie on; else it is in memory. `beside`: it has
        a fallback directory, whose calls count too; a death leaves no copy, which would be half of the state.
        """
        with scratch() as folder:
            counted = folder / "in"
            counted.mkdir()
            state_path = counted / "state"
            if on is not None:
                state_path = on / "state"
            if sample is None:
                state_path.mkdir(mode=0o700)
            else:
                shutil.copytree(sample, state_path)
            interposer = Interposer(folder / "interposer", counted)
            interposer.spoil(*faults)
            if start is None:
                start = nothing() if sample is None else migrated()
            trial = Trial(folder, state_path, interposer, Oracle(steps, start), crash_at, self._socket)
            trial.surroundings = Surroundings.planted(folder / "outside")
            try:
                place = {"fallback_path": str(counted / "fallback")} if beside else {}
                trial.begin(config_of(state={**SMALL, **place, **(settings or {})}), mutant, copies=not beside)
                yield trial
            finally:
                trial.end()
                interposer.close()


def attempt(keeper: Keeper, *faults: Fault, **more: Any) -> list[str]:
    """Carry a workload out under these faults and check everything; return what the client was told of.

    Raises `Broken` when a promise is, naming the call that was spoiled.
    """
    with keeper.trial(*faults, **more) as trial:
        try:
            trial.run()
            trial.check()
        except Exception as error:
            spoiled = f"{'; '.join(map(str, faults))}, first {trial.hit}" if faults else "no fault"
            told = f"{spoiled}: {error}"
            raise Broken(f"{told}\n(seed {tally.SEED}) {trial.last_words}") from error
        return trial.told
