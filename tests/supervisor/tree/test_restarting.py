"""Who is restarted, when, and how often: under a virtual clock."""

import pytest
import trio

from supervisor.tree.context import ChildContext
from supervisor.tree.errors import IntensityExceeded, Shutdown
from supervisor.tree.events import ChildExited, ChildRestarting, ChildStarted, Escalated, SupervisorStopped
from supervisor.tree.policy import Backoff, Intensity
from supervisor.tree.rules import ExitKind, Restart, Strategy
from supervisor.tree.states import ChildState
from tests.supervisor.tree.cast import Cast, in_virtual_time, quiet, running, tree

pytestmark = in_virtual_time

ORDERS = {ExitKind.NORMAL: None, ExitKind.SHUTDOWN: Shutdown("done"), ExitKind.ABNORMAL: ValueError("broken")}


@pytest.mark.parametrize("kind", list(ExitKind))
async def test_a_permanent_child_is_restarted_after_every_kind_of_exit(cast: Cast, kind: ExitKind) -> None:
    async with running(tree(cast.child("a"))) as show:
        cast.tell("a", ORDERS[kind])
        await quiet()
        assert cast.lives["a"] == 2
        assert show.state("a") is ChildState.RUNNING
        assert [event.kind for event in show.seen(ChildExited)] == [kind]


@pytest.mark.parametrize(
    ("kind", "lives", "state"),
    [
        (ExitKind.NORMAL, 1, ChildState.STOPPED),
        (ExitKind.SHUTDOWN, 1, ChildState.STOPPED),
        (ExitKind.ABNORMAL, 2, ChildState.RUNNING),
    ],
)
async def test_a_transient_child_is_restarted_after_an_abnormal_exit_only(
    cast: Cast, kind: ExitKind, lives: int, state: ChildState
) -> None:
    async with running(tree(cast.child("a", restart=Restart.TRANSIENT))) as show:
        cast.tell("a", ORDERS[kind])
        await quiet()
        assert (cast.lives["a"], show.state("a")) == (lives, state)
        assert not show.ended.is_set()


@pytest.mark.parametrize("kind", list(ExitKind))
async def test_a_temporary_child_is_never_restarted(cast: Cast, kind: ExitKind) -> None:
    async with running(tree(cast.child("a", restart=Restart.TEMPORARY))) as show:
        cast.tell("a", ORDERS[kind])
        await quiet()
        assert (cast.lives["a"], show.state("a")) == (1, ChildState.REMOVED)
        assert not show.ended.is_set()


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_a_temporary_bystander_is_stopped_with_its_group_and_does_not_come_back(
    cast: Cast, strategy: Strategy
) -> None:
    children = cast.child("a"), cast.child("b", restart=Restart.TEMPORARY), cast.child("c")
    async with running(tree(*children, strategy=strategy)) as show:
        await cast.crash("a")
        assert cast.lives == {"a": 2, "b": 1, "c": 2}
        assert show.state("b") is ChildState.REMOVED


async def test_a_temporary_child_that_crashes_takes_nobody_along(cast: Cast) -> None:
    children = cast.child("a", restart=Restart.TEMPORARY), cast.child("b")
    async with running(tree(*children, strategy=Strategy.ONE_FOR_ALL, intensity=Intensity(0, 1))):
        await cast.crash("a")
        assert cast.lives == {"a": 1, "b": 1}


async def test_one_for_one_restarts_the_child_that_failed_and_nobody_else(cast: Cast) -> None:
    async with running(tree(cast.child("a"), cast.child("b"), cast.child("c"))):
        cast.log.clear()
        await cast.crash("b")
        assert cast.log == ["gone b", "start b", "ready b"]


