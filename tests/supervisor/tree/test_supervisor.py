"""Questions and orders about single children, and chaos: under a virtual clock."""

import pytest
import trio
from attrs import evolve

from supervisor.tree.chaos import Harm
from supervisor.tree.context import ChildContext
from supervisor.tree.errors import ChildDown, NotRestartable, NotSupervising, UnknownChild
from supervisor.tree.events import ChildExited, ChildRestarting
from supervisor.tree.policy import Backoff, Intensity
from supervisor.tree.rules import ExitKind, Restart, Strategy
from supervisor.tree.states import ChildState
from supervisor.tree.supervisor import Supervisor
from tests.supervisor.tree.cast import Cast, in_virtual_time, quiet, running, tree

pytestmark = in_virtual_time

NONE = Intensity(restarts_max=0, within_s=10)


async def test_a_child_that_is_terminated_stays_down_until_it_is_restarted(cast: Cast) -> None:
    async with running(tree(cast.child("a"), cast.child("b"))) as show:
        await show.supervisor.terminate_child("a")
        assert (show.state("a"), cast.log[-1]) == (ChildState.STOPPED, "gone a")
        await cast.crash("b")
        await trio.sleep(1000)
        assert cast.lives == {"a": 1, "b": 2}
        view = await show.supervisor.restart_child("a")
        assert (view.state, view.incarnation, view.restarts) == (ChildState.RUNNING, 2, 0)


async def test_a_terminated_child_comes_back_with_its_group(cast: Cast) -> None:
    async with running(tree(cast.child("a"), cast.child("b"), strategy=Strategy.ONE_FOR_ALL)) as show:
        await show.supervisor.terminate_child("b")
        await cast.crash("a")
        assert cast.lives == {"a": 2, "b": 2}


async def test_a_child_restarted_by_hand_comes_back_with_its_group_ever_after(cast: Cast) -> None:
    async with running(tree(cast.child("a"), cast.child("b"), strategy=Strategy.REST_FOR_ONE)) as show:
        await show.supervisor.terminate_child("b")
        await show.supervisor.restart_child("b")
        await cast.crash("a")
        assert cast.lives == {"a": 2, "b": 3}


async def test_a_temporary_child_that_is_terminated_is_removed_and_cannot_be_restarted(cast: Cast) -> None:
    async with running(tree(cast.child("a", restart=Restart.TEMPORARY), cast.child("b"))) as show:
        await show.supervisor.terminate_child("a")
        assert show.state("a") is ChildState.REMOVED
        with pytest.raises(NotRestartable, match="top/a"):
            await show.supervisor.restart_child("a")


async def test_a_manual_restart_uses_up_no_intensity(cast: Cast) -> None:
    async with running(tree(cast.child("a"), intensity=NONE)) as show:
        for turn in range(5):
            view = await show.supervisor.restart_child("top/a")
            assert view.incarnation == turn + 2
        assert cast.of("asked") == ["asked a"] * 5
        assert show.seen(ChildRestarting) == []


async def test_a_manual_restart_takes_along_whom_the_strategy_does(cast: Cast) -> None:
    async with running(tree(*map(cast.child, "abc"), strategy=Strategy.REST_FOR_ONE)) as show:
        cast.log.clear()
        await show.supervisor.restart_child("b")
        await quiet()
        assert cast.of("gone", "start") == ["gone c", "gone b", "start b", "start c"]


async def test_a_manual_restart_ends_a_backoff(cast: Cast) -> None:
    async with running(tree(cast.child("a"), backoff=Backoff(base_s=1000, max_s=1000))) as show:
        await cast.crash("a")
        await cast.crash("a")
        assert show.state("a") is ChildState.BACKING_OFF
        await show.supervisor.restart_child("a")
        assert trio.current_time() == 0


