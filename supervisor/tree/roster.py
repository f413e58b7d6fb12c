"""
Every decision of a supervisor: who is stopped, who is started, when it gives up. No tasks, no clock, no waiting.

The roster is told what happened (`child_ready`, `child_exited`), what is asked (`stop`, `terminate`, `restart`) and
what time it is (`advance`); it answers by calling its `Hands` at once. Its rules, beside those in `spec` and `states`:

- One step at a time: of the children that must go only the last one is asked to, and the one before it when that one is
  gone (or stuck, which nobody can wait for).
- Nobody who waits for its turn starts while somebody must go, or before all those ahead of it have settled. A
  one_for_one restart has no turn.
- An exit of a doomed child is no crash, whatever it looked like: so several deaths at once count once, and stopping
  beats restarting.
- A failure in the supervisor's own first start is not retried, as in OTP: it is the parent's turn to decide.
- A temporary child that was stopped with its siblings does not come back; a transient one that had left in peace, or
  one that was terminated by hand, comes back with its group, as in OTP.
"""

from collections.abc import Callable, Sequence
from enum import Enum, auto

from attrs import frozen

from supervisor.tree.condemned import BrutallyKilled, Condemned, Hung, Overstayed, StartedTooSlowly
from supervisor.tree.errors import GaveUp, IntensityExceeded, StartFailed
from supervisor.tree.events import ChildExited, ChildReady, ChildRestarting, ChildStuck, Escalated, TreeEvent
from supervisor.tree.patience import Patience
from supervisor.tree.report import Exit, message_of
from supervisor.tree.rules import AFFECTED, FATES, ExitKind, Fate, Restart, Strategy
from supervisor.tree.slot import Slot
from supervisor.tree.spec import SupervisorSpec
from supervisor.tree.states import ChildState


class Phase(Enum):
    """Where the supervisor itself is in its life."""

    STARTING = auto()
    RUNNING = auto()
    STOPPING = auto()


@frozen(kw_only=True)
class Hands:
    """What the roster has done for it; each returns at once."""

    start: Callable[[Slot], None]
    ask: Callable[[Slot], None]
    """Ask the child to leave."""
    kill: Callable[[Slot, Condemned], None]
    """Cancel the child; the error says why."""
    emit: Callable[[TreeEvent], None]


