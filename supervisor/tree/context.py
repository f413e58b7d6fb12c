"""What a child's run function gets: how to say that it is ready and alive, how it learns that it should leave."""

from collections.abc import Callable, Mapping

import trio
from attrs import define, field

from supervisor.tree.report import CrashReport


def _nobody_listens(*_: object) -> None:
    """Stand in for a supervisor where a run function is called without one."""


@define(eq=False, kw_only=True)
class ChildContext:
    """
    One incarnation's side of its supervision.

    A run function may be called with a context made by hand, without a supervisor: `ChildContext(name="tasks")`.
    """

    name: str
    path: str = field(default="")
    incarnation: int = 1
    """1 for the first life, 2 for the first restart; it goes on counting when the supervisor itself was restarted."""
    last_crash: CrashReport | None = None
    """The latest abnormal exit of an earlier incarnation."""
    stopping: trio.Event = field(factory=trio.Event)
    """Set when the child should leave; after its grace it is cancelled."""
    excused: bool = field(default=False, init=False)

    _on_ready: Callable[[Mapping[str, object]], None] = field(default=_nobody_listens)
    _on_beat: Callable[[], None] = field(default=_nobody_listens)
    _hang_armed: bool = field(default=False, init=False)

    def ready(self, details: Mapping[str, object] | None = None) -> None:
        """Say that the child serves: the next one may start. Only the first call counts; `details` show in the tree."""
        self._on_ready(details or {})

    def beat(self) -> None:
        """Say that the child is alive; wanted more often than its `hung_after_s`."""
        if not self._hang_armed:
            self._on_beat()

    def excuse(self) -> None:
        """
        Say that the death to come was counted before: it uses up no intensity and waits for no backoff.

        For an actor that tries a suspect message again: the message is guilty, not the actor. Only a child that was
        ready is excused, so that a failing start cannot loop without a bound.
        """
        self.excused = True

    def arm_hang(self) -> None:
        """Chaos: from now on beats are lost and `chaos_hang` blocks."""
        self._hang_armed = True

    async def chaos_hang(self) -> None:
        """Block for ever when a hang was ordered, otherwise go on at once (no checkpoint); for serve loops."""
        if self._hang_armed:
            await trio.sleep_forever()