async def test_one_for_all_stops_the_others_in_reverse_order_and_starts_all_in_order(cast: Cast) -> None:
    spec = tree(cast.child("a"), cast.child("b"), cast.child("c"), strategy=Strategy.ONE_FOR_ALL)
    async with running(spec) as show:
        cast.log.clear()
        await cast.crash("b")
        stops = ["gone b", "asked c", "gone c", "asked a", "gone a"]
        assert cast.log == [*stops, "start a", "ready a", "start b", "ready b", "start c", "ready c"]
        (event,) = show.seen(ChildRestarting)
        assert (event.path, event.with_it) == ("top/b", ("top/a", "top/c"))


async def test_rest_for_one_stops_those_after_it_in_reverse_order_and_leaves_those_before_it(cast: Cast) -> None:
    spec = tree(*map(cast.child, "abcd"), strategy=Strategy.REST_FOR_ONE)
    async with running(spec):
        cast.log.clear()
        await cast.crash("b")
        stops = ["gone b", "asked d", "gone d", "asked c", "gone c"]
        assert cast.log == [*stops, "start b", "ready b", "start c", "ready c", "start d", "ready d"]


async def test_a_transient_child_that_left_in_peace_comes_back_with_its_group(cast: Cast) -> None:
    spec = tree(cast.child("a"), cast.child("b", restart=Restart.TRANSIENT), strategy=Strategy.REST_FOR_ONE)
    async with running(spec):
        cast.tell("b", None)
        await quiet()
        await cast.crash("a")
        assert cast.lives == {"a": 2, "b": 2}


@pytest.mark.parametrize(
    ("strategy", "restarted"),
    [(Strategy.ONE_FOR_ONE, "bd"), (Strategy.ONE_FOR_ALL, "abcd"), (Strategy.REST_FOR_ONE, "bcd")],
)
async def test_several_deaths_at_once_are_handled_once_and_in_order(
    cast: Cast, strategy: Strategy, restarted: str
) -> None:
    async with running(tree(*map(cast.child, "abcd"), strategy=strategy)) as show:
        before = len(show.seen(ChildStarted))
        await cast.crash("d", "b")
        assert [event.path for event in show.seen(ChildStarted)[before:]] == [f"top/{name}" for name in restarted]
        counted = [event.path for event in show.seen(ChildRestarting)]
        assert counted == (["top/b", "top/d"] if strategy is Strategy.ONE_FOR_ONE else ["top/b"])


async def test_exactly_the_allowed_restarts_live_and_one_more_escalates(cast: Cast) -> None:
    spec = tree(cast.child("a"), cast.child("b"), intensity=Intensity(restarts_max=3, within_s=10))
    async with running(spec) as show:
        for _ in range(3):
            await cast.crash("b")
            await trio.sleep(1)
        assert show.state("b") is ChildState.RUNNING
        await cast.crash("b")
        await show.ended.wait()
        assert isinstance(show.failure, IntensityExceeded)
        assert cast.lives == {"a": 1, "b": 4}
        assert cast.log[-2:] == ["asked a", "gone a"]
        assert len(show.failure.reports) == 4
        assert {report.path for report in show.failure.reports} == {"top/b"}
        assert isinstance(show.failure.__cause__, ValueError)
        assert "more than 3 restarts within 10 s" in str(show.failure)
        assert [event.child for event in show.seen(Escalated)] == ["top/b"]
        assert str(show.failure) == show.seen(SupervisorStopped)[0].reason


async def test_spaced_restarts_never_escalate(cast: Cast) -> None:
    async with running(tree(cast.child("a"), intensity=Intensity(restarts_max=3, within_s=10))) as show:
        for _ in range(50):
            await cast.crash("a")
            await trio.sleep(3.4)
        assert show.state("a") is ChildState.RUNNING
        assert show.view("a").restarts == 50


async def test_the_intensity_counts_all_children_together(cast: Cast) -> None:
    async with running(tree(*map(cast.child, "abc"), intensity=Intensity(restarts_max=2, within_s=10))) as show:
        await cast.crash("a")
        await cast.crash("b")
        assert not show.ended.is_set()
        await cast.crash("c")
        assert isinstance(show.failure, IntensityExceeded)


