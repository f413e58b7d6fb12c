"""A mailbox outlives its actor: nothing in it is lost, and who crashes the actor twice is told so."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from attrs import define, field

from actors.kernel.mailbox import BATCH_MAX, DEAD_LETTERS_KEPT, Mailbox
from actors.model.errors import PerdureError, ShuttingDown


@define(eq=False)
class Slip:
    """A letter that remembers how it was answered."""

    name: str
    deliveries: int = 0
    errors: list[PerdureError] = field(factory=list)

    def fail(self, error: PerdureError) -> None:
        self.errors.append(error)


def slips(names: str) -> list[Slip]:
    return [Slip(name) for name in names]


def named(letters: Any) -> str:
    return "".join(letter.name for letter in letters)


async def take(mailbox: Mailbox) -> str:
    _tells, letters = await mailbox.receive()
    return named(letters)


def crash_at(mailbox: Mailbox, letters: Any, name: str) -> bool:
    """Let the actor crash while this letter is in its hands; return whether the letter was guilty before."""
    for letter in mailbox.each(letters):
        if letter.name == name:  # type: ignore[attr-defined]
            break
    return mailbox.crashed(f"crash-{name}")


async def test_everything_that_waits_comes_at_once_tells_first() -> None:
    mailbox = Mailbox("m", 10)
    mailbox.offer(slips("ab"))
    mailbox.tell("notice")
    mailbox.offer(slips("c"))
    tells, letters = await mailbox.receive()
    assert tells == ["notice"]
    assert named(letters) == "abc"


async def test_receiving_waits_until_something_is_there() -> None:
    mailbox = Mailbox("m", 10)
    got: list[str] = []

    async def receive() -> None:
        got.append(await take(mailbox))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        assert not got
        mailbox.offer(slips("a"))
    assert got == ["a"]


async def test_a_full_mailbox_takes_what_fits_from_the_front() -> None:
    mailbox = Mailbox("m", 3)
    assert mailbox.offer(slips("ab")) == 2
    assert mailbox.offer(slips("cd")) == 1
    assert mailbox.room == 0
    assert await take(mailbox) == "abc"
    assert mailbox.depth_max_seen == 3


async def test_tells_pass_a_full_mailbox() -> None:
    mailbox = Mailbox("m", 0)
    mailbox.tell("notice")
    assert await mailbox.receive() == (["notice"], [])


async def test_who_waits_for_room_goes_on_when_letters_were_taken() -> None:
    mailbox = Mailbox("m", 2)
    mailbox.offer(slips("ab"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.room_for, 2)
        await trio.testing.wait_all_tasks_blocked()
        assert await take(mailbox) == "ab"
    assert mailbox.room == 2


async def test_one_batch_is_bounded() -> None:
    mailbox = Mailbox("m", 2 * BATCH_MAX)
    mailbox.offer([Slip("a") for _ in range(BATCH_MAX + 1)])
    assert len(await take(mailbox)) == BATCH_MAX
    assert await take(mailbox) == "a"


async def test_waking_lets_receive_return_with_nothing() -> None:
    mailbox = Mailbox("m", 1)
    mailbox.wake()
    assert await mailbox.receive() == ([], [])


async def test_after_a_crash_each_letter_comes_alone_in_the_old_order() -> None:
    mailbox = Mailbox("m", 10)
    mailbox.offer(slips("abc"))
    _tells, letters = await mailbox.receive()
    assert crash_at(mailbox, letters, "b") is False
    mailbox.offer(slips("d"))
    taken = []
    for _ in range(3):
        taken.append(await take(mailbox))
        mailbox.finished()
    assert taken == ["a", "b", "c"]
    assert await take(mailbox) == "d"


async def test_a_letter_that_crashes_the_actor_twice_is_told_so_and_kept_for_people_to_see() -> None:
    mailbox = Mailbox("tasks", 10)
    poison, *others = slips("abc")
    mailbox.offer([poison, *others])
    _tells, letters = await mailbox.receive()
    assert crash_at(mailbox, letters, "a") is False
    _tells, letters = await mailbox.receive()
    assert crash_at(mailbox, letters, "a") is True
    assert [error.kind for error in poison.errors] == ["actor_crashed"]
    assert poison.errors[0].details["crash_id"] == "crash-a"
    assert [dead.mailbox for dead in mailbox.dead_letters] == ["tasks"]
    assert mailbox.dead_letters_count == 1
    assert await take(mailbox) == "b"
    assert not others[0].errors


async def test_a_crash_outside_any_letter_blames_none() -> None:
    mailbox = Mailbox("m", 10)
    mailbox.offer(slips("ab"))
    _tells, letters = await mailbox.receive()
    assert len(list(mailbox.each(letters))) == 2
    assert mailbox.crashed("x") is False
    assert [letter.deliveries for letter in letters] == [0, 0]
    assert await take(mailbox) == "a"


async def test_a_crash_outside_any_letter_blames_the_one_that_was_given_out_alone() -> None:
    mailbox = Mailbox("m", 10)
    poison, innocent = slips("ab")
    mailbox.offer([poison, innocent])
    excused = []
    for _ in range(3):
        _tells, letters = await mailbox.receive()
        assert list(mailbox.each(letters)) == letters
        excused.append(mailbox.crashed("x"))
    assert excused == [False, False, True]
    assert [error.kind for error in poison.errors] == ["actor_crashed"]
    assert await take(mailbox) == "b"
    assert not innocent.errors


async def test_a_stopped_actor_gives_its_letters_back_and_none_is_suspect() -> None:
    mailbox = Mailbox("m", 10)
    mailbox.offer(slips("ab"))
    await mailbox.receive()
    mailbox.offer(slips("c"))
    mailbox.give_back()
    assert mailbox.depth == 3
    assert await take(mailbox) == "abc"


async def test_a_suspect_stays_alone_when_its_actor_was_stopped_meanwhile() -> None:
    mailbox = Mailbox("m", 10)
    mailbox.offer(slips("ab"))
    _tells, letters = await mailbox.receive()
    crash_at(mailbox, letters, "a")
    await mailbox.receive()
    mailbox.give_back()
    assert await take(mailbox) == "a"


async def test_what_others_give_back_comes_before_what_waits() -> None:
    mailbox = Mailbox("m", 10)
    mailbox.offer(slips("c"))
    mailbox.take_back(slips("ab"))
    assert mailbox.taken_back == 1
    assert await take(mailbox) == "ab"
    mailbox.finished()
    assert await take(mailbox) == "c"


async def test_what_is_postponed_comes_after_what_was_given_back_and_before_what_waits() -> None:
    mailbox = Mailbox("m", 10)
    mailbox.offer(slips("abc"))
    await mailbox.receive()
    mailbox.postpone(2)
    mailbox.finished()
    mailbox.offer(slips("d"))
    mailbox.take_back(slips("x"))
    assert mailbox.depth == 4
    assert await take(mailbox) == "x"
    mailbox.finished()
    assert await take(mailbox) == "bcd"


async def test_postponed_letters_are_not_given_back_twice() -> None:
    mailbox = Mailbox("m", 10)
    mailbox.offer(slips("ab"))
    await mailbox.receive()
    mailbox.postpone(1)
    mailbox.give_back()
    assert await take(mailbox) == "ab"


async def test_a_closed_mailbox_answers_whatever_is_left_and_whatever_comes() -> None:
    mailbox = Mailbox("m", 10)
    taken, waiting, late = slips("abc")
    mailbox.offer([taken])
    await mailbox.receive()
    mailbox.offer([waiting])
    mailbox.close(ShuttingDown("over"))
    assert mailbox.offer([late]) == 1
    for slip in (taken, waiting, late):
        assert [error.kind for error in slip.errors] == ["shutting_down"]
    await mailbox.room_for(100)
    assert mailbox.depth == 0


async def test_dead_letters_are_bounded() -> None:
    mailbox = Mailbox("m", 10)
    for _ in range(DEAD_LETTERS_KEPT + 1):
        mailbox.offer([Slip("a", deliveries=1)])
        _tells, letters = await mailbox.receive()
        crash_at(mailbox, letters, "a")
    assert len(mailbox.dead_letters) == DEAD_LETTERS_KEPT
    assert mailbox.dead_letters_count == DEAD_LETTERS_KEPT + 1


@pytest.mark.parametrize("letters_max", [1, 5])
async def test_depth_and_room_always_add_up(letters_max: int) -> None:
    mailbox = Mailbox("m", letters_max)
    mailbox.offer(slips("a" * 9))
    assert mailbox.depth + mailbox.room == letters_max
    await mailbox.receive()
    assert (mailbox.depth, mailbox.room) == (0, letters_max)
    mailbox.postpone(1)
    assert mailbox.depth == 1


async def test_a_quiet_tell_wakes_nobody_and_comes_with_the_next_letter() -> None:
    mailbox = Mailbox("m", 10)
    received: list[Any] = []

    async def receive() -> None:
        received.extend(await mailbox.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        mailbox.tell_quietly("settled")
        await trio.testing.wait_all_tasks_blocked()
        assert received == []
        (letter,) = slips("a")
        mailbox.offer([letter])
    assert received == [["settled"], [letter]]


async def test_tells_keep_their_order_whether_quiet_or_not() -> None:
    mailbox = Mailbox("m", 10)
    mailbox.tell_quietly(1)
    mailbox.tell(2)
    mailbox.tell_quietly(3)
    mailbox.tell_quietly(4)
    tells, _letters = await mailbox.receive()
    assert tells == [1, 2, 3, 4]


async def test_a_closed_mailbox_keeps_no_quiet_tells() -> None:
    mailbox = Mailbox("m", 10)
    mailbox.tell_quietly(1)
    mailbox.close(ShuttingDown("over"))
    mailbox.tell_quietly(2)
    mailbox.wake()
    tells, _letters = await mailbox.receive()
    assert tells == []


async def test_a_letter_on_its_way_to_who_waits_is_neither_withdrawn_nor_lost() -> None:
    mailbox = Mailbox("m", 10)
    got: list[str] = []

    async def wait() -> None:
        got.append(await take(mailbox))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        mailbox.offer(slips("a"))  # it goes straight to the task, past the channel's buffer
        mailbox.offer(slips("b"))
        assert named(mailbox.withdraw(lambda _letter: True)) == "b"
        mailbox.offer(slips("c"))
    assert (got, mailbox.depth) == (["ac"], 0)
