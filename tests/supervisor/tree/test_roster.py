"""The roster against every order of events that hypothesis can think of: no tasks, no clock."""

import math
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from supervisor.tree.backoff import Delays
from supervisor.tree.condemned import Condemned
from supervisor.tree.context import ChildContext
from supervisor.tree.errors import IntensityExceeded, StartFailed
from supervisor.tree.events import TreeEvent
from supervisor.tree.policy import Backoff, Intensity
from supervisor.tree.report import Exit
from supervisor.tree.roster import Hands, Phase, Roster
from supervisor.tree.rules import ExitKind, Restart, Strategy
from supervisor.tree.slot import History, Slot
from supervisor.tree.spec import ChildSpec, SupervisorSpec
from supervisor.tree.states import ChildState, IllegalTransition


async def run(_context: ChildContext) -> None:
    """Nobody runs here."""


class RosterMachine(RuleBasedStateMachine):
    """Children are entries of `alive`; the machine lets them do anything that children can do, whenever they can."""

    @initialize(
        strategy=st.sampled_from(Strategy),
        restarts=st.lists(st.sampled_from(Restart), min_size=1, max_size=5),
        restarts_max=st.integers(0, 6),
        slow_retry_s=st.none() | st.just(60.0),
        grace_s=st.sampled_from([0.0, 5.0, math.inf]),
    )
    def begin(
        self,
        strategy: Strategy,
        restarts: list[Restart],
        restarts_max: int,
        slow_retry_s: float | None,
        grace_s: float,
    ) -> None:
        """Start a supervisor of any shape."""
        self.spec = SupervisorSpec(
            name="top",
            strategy=strategy,
            intensity=Intensity(restarts_max, 10),
            backoff=Backoff(base_s=1, max_s=4),
            slow_retry_s=slow_retry_s,
            children=tuple(
                ChildSpec(name=str(index), run=run, restart=restart, stop_grace_s=grace_s, hung_after_s=8)
                for index, restart in enumerate(restarts)
            ),
        )
        self.now_s = 0.0
        self.alive: set[Slot] = set()
        self.killed: set[Slot] = set()
        self.stop_asked = False
        slots = [
            Slot(
                spec=child,
                path=f"top/{child.name}",
                index=index,
                delays=Delays(self.spec.backoff, Random(1)),
                history=History(),
            )
            for index, child in enumerate(self.spec.children)
        ]
        hands = Hands(start=self.on_start, ask=self.on_ask, kill=self.on_kill, emit=self.on_event)
        self.roster = Roster("top", self.spec, slots, hands)
        self.roster.advance(self.now_s)

    # What the roster has done.

    def on_start(self, slot: Slot) -> None:
        assert slot not in self.alive, "two incarnations at once"
        assert not self.stop_asked
        assert self.roster.failure is None, "started after giving up"
        assert slot.spec.restart is not Restart.TEMPORARY or slot.history.incarnation == 1
        if slot.in_turn:
            assert all(other.settled for other in self.roster.slots[: slot.index]), "started before its turn"
            assert not any(other.doomed for other in self.alive), "started while somebody must go"
        self.alive.add(slot)

    def on_ask(self, slot: Slot) -> None:
        assert slot in self.alive
        later = [other for other in self.alive if other.index > slot.index and other.doomed]
        assert all(other.state is ChildState.STUCK for other in later), "asked before its turn"

    def on_kill(self, slot: Slot, _why: Condemned) -> None:
        assert slot in self.alive
        self.killed.add(slot)

    def on_event(self, event: TreeEvent) -> None:
        """Events need no answer."""

    # What children and callers do.

    @precondition(lambda self: any(slot.state is ChildState.STARTING for slot in self.alive))
    @rule(data=st.data())
    def a_child_becomes_ready(self, data: st.DataObject) -> None:
        starting = [slot for slot in self.roster.slots if slot.state is ChildState.STARTING]
        self.roster.child_ready(data.draw(st.sampled_from(starting)), self.now_s)
        self.roster.advance(self.now_s)

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), kind=st.sampled_from(ExitKind), excused=st.booleans())
    def some_children_leave_at_once(self, data: st.DataObject, kind: ExitKind, excused: bool) -> None:
        living = sorted(self.alive, key=lambda slot: slot.index)
        leaving = data.draw(st.lists(st.sampled_from(living), min_size=1, unique=True))
        for slot in sorted(leaving, key=lambda slot: slot.index):
            self.leave(slot, Exit(kind=kind, reason="as drawn", error=ValueError(), excused=excused))
        self.roster.advance(self.now_s)

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 6.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        for slot in self.alive:
            slot.beat_at_s = max(slot.beat_at_s, self.now_s)
        self.now_s += seconds
        self.roster.advance(self.now_s)

    @rule(data=st.data())
    def one_is_restarted_by_hand(self, data: st.DataObject) -> None:
        allowed = [slot for slot in self.roster.slots if slot.spec.restart is not Restart.TEMPORARY]
        if allowed:
            self.roster.restart(data.draw(st.sampled_from(allowed)), self.now_s)
            self.roster.advance(self.now_s)

    @rule(data=st.data())
    def one_is_terminated_by_hand(self, data: st.DataObject) -> None:
        self.roster.terminate(data.draw(st.sampled_from(self.roster.slots)))
        self.roster.advance(self.now_s)

    @precondition(lambda self: not self.stop_asked)
    @rule(sure=st.integers(0, 9))
    def it_is_stopped(self, sure: int) -> None:
        if sure == 0:
            self.stop_asked = True
            self.roster.stop()
            self.roster.advance(self.now_s)

    def leave(self, slot: Slot, left: Exit) -> None:
        self.alive.discard(slot)
        self.killed.discard(slot)
        self.roster.child_exited(slot, left, self.now_s)

    # What must hold after every step.

    @invariant()
    def the_roster_knows_who_is_alive(self) -> None:
        if hasattr(self, "roster"):
            assert {slot for slot in self.roster.slots if slot.alive} == self.alive

    @invariant()
    def nobody_is_forgotten(self) -> None:
        if not hasattr(self, "roster"):
            return
        moving = (ChildState.STARTING, ChildState.BACKING_OFF)
        busy = any(slot.doomed or slot.state in moving for slot in self.roster.slots)
        condemned = any(slot.state in (ChildState.KILLING, ChildState.STUCK) for slot in self.alive)
        if not busy and not condemned:
            assert not any(slot.state is ChildState.WAITING for slot in self.roster.slots)

    @invariant()
    def a_deadline_is_always_ahead(self) -> None:
        if hasattr(self, "roster"):
            assert self.roster.due_at_s() > self.now_s

    @invariant()
    def giving_up_stops_everybody(self) -> None:
        if hasattr(self, "roster") and self.roster.failure is not None:
            assert self.roster.phase is Phase.STOPPING
            assert isinstance(self.roster.failure, StartFailed) or self.spec.slow_retry_s is None
            assert isinstance(self.roster.failure, StartFailed | IntensityExceeded)

    def teardown(self) -> None:
        """A stop ends, whatever went before: those who are asked or killed leave, one after another."""
        if not hasattr(self, "roster"):
            return
        self.stop_asked = True
        self.roster.stop()
        self.roster.advance(self.now_s)
        for _ in self.roster.slots:
            gone = [slot for slot in self.alive if slot.state is not ChildState.RUNNING]
            for slot in gone:
                self.leave(slot, Exit(kind=ExitKind.NORMAL, reason="stopped"))
            self.roster.advance(self.now_s)
        assert self.roster.over


TestRoster = RosterMachine.TestCase
TestRoster.settings = settings(stateful_step_count=40)


def test_an_illegal_transition_raises_and_changes_nothing() -> None:
    child = ChildSpec(name="a", run=run)
    slot = Slot(spec=child, path="top/a", index=0, delays=Delays(Backoff(), Random()), history=History())
    with pytest.raises(IllegalTransition):
        slot.enter(ChildState.RUNNING, deadline_s=5)
    assert (slot.state, slot.deadline_s) == (ChildState.WAITING, math.inf)
