"""Asking: exactly one of two things comes back, the answer or a typed error."""

import pytest
import trio

from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import Ask, Ref
from actors.model.errors import NotFound, Overloaded, ShuttingDown


async def answering(mailbox: Mailbox, answer: object) -> None:
    _tells, letters = await mailbox.receive()
    for letter in letters:
        assert isinstance(letter, Ask)
        if isinstance(answer, NotFound):
            letter.fail(answer)
        else:
            letter.answer(answer)
        letter.answer("a second answer changes nothing")
        letter.fail(NotFound("neither does an error"))
    mailbox.finished()


async def test_an_answer_comes_back() -> None:
    mailbox = Mailbox("m", 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answering, mailbox, 42)
        assert await Ref(mailbox).ask("what?") == 42


async def test_an_error_is_raised_where_it_was_asked() -> None:
    mailbox = Mailbox("m", 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answering, mailbox, NotFound("nothing there"))
        with pytest.raises(NotFound):
            await Ref(mailbox).ask("what?")


async def test_a_full_mailbox_is_told_at_once() -> None:
    with pytest.raises(Overloaded) as caught:
        await Ref(Mailbox("writer", 0)).ask("what?")
    assert caught.value.details["retry_after_s"] > 0


async def test_who_asks_a_slot_that_is_gone_gets_its_error() -> None:
    mailbox = Mailbox("m", 1)
    mailbox.close(ShuttingDown("over"))
    with pytest.raises(ShuttingDown):
        await Ref(mailbox).ask("what?")


async def test_a_question_that_waits_when_the_slot_closes_is_answered() -> None:
    mailbox = Mailbox("m", 1)
    question = Ask("what?")
    mailbox.offer([question])
    mailbox.close(ShuttingDown("over"))
    assert question.is_answered
    with pytest.raises(ShuttingDown):
        await question.wait()


async def test_a_ref_says_whose_it_is_and_what_fits() -> None:
    ref = Ref(Mailbox("tasks", 3))
    assert (ref.name, ref.room) == ("tasks", 3)
    await ref.room_for(3)
    ref.take_back([Ask("x")])
    assert ref.room == 2
