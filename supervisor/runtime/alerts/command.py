"""The configured command: one process per alert, one at a time, given the alert as JSON on its standard input.

It is spawned without a shell, from trio's own thread, in a session of its own, with nothing of Perdure's environment
whose name looks secret. What it prints is dropped; how it ended is told in the log when that was not well. It has
`timeout_s`, then its process group is killed. Alerts wait for their turn in a bounded queue, so that a command that
hangs delays the ones after it and nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
import trio

from supervisor.masking import looks_secret
from supervisor.runtime.alerts.standing import Alert

WAITING_MAX: Final = 64
"""Alerts that wait for the command; of seven kinds, each raised and cleared: so many pile up only when it hangs."""

INPUT_BYTES_MAX: Final = 32 << 10
"""Half of what a Linux pipe holds: the alert is written into it at once, whether it is read or not."""

REAP_WITHIN_S: Final = 2.0
"""How long a killed command is waited for; one in an uninterruptible system call takes longer, and is left alone."""

Environment = Mapping[str, str]


class CommandSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is run, and for how long."""

    argv: Sequence[str]
    timeout_s: float


class AlertCommand:
    """See the module's text. The object outlives a crash of the task that runs it."""

    def __init__(self, log: Any, environ: Environment) -> None:
        self._log = log
        self._env = {name: value for name, value in environ.items() if not looks_secret(name)}
        self._waiting: deque[tuple[Alert, CommandSettings]] = deque()
        self._posted = trio.Event()

    def post(self, alert: Alert, settings: CommandSettings) -> None:
        """Have the command run for this alert; never waits."""
        if not settings.argv:
            return
        if len(self._waiting) >= WAITING_MAX:
            dropped, _ = self._waiting.popleft()
            self._log.error("the alert command is too slow: an alert did not reach it", alert=dropped.name)
        self._waiting.append((alert, settings))
        self._posted.set()

    async def run(self) -> None:
        """Run it for each alert, for ever."""
        while True:
            while self._waiting:
                alert, settings = self._waiting.popleft()
                await self._run_one(alert, settings)
            self._posted = trio.Event()
            await self._posted.wait()

    async def _run_one(self, alert: Alert, settings: CommandSettings) -> None:
        """Run it to its end; whatever goes wrong is told in the log and harms nothing."""
        try:
            process = self._spawn(settings.argv)
        except (OSError, ValueError) as error:
            self._tell(alert, settings, f"it cannot be started: {error}")
        else:
            self._tell(alert, settings, await _accompany(process, _input(alert), settings.timeout_s))

    def _tell(self, alert: Alert, settings: CommandSettings, problem: str | None) -> None:
        if problem is not None:
            self._log.warning("the alert command failed", command=settings.argv[0], alert=alert.name, problem=problem)

    def _spawn(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(argv),
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _input(alert: Alert) -> bytes:
    told = alert.as_json()
    data = json.dumps(told).encode()
    if len(data) >= INPUT_BYTES_MAX:  # paths in a message may be long
        data = json.dumps({**told, "message": told["message"][: INPUT_BYTES_MAX // 8]}).encode()
    return data + b"\n"


async def _accompany(process: subprocess.Popen[bytes], data: bytes, timeout_s: float) -> str | None:
    """Give the process its input and see it to its end; return what went wrong."""
    assert process.stdin is not None  # noqa: S101 - it was spawned with a pipe
    with suppress(BrokenPipeError):  # it does not want to know
        os.write(process.stdin.fileno(), data)
    process.stdin.close()
    try:
        with trio.move_on_after(timeout_s) as waited:
            await _until_gone(process)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # not reaped yet: the group's number is still its own
        with trio.move_on_after(REAP_WITHIN_S, shield=True):
            await _until_gone(process)
        process.poll()
    if waited.cancelled_caught:
        return f"it did not end within {timeout_s:g} s and was killed"
    return None if process.returncode == 0 else f"it ended with status {process.returncode}"


async def _until_gone(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(process.pid)
        try:
            await trio.lowlevel.wait_readable(descriptor)
        finally:
            os.close(descriptor)
    else:
        while process.poll() is None:  # noqa: ASYNC110 - macOS has no pidfd; waiting for any child would steal statuses
            await trio.sleep(0.05)