async def test_a_manual_restart_that_fails_says_so_and_the_policy_takes_over(cast: Cast) -> None:
    async def fail_twice(context: ChildContext) -> None:
        if context.incarnation in (2, 3):
            raise OSError("no start")
        await cast.serve(context)

    async with running(tree(cast.child("a", fail_twice), backoff=Backoff(base_s=10, max_s=10))) as show:
        with pytest.raises(ChildDown, match="top/a is backing_off: OSError: no start"):
            await show.supervisor.restart_child("a")
        await trio.sleep(11)
        assert (show.state("a"), cast.lives) == (ChildState.RUNNING, {"a": 4})


async def test_orders_about_a_stuck_child_are_answered(cast: Cast) -> None:
    async def refuse_cancellation(context: ChildContext) -> None:
        context.ready()
        with trio.CancelScope(shield=True):
            await trio.sleep(1000)

    async with running(tree(cast.child("a", refuse_cancellation, stop_grace_s=1), stuck_after_s=2)) as show:
        with pytest.raises(ChildDown, match="top/a is stuck"):
            await show.supervisor.terminate_child("a")
        with pytest.raises(ChildDown, match="top/a is stuck"):
            await show.supervisor.restart_child("a")
        assert trio.current_time() == 3


async def test_terminating_a_child_in_its_backoff_needs_no_waiting(cast: Cast) -> None:
    async with running(tree(cast.child("a"), cast.child("b"), backoff=Backoff(base_s=1000, max_s=1000))) as show:
        await cast.crash("a")
        await cast.crash("a")
        await show.supervisor.terminate_child("a")
        assert (show.state("a"), trio.current_time()) == (ChildState.STOPPED, 0)


async def test_orders_reach_children_of_nested_supervisors_by_name_and_by_path(cast: Cast) -> None:
    inner = tree(cast.child("b"), evolve(cast.child("c"), name="same"), name="inner")
    async with running(tree(inner, evolve(cast.child("d"), name="same"))) as show:
        await show.supervisor.restart_child("b")
        await show.supervisor.restart_child("top/inner/same")
        assert [show.supervisor.tree().find(f"top/inner/{name}").incarnation for name in ("b", "same")] == [2, 2]
        await show.supervisor.restart_child("inner")
        assert show.supervisor.tree().find("top/inner/b").incarnation == 3


async def test_a_name_that_nobody_or_more_than_one_child_has_is_refused(cast: Cast) -> None:
    inner = tree(evolve(cast.child("c"), name="same"), name="inner")
    async with running(tree(inner, evolve(cast.child("d"), name="same"))) as show:
        with pytest.raises(UnknownChild, match="top/inner/same or top/same: give the path"):
            await show.supervisor.terminate_child("same")
        with pytest.raises(UnknownChild, match="no child is called 'x'; there are top/inner, top/inner/same, top/same"):
            show.supervisor.crash_child("x", Harm.CRASH)


async def test_orders_to_a_supervisor_that_does_not_run_are_refused(cast: Cast) -> None:
    supervisor = Supervisor(tree(cast.child("a")))
    with pytest.raises(NotSupervising):
        await supervisor.restart_child("a")
    with pytest.raises(ChildDown):
        supervisor.crash_child("a", Harm.CRASH)
    supervisor.stop()
    await supervisor.run()
    with pytest.raises(NotSupervising):
        await supervisor.terminate_child("a")


async def test_an_order_that_is_waited_for_while_the_supervisor_stops_is_answered(cast: Cast) -> None:
    async def never_ready_again(context: ChildContext) -> None:
        if context.incarnation > 1:
            await trio.sleep_forever()
        await cast.serve(context)

    async with running(tree(cast.child("a", never_ready_again))) as show, trio.open_nursery() as nursery:
        refused = trio.Event()

        async def restart() -> None:
            with pytest.raises(ChildDown):
                await show.supervisor.restart_child("a")
            refused.set()

        nursery.start_soon(restart)
        await quiet()
        show.supervisor.stop()
        await refused.wait()


@pytest.mark.parametrize(("harm", "reason"), [(Harm.CRASH, "chaos"), (Harm.CANCEL, "cancelled")])
async def test_chaos_makes_a_child_crash_wherever_it_stands(cast: Cast, harm: Harm, reason: str) -> None:
    async with running(tree(cast.child("a"))) as show:
        show.supervisor.crash_child("a", harm)
        await quiet()
        assert (cast.lives, show.state("a")) == ({"a": 2}, ChildState.RUNNING)
        (exited,) = show.seen(ChildExited)
        assert (exited.kind, exited.reason) == (ExitKind.ABNORMAL, reason)
        assert exited.report is not None
        assert cast.contexts["a"].last_crash == exited.report