class Roster:
    """The children of one supervisor, in start order, and what is to become of them."""

    def __init__(self, path: str, spec: SupervisorSpec, slots: Sequence[Slot], hands: Hands) -> None:
        self.phase = Phase.STARTING
        self.failure: GaveUp | None = None
        self.slots = tuple(slots)
        self._path = path
        self._spec = spec
        self._hands = hands
        self._patience = Patience(spec)

    @property
    def over(self) -> bool:
        """Whether it was stopped or gave up, and everybody is gone."""
        return self.phase is Phase.STOPPING and not any(slot.alive for slot in self.slots)

    def due_at_s(self) -> float:
        """When `advance` is to be called at the latest."""
        return min(slot.due_at_s for slot in self.slots)

    # What happened.

    def child_ready(self, slot: Slot, now_s: float) -> None:
        """The child serves; called again, or too late, it changes nothing."""
        if slot.state is not ChildState.STARTING:
            return
        slot.enter(ChildState.RUNNING)
        slot.ready_at_s = slot.beat_at_s = now_s
        slot.untried = False
        took_s, incarnation = now_s - slot.started_at_s, slot.history.incarnation
        self._hands.emit(ChildReady(path=slot.path, incarnation=incarnation, took_s=took_s, details=slot.details))

    def child_exited(self, slot: Slot, left: Exit, now_s: float) -> None:
        """The child's task is gone."""
        slot.enter(ChildState.STOPPED)
        if left.report:
            slot.history.last_crash = left.report
        self._hands.emit(
            ChildExited(
                path=slot.path,
                incarnation=slot.history.incarnation,
                kind=left.kind,
                reason=left.reason,
                expected=slot.doomed,
                report=left.report,
            )
        )
        if slot.doomed:
            self._left_as_wanted(slot, now_s)
            return
        fate = FATES[slot.spec.restart, left.kind]
        if self.phase is Phase.STARTING and slot.untried and (left.kind is ExitKind.ABNORMAL or fate is Fate.RESTART):
            self._patience.remember(left)
            self._give_up(slot, left, StartFailed, f"{slot.path} did not start")
            return
        slot.untried = False
        if fate is Fate.RESTART:
            self._restart_after(slot, left, now_s)
        elif fate is Fate.REMOVE:
            slot.enter(ChildState.REMOVED)

    # What is asked.

    def stop(self) -> None:
        """Stop everybody, last one first, and start nobody any more."""
        self.phase = Phase.STOPPING
        for slot in self.slots:
            self._dismiss(slot)

    def terminate(self, slot: Slot) -> None:
        """Stop one child; its place is kept, a temporary one's is not."""
        self._dismiss(slot)
        if slot.state is ChildState.STOPPED and slot.spec.restart is Restart.TEMPORARY:
            slot.enter(ChildState.REMOVED)

    def restart(self, slot: Slot, now_s: float) -> None:
        """Restart one child and whoever its strategy restarts with it, orderly, at once and without counting it."""
        if self.phase is not Phase.STOPPING:
            self._recycle(slot, now_s, resume_at_s=now_s)

    def watch_anew(self, now_s: float) -> None:
        """Take every ready child as having given a sign of life now, because it could not."""
        for slot in self.slots:
            slot.beat_at_s = now_s

    # What is due.

    def advance(self, now_s: float) -> None:
        """Act on deadlines that have passed, then take the next step of stopping, then of starting."""
        for slot in self.slots:
            if slot.due_at_s <= now_s:
                self._overdue(slot, now_s)
        self._stop_next(now_s)
        if self.phase is not Phase.STOPPING:
            self._start_next(now_s)
        if self.phase is Phase.STARTING and all(slot.settled for slot in self.slots):
            self.phase = Phase.RUNNING

    def _overdue(self, slot: Slot, now_s: float) -> None:
        spec = slot.spec
        match slot.state:
            case ChildState.BACKING_OFF:
                slot.enter(ChildState.WAITING)
            case ChildState.STARTING:
                self._kill(slot, StartedTooSlowly(f"not ready within {spec.start_within_s:g} s"), now_s)
            case ChildState.RUNNING:
                self._kill(slot, Hung(f"no sign of life for {spec.hung_after_s:g} s"), now_s)
            case ChildState.STOPPING:
                self._kill(slot, Overstayed(f"still there {spec.stop_grace_s:g} s after being asked to stop"), now_s)
            case _:  # KILLING: no other state has a deadline
                slot.enter(ChildState.STUCK)
                waited_s = self._spec.stuck_after_s
                incarnation = slot.history.incarnation
                self._hands.emit(ChildStuck(path=slot.path, incarnation=incarnation, waited_s=waited_s))

    def _stop_next(self, now_s: float) -> None:
        for slot in reversed(self.slots):
            if not (slot.doomed and slot.alive):
                continue
            if slot.state in (ChildState.STARTING, ChildState.RUNNING):
                if slot.spec.stop_grace_s == 0:
                    self._kill(slot, BrutallyKilled("stopped without grace"), now_s)
                else:
                    slot.enter(ChildState.STOPPING, now_s + slot.spec.stop_grace_s)
                    self._hands.ask(slot)
            if slot.state is not ChildState.STUCK:
                return

    def _start_next(self, now_s: float) -> None:
        blocked = any(slot.doomed and slot.alive for slot in self.slots)
        for slot in self.slots:
            if slot.state is ChildState.WAITING and not (slot.in_turn and blocked):
                slot.start(now_s)
                self._hands.start(slot)
            blocked = blocked or not slot.settled

    def _kill(self, slot: Slot, why: Condemned, now_s: float) -> None:
        slot.enter(ChildState.KILLING, now_s + self._spec.stuck_after_s)
        self._hands.kill(slot, why)

    def _left_as_wanted(self, slot: Slot, now_s: float) -> None:
        slot.doomed = False
        slot.untried = False
        if slot.spec.restart is Restart.TEMPORARY:
            slot.enter(ChildState.REMOVED)
        elif slot.resume:
            slot.queue(now_s)

    def _dismiss(self, slot: Slot) -> None:
        slot.resume = False
        if slot.alive:
            slot.doomed = True
        elif slot.state in (ChildState.WAITING, ChildState.BACKING_OFF):
            slot.enter(ChildState.STOPPED)

    def _restart_after(self, slot: Slot, left: Exit, now_s: float) -> None:
        delay_s = self._patience.delay_s(slot, left, now_s)
        if delay_s is None:
            limit = self._spec.intensity
            message = f"more than {limit.restarts_max} restarts within {limit.within_s:g} s, now {slot.path}"
            self._give_up(slot, left, IntensityExceeded, message)
            return
        slot.history.restarts += 1
        with_it = self._recycle(slot, now_s, resume_at_s=now_s + delay_s)
        self._hands.emit(
            ChildRestarting(
                path=slot.path,
                delay_s=delay_s,
                reason=left.reason,
                restarts=slot.history.restarts,
                exhausted=slot.exhausted,
                with_it=tuple(member.path for member in with_it if member is not slot),
            )
        )

    def _recycle(self, failed: Slot, now_s: float, *, resume_at_s: float) -> list[Slot]:
        affected = AFFECTED[self._spec.strategy](failed.index, len(self.slots))
        group = [self.slots[index] for index in affected if self.slots[index].state is not ChildState.REMOVED]
        for member in group:
            member.in_turn = self._spec.strategy is not Strategy.ONE_FOR_ONE
            member.resume_at_s = max(member.resume_at_s, resume_at_s) if member is not failed else resume_at_s
            member.resume = True
            if member.alive:
                member.doomed = True
            else:
                member.queue(now_s)
        return group

    def _give_up(self, slot: Slot, left: Exit, failure: type[GaveUp], message: str) -> None:
        slot.enter(ChildState.FAILED)
        last = f"{type(left.error).__name__}: {message_of(left.error)}" if left.error else left.reason
        self.failure = failure(self._path, f"{message} ({last})", self._patience.reports)
        self.failure.__cause__ = left.error
        reports = self.failure.reports
        self._hands.emit(Escalated(path=self._path, child=slot.path, message=str(self.failure), reports=reports))
        self.stop()
