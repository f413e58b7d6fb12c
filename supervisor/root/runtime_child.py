"""
The runtime as a child of the supervision tree: what each incarnation does, and what its end counts as.

With a standby there are two such children, alike: whoever holds the *office* is the runtime, the other one waits for
it, imports done. When the runtime dies the office is free that moment, and the dead one's next incarnation waits in
turn.

The very first incarnation counts as ready as soon as it is spawned: OTP does not retry a failed first start, and for
a runtime that is killed in its first recovery the root must. From the second on readiness is the runtime's own word,
and `healthy_after_s` is counted from it.
"""

from typing import Final

import trio

from supervisor.logs import get_logger
from supervisor.root.ahead import Ahead
from supervisor.root.control import Refused
from supervisor.root.errors import NOT_RETRIED, ExitCode
from supervisor.root.launch import Desk, Launch
from supervisor.root.output import Output
from supervisor.root.runtime_life import RuntimeLife
from supervisor.tree.context import ChildContext
from supervisor.tree.process import ProcessDied, run_process

_log: Final = get_logger("supervision:runtime")

_MEANINGS: Final = {
    ExitCode.GAVE_UP: "gave up",
    ExitCode.STORAGE_UNAVAILABLE: "could not open its storage",
}


class RuntimeDied(Exception):
    """The runtime is gone and was not told to go; the message says why."""


class RuntimeChild:
    """The run function of one child; `office` is shared by all of them."""

    def __init__(
        self,
        desk: Desk,
        launch: Launch,
        office: trio.Lock,
        served: trio.Event,
        *,
        stands_by: bool,
        ahead: Ahead | None = None,
    ) -> None:
        """
        `served` is set when a runtime served for the first time: a standby must not slow that down.

        `ahead` is the process of the first life, where it was spawned before the root.
        """
        self._desk = desk
        self._launch = launch
        self._office = office
        self._served = served
        self._stands_by = stands_by
        self._ahead = ahead

    async def run(self, context: ChildContext) -> None:
        """Live one life. Returns when told to end; raises `RuntimeDied`, or OSError when it cannot be spawned."""
        if context.incarnation == 1:
            context.ready()
            if self._stands_by and not await self._first_served(context):
                return
        ahead, self._ahead = self._ahead, None
        life = RuntimeLife(self._desk, self._launch, self._office, ahead)
        died: ProcessDied | None = None
        try:
            await run_process(context, life.spec(), life.attend, spawned=None if ahead is None else ahead.process)
        except ProcessDied as error:
            died = error
        finally:
            life.close()
        if not context.stopping.is_set():
            self._conclude(life, died)

    async def _first_served(self, context: ChildContext) -> bool:
        """Wait until clients are served; False when told to leave before."""
        async with trio.open_nursery() as nursery:

            async def leave_when_told() -> None:
                await context.stopping.wait()
                nursery.cancel_scope.cancel(reason="told to leave")

            nursery.start_soon(leave_when_told)
            await self._served.wait()
            nursery.cancel_scope.cancel(reason="clients are served")
        return not context.stopping.is_set()

    def _conclude(self, life: RuntimeLife, died: ProcessDied | None) -> None:
        code = died.returncode if died is not None else 0
        if code in NOT_RETRIED:
            self._desk.refused(ExitCode(code), life.refusal or _last_words(life.output, code))
            return
        raise RuntimeDied(life.cause_of_death(_ending(died)))


def _ending(died: ProcessDied | None) -> str:
    if died is None:
        return "left without being told to"
    if died.signal is not None:
        return f"killed by {died.signal.name}"
    meaning = _MEANINGS.get(ExitCode(died.returncode)) if died.returncode in list(ExitCode) else None
    return f"{meaning} (exit code {died.returncode})" if meaning else f"crashed (exit code {died.returncode})"


def _last_words(output: Output, code: int) -> Refused:
    text = output.last_line.decode(errors="replace")
    return Refused(message=text or f"the runtime left with exit code {code} and did not say why")
