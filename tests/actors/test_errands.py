"""Questions that nobody waits for: answered to the incarnation that asked, and asked again when they fail."""

from __future__ import annotations

from typing import Any

from actors.errands import RETRY_S, Errands, Returned
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import Ref
from actors.model.errors import StorageFailed
from tests.kit.core import HandClock


class Scene:
    """An actor's mailbox, the writer's, and a clock."""

    def __init__(self, room: int = 8) -> None:
        self.home, self.writer = Mailbox("home", 8), Mailbox("writer", room)
        self.clock = HandClock()
        self.errands = Errands(Ref(self.home), Ref(self.writer), self.clock)

    async def asked(self) -> list[Any]:
        _tells, letters = await self.writer.receive()
        self.writer.finished()
        return letters

    async def told(self) -> Returned:
        tells, _letters = await self.home.receive()
        (returned,) = tells
        assert isinstance(returned, Returned)
        return returned


async def test_the_answer_comes_home_with_what_it_is_about() -> None:
    scene = Scene()
    scene.errands.send("question", "about")
    (errand,) = await scene.asked()
    errand.answer(7)
    returned = await scene.told()
    assert scene.errands.accept(returned)
    assert (returned.errand.about, returned.value) == ("about", 7)


async def test_an_answer_for_an_earlier_incarnation_is_not_accepted() -> None:
    scene = Scene()
    scene.errands.send("question", "about")
    (errand,) = await scene.asked()
    errand.answer(7)
    later = Errands(Ref(scene.home), Ref(scene.writer), scene.clock)
    assert not later.accept(await scene.told())


async def test_what_failed_is_asked_again_after_a_while() -> None:
    scene = Scene()
    scene.errands.send("question", "about")
    (errand,) = await scene.asked()
    errand.fail(StorageFailed("no"))
    assert not scene.errands.accept(await scene.told())
    scene.errands.push()
    assert scene.writer.depth == 0
    assert scene.errands.due_in_s() == RETRY_S
    scene.clock.pass_s(RETRY_S)
    scene.errands.push()
    (again,) = await scene.asked()
    assert (again.message, again.about) == ("question", "about")


async def test_a_full_mailbox_is_waited_for_and_the_order_kept() -> None:
    scene = Scene(room=1)
    for number in range(3):
        scene.errands.send(number, None)
    asked = []
    for _ in range(3):
        asked += [errand.message for errand in await scene.asked()]
        scene.clock.pass_s(RETRY_S)
        scene.errands.push()
    assert asked == [0, 1, 2]
    assert scene.errands.due_in_s() == float("inf")