async def test_a_permanent_child_that_keeps_returning_escalates_too(cast: Cast) -> None:
    async with running(tree(cast.child("a"), intensity=Intensity(restarts_max=1, within_s=10))) as show:
        for _ in range(2):
            cast.tell("a", None)
            await quiet()
        assert isinstance(show.failure, IntensityExceeded)
        assert show.failure.reports == ()
        assert "returned" in str(show.failure)


async def test_a_restart_that_fails_is_tried_again_and_every_try_counts(cast: Cast) -> None:
    async def start_well_once_and_then_on_the_fourth_try(context: ChildContext) -> None:
        if 1 < context.incarnation < 4:
            raise OSError(f"no start {context.incarnation}")
        await cast.serve(context)

    child = cast.child("a", start_well_once_and_then_on_the_fourth_try)
    async with running(tree(child, cast.child("b"), intensity=Intensity(restarts_max=3, within_s=10))) as show:
        await cast.crash("a")
        assert show.state("a") is ChildState.RUNNING
        assert (cast.lives, show.view("a").restarts) == ({"a": 4, "b": 1}, 3)
        await cast.crash("a")
        assert isinstance(show.failure, IntensityExceeded)


async def test_a_failing_restart_in_a_group_goes_on_from_the_child_that_failed(cast: Cast) -> None:
    async def fail_the_second_start(context: ChildContext) -> None:
        if context.incarnation == 2:
            raise OSError("no start")
        await cast.serve(context)

    children = cast.child("a"), cast.child("b"), cast.child("c", fail_the_second_start), cast.child("d")
    async with running(tree(*children, strategy=Strategy.REST_FOR_ONE)):
        cast.log.clear()
        await cast.crash("b")
        assert cast.of("start") == ["start b", "start c", "start c", "start d"]


async def test_another_child_that_fails_while_one_is_starting_again_does_not_wait_for_it(cast: Cast) -> None:
    async def start_slowly_the_second_time(context: ChildContext) -> None:
        if context.incarnation == 2:
            await trio.sleep(20)
        await cast.serve(context)

    async with running(tree(cast.child("a", start_slowly_the_second_time), cast.child("b"))) as show:
        await cast.crash("a")
        await cast.crash("b")
        assert (show.state("a"), show.state("b")) == (ChildState.STARTING, ChildState.RUNNING)
        assert cast.lives["b"] == 2
        await trio.sleep(21)
        assert show.state("a") is ChildState.RUNNING


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_a_failure_during_a_group_restart_widens_the_group_and_everybody_comes_back_once(
    cast: Cast, strategy: Strategy
) -> None:
    async def start_slowly_the_second_time(context: ChildContext) -> None:
        if context.incarnation == 2:
            with trio.move_on_after(20):
                await context.stopping.wait()
                return
        await cast.serve(context)

    children = cast.child("a"), cast.child("b", start_slowly_the_second_time), cast.child("c")
    async with running(tree(*children, strategy=strategy)) as show:
        await cast.crash("b")
        assert show.state("b") is ChildState.STARTING
        await cast.crash("a")
        await trio.sleep(30)
        assert [show.state(name) for name in "abc"] == [ChildState.RUNNING] * 3
        assert cast.of("start")[-3:] == ["start a", "start b", "start c"]


async def test_the_first_restart_is_immediate_and_later_ones_wait_within_their_ceilings(cast: Cast) -> None:
    backoff = Backoff(base_s=1, factor=2, max_s=4, healthy_after_s=60)
    async with running(tree(cast.child("a"), backoff=backoff)) as show:
        for ceiling_s in (0, 1, 2, 4, 4, 4):
            await cast.crash("a")
            assert 0 <= show.seen(ChildRestarting)[-1].delay_s <= ceiling_s
            await trio.sleep(ceiling_s)
            assert show.state("a") is ChildState.RUNNING
        assert max(event.delay_s for event in show.seen(ChildRestarting)) > 1


