"""A supervisor's patience with its children: after a death to be repaired, how soon to try again, or no more."""

from collections import deque

from supervisor.tree.policy import RestartWindow
from supervisor.tree.report import CrashReport, Exit
from supervisor.tree.slot import Slot
from supervisor.tree.spec import SupervisorSpec


class Patience:
    """Counts what the intensity limits; keeps the crash reports that explain it when it ends."""

    def __init__(self, spec: SupervisorSpec) -> None:
        self._spec = spec
        self._window = RestartWindow(spec.intensity)
        self._reports: deque[CrashReport] = deque(maxlen=spec.intensity.restarts_max + 1)

    @property
    def reports(self) -> tuple[CrashReport, ...]:
        """The latest crashes that were counted, oldest first."""
        return tuple(self._reports)

    def remember(self, left: Exit) -> None:
        """Keep the exit's report, if it has one."""
        if left.report:
            self._reports.append(left.report)

    def delay_s(self, slot: Slot, left: Exit, now_s: float) -> float | None:
        """
        Seconds until the child is to be started again; None when the supervisor should give up.

        Once the intensity is used up and the specification has a `slow_retry_s`, the child is tried at that pace until
        it has been healthy again.
        """
        if left.excused and slot.ready_at_s is not None:
            return 0.0
        self.remember(left)
        healthy = slot.ready_at_s is not None and now_s - slot.ready_at_s >= slot.delays.backoff.healthy_after_s
        delay_s = slot.delays.after_death(healthy=healthy)
        slot.exhausted = self._window.record(now_s) or (slot.exhausted and not healthy)
        return self._spec.slow_retry_s if slot.exhausted else delay_s