async def test_chaos_makes_a_child_hang_which_the_heartbeat_finds(cast: Cast) -> None:
    async def serve_and_beat(context: ChildContext) -> None:
        context.ready()
        while True:
            await trio.sleep(1)
            context.beat()
            await context.chaos_hang()

    async with running(tree(cast.child("a", serve_and_beat, hung_after_s=3))) as show:
        await trio.sleep(10)
        show.supervisor.crash_child("a", Harm.HANG)
        await trio.sleep(4)
        (exited,) = show.seen(ChildExited)
        assert exited.report is not None
        assert (exited.reason, "chaos_hang" in exited.report.traceback) == ("hung", True)
        await trio.sleep(100)
        assert cast.lives == {"a": 2}


async def test_chaos_on_a_nested_supervisor_restarts_everything_below_it(cast: Cast) -> None:
    inner = tree(cast.child("b"), cast.child("c"), name="inner")
    async with running(tree(cast.child("a"), inner)) as show:
        show.supervisor.crash_child("inner", Harm.CRASH)
        await quiet()
        assert cast.lives == {"a": 1, "b": 2, "c": 2}
        assert {view.state for view in show.supervisor.tree().walk()} == {ChildState.RUNNING}


async def test_chaos_on_a_child_that_is_not_alive_is_refused(cast: Cast) -> None:
    async with running(tree(cast.child("a"))) as show:
        await show.supervisor.terminate_child("a")
        with pytest.raises(ChildDown, match="top/a is stopped"):
            show.supervisor.crash_child("a", Harm.CRASH)


async def test_a_child_harmed_while_it_is_stopping_is_not_restarted(cast: Cast) -> None:
    async def leave_slowly(context: ChildContext) -> None:
        context.ready()
        await context.stopping.wait()
        await trio.sleep(3)

    async with running(tree(cast.child("a", leave_slowly))) as show:
        show.supervisor.stop()
        await quiet()
        show.supervisor.crash_child("a", Harm.CRASH)
        await show.ended.wait()
        assert (trio.current_time(), cast.lives) == (0, {"a": 1})


async def test_the_tree_answers_at_once_and_truly_during_a_crash_loop(cast: Cast) -> None:
    async def crash_at_once(context: ChildContext) -> None:
        if context.incarnation == 1:
            await cast.serve(context)
        raise ValueError(f"crash {context.incarnation}")

    spec = tree(cast.child("a", crash_at_once), cast.child("b"), backoff=Backoff(base_s=1, max_s=1))
    async with running(spec) as show:
        await cast.crash("a")
        for _ in range(100):
            await trio.sleep(0.37)
            view = show.view("a")
            assert view.state is ChildState.BACKING_OFF
            assert view.backoff_until_s is not None
            assert 0 <= view.backoff_until_s - trio.current_time() <= 1
            assert view.last_crash is not None
            assert view.last_crash.message == f"crash {view.incarnation}"
            assert (view.uptime_s, view.started_at_s, view.restarts) == (None, None, view.incarnation)
            assert show.state("b") is ChildState.RUNNING


async def test_a_view_shows_uptime_details_and_cannot_be_changed(cast: Cast) -> None:
    async def ready_with_details(context: ChildContext) -> None:
        context.ready({"port": 7})
        await context.stopping.wait()

    async with running(tree(cast.child("a", ready_with_details))) as show:
        await trio.sleep(9)
        view = show.view("a")
        assert (view.uptime_s, view.details, view.incarnation, view.restarts) == (9, {"port": 7}, 1, 0)
        assert show.supervisor.tree().uptime_s == 9
        with pytest.raises(AttributeError):
            view.restarts = 1  # type: ignore[misc]
        with pytest.raises(KeyError):
            show.supervisor.tree().find("top/x")
