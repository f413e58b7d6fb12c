"""A child's place: it outlives the child's incarnations, and holds what the roster knows about the child."""

import math
from collections.abc import Mapping

from attrs import define, field

from supervisor.tree.backoff import Delays
from supervisor.tree.report import CrashReport
from supervisor.tree.spec import Child
from supervisor.tree.states import ALIVE, SETTLED, ChildState, check_transition


@define(eq=False)
class History:
    """What is remembered about a path for as long as the whole tree runs, whichever supervisor hosted it."""

    incarnation: int = 0
    restarts: int = 0
    """How often its own exit led to a restart; being restarted with a sibling does not count."""
    last_crash: CrashReport | None = None
    """The latest abnormal exit, also one that the supervisor wanted (`reason` tells: `killed`)."""


@define(eq=False, kw_only=True)
class Slot:
    """One child's place in its supervisor. Times are monotonic seconds."""

    spec: Child
    path: str
    index: int
    delays: Delays
    history: History
    details: Mapping[str, object] = field(factory=dict)

    state: ChildState = ChildState.WAITING
    deadline_s: float = math.inf
    """When the present state has lasted too long."""
    started_at_s: float = -math.inf
    ready_at_s: float | None = None
    beat_at_s: float = -math.inf
    resume_at_s: float = -math.inf
    """Not to be started before this."""

    doomed: bool = False
    """The supervisor wants this incarnation gone: its exit is no crash."""
    resume: bool = True
    """After a doomed incarnation the next one follows."""
    in_turn: bool = True
    """To be started only when those before it are settled; a one_for_one restart waits for nobody."""
    exhausted: bool = False
    """The intensity was used up by it and it has not been healthy since: it is tried slowly."""
    untried: bool = True
    """Never was ready nor left in peace: failing now is a failed start."""

    @property
    def alive(self) -> bool:
        """Whether a task of it exists."""
        return self.state in ALIVE

    @property
    def settled(self) -> bool:
        """Whether those after it need not wait for it."""
        return self.state in SETTLED

    @property
    def due_at_s(self) -> float:
        """When something is to be done about it if nothing happens: for a running child, when it counts as hung."""
        if self.state is ChildState.RUNNING and self.spec.hung_after_s is not None:
            return self.beat_at_s + self.spec.hung_after_s
        return self.deadline_s

    def enter(self, state: ChildState, deadline_s: float = math.inf) -> None:
        """Go to `state`, for at most until `deadline_s`; raises `IllegalTransition` and changes nothing otherwise."""
        check_transition(self.path, self.state, state)
        self.state = state
        self.deadline_s = deadline_s

    def start(self, now_s: float) -> None:
        """Begin the next incarnation."""
        self.enter(ChildState.STARTING, now_s + self.spec.start_within_s)
        self.history.incarnation += 1
        self.started_at_s = now_s
        self.ready_at_s = None
        self.details = {}
        self.doomed = False

    def queue(self, now_s: float) -> None:
        """Line up for the next start, after the delay if there is one."""
        if self.state is ChildState.WAITING and self.resume_at_s <= now_s:
            return
        if self.resume_at_s > now_s:
            self.enter(ChildState.BACKING_OFF, self.resume_at_s)
        else:
            self.enter(ChildState.WAITING)