async def test_a_healthy_period_resets_the_backoff(cast: Cast) -> None:
    backoff = Backoff(base_s=4, factor=2, max_s=64, healthy_after_s=5)
    async with running(tree(cast.child("a"), backoff=backoff)) as show:
        for _ in range(4):
            await cast.crash("a")
            await trio.sleep(show.seen(ChildRestarting)[-1].delay_s + 4.9)
        assert show.seen(ChildRestarting)[-1].delay_s > 0
        await trio.sleep(0.2)
        await cast.crash("a")
        assert show.seen(ChildRestarting)[-1].delay_s == 0
        assert show.state("a") is ChildState.RUNNING


async def test_while_one_child_backs_off_its_sibling_is_restarted_at_once(cast: Cast) -> None:
    async with running(tree(cast.child("a"), cast.child("b"), backoff=Backoff(base_s=100, max_s=100))) as show:
        await cast.crash("a")
        await cast.crash("a")
        assert show.state("a") is ChildState.BACKING_OFF
        await cast.crash("b")
        assert show.state("b") is ChildState.RUNNING


async def test_a_group_waits_for_the_backoff_of_the_child_that_failed(cast: Cast) -> None:
    spec = tree(*map(cast.child, "abc"), strategy=Strategy.REST_FOR_ONE, backoff=Backoff(base_s=100, max_s=100))
    async with running(spec) as show:
        await cast.crash("b")
        await cast.crash("b")
        states = [show.state(name) for name in "abc"]
        assert states == [ChildState.RUNNING, ChildState.BACKING_OFF, ChildState.BACKING_OFF]
        await trio.sleep(101)
        assert [show.state(name) for name in "abc"] == [ChildState.RUNNING] * 3


async def test_with_slow_retry_an_exhausted_supervisor_goes_on_at_that_pace_until_the_child_is_healthy(
    cast: Cast,
) -> None:
    spec = tree(cast.child("a"), cast.child("b"), intensity=Intensity(restarts_max=2, within_s=10), slow_retry_s=60)
    async with running(spec) as show:
        for _ in range(3):
            await cast.crash("a")
        for _ in range(3):
            assert show.state("a") is ChildState.BACKING_OFF
            assert show.view("a").backoff_until_s == trio.current_time() + 60
            await trio.sleep(61)
            await cast.crash("a")
        assert show.state("b") is ChildState.RUNNING
        assert show.seen(ChildRestarting)[-1].exhausted
        await trio.sleep(66)
        await cast.crash("a")
        assert show.state("a") is ChildState.RUNNING
        assert not show.seen(ChildRestarting)[-1].exhausted


async def test_a_death_that_the_child_excuses_uses_up_no_intensity_and_waits_for_no_backoff(cast: Cast) -> None:
    spec = tree(cast.child("a"), intensity=Intensity(restarts_max=1, within_s=10), backoff=Backoff(base_s=100))
    async with running(spec) as show:
        await cast.crash("a")
        for _ in range(20):
            cast.contexts["a"].excuse()
            await cast.crash("a")
            assert show.state("a") is ChildState.RUNNING
        await cast.crash("a")
        assert isinstance(show.failure, IntensityExceeded)


async def test_a_start_that_fails_cannot_be_excused(cast: Cast) -> None:
    async def excuse_failing_starts(context: ChildContext) -> None:
        if context.incarnation > 1:
            context.excuse()
            raise OSError("no start")
        await cast.serve(context)

    async with running(tree(cast.child("a", excuse_failing_starts), intensity=Intensity(3, 10))) as show:
        await cast.crash("a")
        assert isinstance(show.failure, IntensityExceeded)


async def test_the_next_incarnation_learns_of_the_crash(cast: Cast) -> None:
    async with running(tree(cast.child("a"))):
        assert cast.contexts["a"].last_crash is None
        await cast.crash("a")
        context = cast.contexts["a"]
        assert context.incarnation == 2
        assert context.last_crash is not None
        assert (context.last_crash.incarnation, context.last_crash.exception_type) == (1, "ValueError")
        assert (context.last_crash.message, context.last_crash.reason) == ("a crashed", "crashed")
        assert "cast.py" in context.last_crash.traceback
