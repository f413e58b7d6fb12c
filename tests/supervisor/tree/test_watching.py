"""A child that is alive but gives no sign of life is found: under a virtual clock."""

import trio
from trio.testing import MockClock

from supervisor.tree.context import ChildContext
from supervisor.tree.events import ChildExited, ChildRestarting
from supervisor.tree.rules import ExitKind
from supervisor.tree.states import ChildState
from tests.supervisor.tree.cast import Cast, in_virtual_time, running, tree

pytestmark = in_virtual_time


async def stand_at_the_well(context: ChildContext) -> None:
    """Beat for 10 seconds, then hang."""
    context.ready()
    for _ in range(10):
        await trio.sleep(1)
        context.beat()
    await trio.sleep_forever()


async def beat_for_ever(context: ChildContext) -> None:
    context.ready()
    while True:
        await trio.sleep(1)
        context.beat()
        await context.chaos_hang()


async def test_a_child_that_beats_no_more_is_restarted_and_the_report_says_where_it_stood(cast: Cast) -> None:
    async with running(tree(cast.child("a", stand_at_the_well, hung_after_s=3), cast.child("b"))) as show:
        await trio.sleep(12.9)
        assert show.seen(ChildExited) == []
        await trio.sleep(0.2)
        (exited,) = show.seen(ChildExited)
        assert (exited.kind, exited.reason, exited.expected) == (ExitKind.ABNORMAL, "hung", False)
        assert exited.report is not None
        assert exited.report.exception_type == "Hung"
        assert exited.report.uptime_s == 13
        assert "stand_at_the_well" in exited.report.traceback
        assert "sleep_forever" in exited.report.traceback
        assert cast.lives == {"a": 2, "b": 1}
        assert [event.reason for event in show.seen(ChildRestarting)] == ["hung"]


async def test_a_child_that_beats_is_left_alone(cast: Cast) -> None:
    async with running(tree(cast.child("a", beat_for_ever, hung_after_s=3))):
        await trio.sleep(1000)
        assert cast.lives == {"a": 1}


async def test_a_child_without_hung_after_is_not_watched(cast: Cast) -> None:
    async with running(tree(cast.child("a"))):
        await trio.sleep(80_000)
        assert cast.lives == {"a": 1}


async def test_nobody_is_hung_because_the_whole_loop_stood_still(cast: Cast) -> None:
    async with running(tree(cast.child("a", beat_for_ever, hung_after_s=3), cast.child("b", hung_after_s=3))) as show:
        await trio.sleep(1.5)
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, MockClock)
        clock.jump(60)
        await trio.sleep(2)
        assert cast.lives == {"a": 1, "b": 1}
        await trio.sleep(2)
        assert [event.path for event in show.seen(ChildExited)] == ["top/b"]


async def test_the_watch_begins_when_the_child_is_ready(cast: Cast) -> None:
    async def start_slowly(context: ChildContext) -> None:
        await trio.sleep(20)
        await beat_for_ever(context)

    async with running(tree(cast.child("a", start_slowly, hung_after_s=3))) as show:
        await trio.sleep(100)
        assert cast.lives == {"a": 1}
        assert show.state("a") is ChildState.RUNNING


async def test_the_beats_of_an_earlier_incarnation_do_not_keep_its_successor_alive(cast: Cast) -> None:
    async with running(tree(cast.child("a", hung_after_s=3))):
        ghost = cast.contexts["a"]
        await cast.crash("a")
        for _ in range(4):
            await trio.sleep(1)
            ghost.beat()
        assert cast.lives == {"a": 3}
