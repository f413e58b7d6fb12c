"""How a supervisor stops: under a virtual clock."""

import math

import pytest
import trio

from supervisor.tree.context import ChildContext
from supervisor.tree.events import ChildExited, ChildRestarting, ChildStuck, SupervisorStopped, TreeEvent
from supervisor.tree.hooks import Hooks
from supervisor.tree.policy import Backoff
from supervisor.tree.rules import ExitKind, Strategy
from supervisor.tree.states import ChildState
from supervisor.tree.supervisor import Supervisor
from tests.supervisor.tree.cast import Cast, in_virtual_time, quiet, running, tree

pytestmark = in_virtual_time


async def deaf(context: ChildContext) -> None:
    """Serve and never listen."""
    context.ready()
    await trio.sleep_forever()


async def shielded(context: ChildContext) -> None:
    """Refuse cancellation for 100 seconds after having been asked to stop."""
    context.ready()
    with trio.CancelScope(shield=True):
        await context.stopping.wait()
        await trio.sleep(100)


async def test_many_children_are_stopped_one_by_one_in_reverse_order(cast: Cast) -> None:
    names = [f"child-{number}" for number in range(50)]
    async with running(tree(*map(cast.child, names))) as show:
        cast.log.clear()
        show.supervisor.stop("enough")
        await show.ended.wait()
        assert cast.log == [line for name in reversed(names) for line in (f"asked {name}", f"gone {name}")]
        assert [event.reason for event in show.seen(SupervisorStopped)] == ["enough"]
        assert {event.kind for event in show.seen(ChildExited)} == {ExitKind.NORMAL}
        assert all(event.expected for event in show.seen(ChildExited))


async def test_each_child_has_its_own_deadline_and_is_cancelled_after_it(cast: Cast) -> None:
    children = [cast.child(name, deaf, stop_grace_s=grace_s) for name, grace_s in (("a", 2), ("b", 30), ("c", 1))]
    async with running(tree(*children)) as show:
        show.supervisor.stop()
        await show.ended.wait()
        assert trio.current_time() == 33
        assert cast.of("gone") == ["gone c", "gone b", "gone a"]
        assert {event.reason for event in show.seen(ChildExited)} == {"killed"}
        report = show.seen(ChildExited)[0].report
        assert report is not None
        assert "still there 1 s after being asked to stop" in report.message
        assert "in deaf" in report.traceback


async def test_a_child_without_grace_is_cancelled_at_once_and_never_asked(cast: Cast) -> None:
    async with running(tree(cast.child("a", stop_grace_s=0))) as show:
        show.supervisor.stop()
        await show.ended.wait()
        assert trio.current_time() == 0
        assert cast.of("asked") == []
        assert [(event.kind, event.report) for event in show.seen(ChildExited)] == [(ExitKind.SHUTDOWN, None)]


async def test_a_child_with_infinite_grace_is_waited_for(cast: Cast) -> None:
    async def take_a_day(context: ChildContext) -> None:
        context.ready()
        await context.stopping.wait()
        await trio.sleep(86_400)

    async with running(tree(cast.child("a", take_a_day, stop_grace_s=math.inf))) as show:
        show.supervisor.stop()
        await show.ended.wait()
        assert trio.current_time() == 86_400
        assert [event.kind for event in show.seen(ChildExited)] == [ExitKind.NORMAL]


async def test_stopping_during_a_backoff_stops_at_once(cast: Cast) -> None:
    async with running(tree(cast.child("a"), backoff=Backoff(base_s=1000, max_s=1000))) as show:
        await cast.crash("a")
        await cast.crash("a")
        assert show.state("a") is ChildState.BACKING_OFF
        show.supervisor.stop()
        await show.ended.wait()
        assert trio.current_time() == 0
        assert (show.failure, show.state("a")) == (None, ChildState.STOPPED)


async def test_stopping_in_the_middle_of_a_group_restart_starts_nobody_any_more(cast: Cast) -> None:
    async def leave_slowly(context: ChildContext) -> None:
        context.ready()
        await context.stopping.wait()
        await trio.sleep(3)

    spec = tree(cast.child("a"), cast.child("b", leave_slowly), strategy=Strategy.ONE_FOR_ALL)
    async with running(spec) as show:
        await cast.crash("a")
        assert show.state("b") is ChildState.STOPPING
        show.supervisor.stop()
        await show.ended.wait()
        assert cast.lives == {"a": 1, "b": 1}


