"""A mailbox: bounded, owned by the supervisor's slot and not by the actor, so that it outlives the actor's crashes.

Two lanes lead into it. *Letters* (commands, questions) are bounded: `offer` takes as many as fit. *Tells* (answers from
below, notices) never wait; each of them is caused by a letter that was let in, so their number is bounded by the same
bound. `receive` gives out all that waits, tells first.

What was given out stays noted until the actor says `finished`. When the actor crashes, the unfinished letters go back
to the front and the next incarnation gets them one at a time, so that the guilty one is alone when it strikes again,
also when it strikes after the actor has gone through all of them; a letter that crashes its actor twice goes to the
dead letters and is answered with `actor_crashed`.

The lanes are a trio memory channel that carries whole batches: a channel costs 7 µs a message, and a batch in one
message costs the same 7 µs. Both ends are held here for ever, so a dead consumer can neither lose the buffer nor hang a
sender.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec
import trio

from actors.model.errors import ActorCrashed, PerdureError

BATCH_MAX: Final = 2048
"""Letters given out at once: more would delay the first of them noticeably (2048 × 20 µs = 40 ms)."""

DELIVERIES_MAX: Final = 2
"""A letter that crashed its actor this often is not tried again (SPEC section 2)."""

DEAD_LETTERS_KEPT: Final = 100
"""Dead letters are for people to look at; the newest hundred tell enough."""


class Letter(Protocol):
    """What travels in the bounded lane."""

    deliveries: int

    def fail(self, error: PerdureError) -> None:
        """Answer with an error."""
        ...


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A letter that will not be tried again, and why."""

    mailbox: str
    what: str
    crash_id: str