async def test_stopping_during_a_crash_loop_stops_at_once(cast: Cast) -> None:
    async def crash_in_a_moment(context: ChildContext) -> None:
        context.ready()
        await trio.sleep(0.01)
        raise ValueError("again")

    async with running(tree(cast.child("a", crash_in_a_moment), cast.child("b"))) as show:
        await trio.sleep(1.005)
        assert show.view("a").restarts == 100
        show.supervisor.stop()
        await show.ended.wait()
        assert show.failure is None


async def test_children_that_leave_or_crash_by_themselves_during_the_stop_are_no_restart(cast: Cast) -> None:
    async with running(tree(cast.child("a"), cast.child("b"), cast.child("c", deaf, stop_grace_s=10))) as show:
        show.supervisor.stop()
        await quiet()
        cast.tell("a", None)
        await cast.crash("b")
        await show.ended.wait()
        assert cast.lives == {"a": 1, "b": 1, "c": 1}
        assert show.seen(ChildRestarting) == []
        assert [event.path for event in show.seen(ChildExited)] == ["top/a", "top/b", "top/c"]


async def test_a_child_that_crashes_while_it_stops_is_reported_and_the_stop_goes_on(cast: Cast) -> None:
    async def crash_when_asked(context: ChildContext) -> None:
        context.ready()
        await context.stopping.wait()
        raise ValueError("while stopping")

    async with running(tree(cast.child("a"), cast.child("b", crash_when_asked))) as show:
        show.supervisor.stop()
        await show.ended.wait()
        assert show.failure is None
        first = show.seen(ChildExited)[0]
        assert first.report is not None
        assert (first.path, first.expected, first.report.message) == ("top/b", True, "while stopping")


async def test_a_child_that_refuses_cancellation_is_reported_and_its_siblings_do_not_wait_for_it(cast: Cast) -> None:
    children = cast.child("a"), cast.child("b", shielded, stop_grace_s=1)
    async with running(tree(*children, stuck_after_s=7)) as show:
        show.supervisor.stop()
        await trio.sleep(8.5)
        assert (show.state("a"), show.state("b")) == (ChildState.STOPPED, ChildState.STUCK)
        assert [(event.path, event.waited_s) for event in show.seen(ChildStuck)] == [("top/b", 7)]
        assert not show.ended.is_set()
        await show.ended.wait()
        assert trio.current_time() == 100


async def test_a_stuck_child_is_not_restarted_beside_itself(cast: Cast) -> None:
    spec = tree(cast.child("a"), cast.child("b", shielded, stop_grace_s=1), strategy=Strategy.ONE_FOR_ALL)
    async with running(spec) as show:
        await cast.crash("a")
        await trio.sleep(50)
        assert cast.lives == {"a": 1, "b": 1}
        await trio.sleep(51)
        assert cast.lives == {"a": 2, "b": 2}
        assert show.state("b") is ChildState.RUNNING


async def test_the_first_reason_stands_when_stop_is_called_twice(cast: Cast) -> None:
    async with running(tree(cast.child("a"))) as show:
        show.supervisor.stop("first")
        show.supervisor.stop("second")
        await show.ended.wait()
        show.supervisor.stop("too late")
        assert [event.reason for event in show.seen(SupervisorStopped)] == ["first"]


async def test_the_hook_may_stop_the_supervisor_in_the_middle_of_its_decision(cast: Cast) -> None:
    def stop_at_the_first_restart(event: TreeEvent) -> None:
        if isinstance(event, ChildRestarting):
            supervisor.stop("no restarts here")

    supervisor = Supervisor(tree(cast.child("a"), cast.child("b")), Hooks(on_event=stop_at_the_first_restart))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.run)
            await supervisor.wait_ready()
            await cast.crash("a")
    assert cast.alive == set()


async def test_a_hook_that_raises_disturbs_nobody_and_is_logged(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_event: TreeEvent) -> None:
        raise RuntimeError("bad hook")

    supervisor = Supervisor(tree(cast.child("a")), Hooks(on_event=refuse))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await supervisor.wait_ready()
        await cast.crash("a")
        supervisor.stop()
    assert cast.lives["a"] == 2
    assert "bad hook" in caplog.text


async def test_cancelling_the_run_ends_every_child_at_once(cast: Cast) -> None:
    events: list[TreeEvent] = []
    supervisor = Supervisor(tree(cast.child("a"), cast.child("b", deaf)), Hooks(on_event=events.append))
    with trio.move_on_after(3):
        await supervisor.run()
    assert trio.current_time() == 3
    assert cast.alive == set()
    assert {view.state for view in supervisor.tree().walk()} == {ChildState.STOPPED}
    assert events[-1] == SupervisorStopped(path="top", reason="cancelled")