class Mailbox:
    """See the module's text."""

    def __init__(self, name: str, letters_max: int) -> None:
        self.name = name
        self.letters_max = letters_max
        self.depth_max_seen = 0
        self.dead_letters: deque[DeadLetter] = deque(maxlen=DEAD_LETTERS_KEPT)
        self.dead_letters_count = 0
        self._depth = 0
        self._send, self._receive = trio.open_memory_channel[tuple[bool, Sequence[Any]]](float("inf"))
        self._in_channel = 0
        """Batches sent and not received: asking the channel itself costs an exception each time."""
        self._suspects: deque[Letter] = deque()
        self._returned: deque[Letter] = deque()
        self._tells: list[Any] = []
        self._quiet: list[Any] = []
        """Tells that wake nobody, since the last one that did."""
        self._letters: deque[Letter] = deque()
        self._taken: deque[Letter] = deque()
        self._taken_from = self._letters
        self.taken_back = 0
        """How often letters came back by `take_back`."""
        self._when_back: list[trio.Event] = []
        self._in_hand: Letter | None = None
        self._closed: PerdureError | None = None
        self._roomier: trio.Event | None = None
        """Where somebody waits for room."""

    @property
    def depth(self) -> int:
        """How many letters wait, those given back after a crash included."""
        return self._depth

    @property
    def room(self) -> int:
        """How many letters still fit."""
        return max(0, self.letters_max - self._depth)

    def offer(self, letters: Sequence[Letter]) -> int:
        """Take as many letters as fit, from the front; return how many that were."""
        if self._closed is not None:
            for letter in letters:
                letter.fail(self._closed)
            return len(letters)
        taken = min(len(letters), self.room)
        if taken:
            self._depth += taken
            self.depth_max_seen = max(self.depth_max_seen, self._depth)
            self._send_batch(tuple(letters[:taken]), is_tell=False)
        return taken

    async def room_for(self, number: int) -> None:
        """Wait until so many letters fit; whoever offers them before its next checkpoint finds the room."""
        while self.room < number and self._closed is None:
            if self._roomier is None:
                self._roomier = trio.Event()
            await self._roomier.wait()

    def take_back(self, letters: Sequence[Letter]) -> None:
        """Put letters back to the front that came from here: what they were decided on has changed since."""
        self._returned.extend(letters)
        self._depth += len(letters)
        self.taken_back += 1
        while self._when_back:
            self._when_back.pop().set()
        self.wake()

    def set_when_back(self, event: trio.Event) -> None:
        """Set an event, once, when letters come back the next time."""
        self._when_back.append(event)

    def withdraw(self, is_wanted: Callable[[Letter], bool]) -> list[Letter]:
        """Take letters out that wait and were not given out yet; return them in their order."""
        self._drain()
        found = [letter for letter in self._letters if is_wanted(letter)]
        if found:
            kept = [letter for letter in self._letters if not is_wanted(letter)]
            self._letters.clear()
            self._letters.extend(kept)
            self._lighten(len(found))
        return found

    def postpone(self, number: int) -> None:
        """Put the last so many of what was given out back to the front: they are for the next turn."""
        for _ in range(number):
            self._taken_from.appendleft(self._taken.pop())
        self._depth += number

    def tell(self, message: Any) -> None:
        """Leave a notice; never waits."""
        if self._closed is None:
            quiet, self._quiet = self._quiet, []
            self._send_batch((*quiet, message), is_tell=True)

    def tell_quietly(self, message: Any) -> None:
        """Leave a notice that can wait until the actor is awake anyway: it comes before every letter offered later."""
        if self._closed is None:
            self._quiet.append(message)

    def wake(self) -> None:
        """Let a waiting `receive` return although nothing came."""
        self._send_batch((), is_tell=True)

    async def receive(self) -> tuple[list[Any], list[Letter]]:
        """Wait until something is there; return all tells and the letters (at most BATCH_MAX; a returned one alone)."""
        if not (self._suspects or self._returned or self._letters or self._tells):
            self._sort(await self._receive.receive())
        self._drain()
        tells, self._tells = [*self._tells, *self._quiet], []
        self._quiet.clear()
        letters = self._take()
        return tells, letters

    def each(self, letters: Iterable[Letter]) -> Iterator[Letter]:
        """Yield letters one by one, noting which one is in hand, so that a crash finds the guilty one."""
        for letter in letters:
            self._in_hand = letter
            yield letter
        self._in_hand = None

    def blame(self, letter: Letter) -> None:
        """Note that it was this letter: what it led to is what crashed the actor."""
        self._in_hand = letter

    def finished(self) -> None:
        """Everything given out has been answered or handed on."""
        self._taken.clear()
        self._in_hand = None

    def give_back(self) -> None:
        """Put what was given out back to the front: the actor was stopped, and no letter is to blame."""
        self._give_back(self._taken_from)

    def crashed(self, crash_id: str) -> bool:
        """Note that the actor crashed; return whether a letter that was suspect before is to blame again."""
        guilty = self._in_hand
        if guilty is None and len(self._taken) == 1:
            guilty = self._taken[0]  # it was given out alone: whatever happened, happened because of it
        repeated = guilty is not None and guilty.deliveries > 0
        if guilty is not None:
            guilty.deliveries += 1
            if guilty.deliveries >= DELIVERIES_MAX:
                self._taken.remove(guilty)
                self._bury(guilty, crash_id)
        self._give_back(self._suspects)
        return repeated

    def close(self, error: PerdureError) -> None:
        """Answer everything that waits, and whatever comes later, with this error: the slot is gone for good."""
        self._closed = error
        self._drain()
        lanes = (self._taken, self._suspects, self._returned, self._letters)
        waiting = [letter for lane in lanes for letter in lane]
        for lane in lanes:
            lane.clear()
        self._tells.clear()
        self._quiet.clear()
        self._depth = 0
        self._tell_of_room()
        for letter in waiting:
            letter.fail(error)

    def _give_back(self, lane: deque[Letter]) -> None:
        lane.extendleft(reversed(self._taken))
        self._depth += len(self._taken)
        self.finished()

    def _send_batch(self, messages: Sequence[Any], *, is_tell: bool) -> None:
        self._in_channel += 1
        self._send.send_nowait((is_tell, messages))

    def _sort(self, item: tuple[bool, Sequence[Any]]) -> None:
        self._in_channel -= 1
        is_tell, messages = item
        (self._tells if is_tell else self._letters).extend(messages)

    def _drain(self) -> None:
        while self._in_channel:
            try:
                self._sort(self._receive.receive_nowait())
            except trio.WouldBlock:
                return  # it is on its way to the task that waits in `receive`

    def _take(self) -> list[Letter]:
        lane = self._returned or self._suspects or self._letters  # what came back was sent before all others
        number_max = 1 if lane is self._suspects else BATCH_MAX
        taken = [lane.popleft() for _ in range(min(len(lane), number_max))]
        self._taken_from = lane
        self._taken.extend(taken)
        if taken:
            self._lighten(len(taken))
        return taken

    def _lighten(self, number: int) -> None:
        self._depth -= number
        self._tell_of_room()

    def _tell_of_room(self) -> None:
        if self._roomier is not None:
            self._roomier.set()
            self._roomier = None

    def _bury(self, letter: Letter, crash_id: str) -> None:
        what = getattr(letter, "method", type(letter).__name__)
        self.dead_letters_count += 1
        self.dead_letters.append(DeadLetter(mailbox=self.name, what=what, crash_id=crash_id))
        letter.fail(ActorCrashed(f"{what} crashed the actor {self.name} twice", crash_id=crash_id))
