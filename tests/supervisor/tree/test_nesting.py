"""Supervisors as children of supervisors: under a virtual clock."""

import pytest
import trio

from supervisor.tree.context import ChildContext
from supervisor.tree.errors import IntensityExceeded, StartFailed
from supervisor.tree.events import ChildReady, ChildRestarting, Escalated, SupervisorStopped
from supervisor.tree.policy import Intensity
from supervisor.tree.rules import ChildKind, Strategy
from supervisor.tree.states import ChildState
from supervisor.tree.supervisor import Supervisor
from tests.supervisor.tree.cast import Cast, in_virtual_time, quiet, running, tree

pytestmark = in_virtual_time

NONE = Intensity(restarts_max=0, within_s=10)
ONE = Intensity(restarts_max=1, within_s=10)


async def test_a_nested_supervisor_is_ready_when_all_its_children_are(cast: Cast) -> None:
    inner = tree(cast.child("b"), cast.child("c"), name="inner")
    async with running(tree(cast.child("a"), inner, cast.child("d"))) as show:
        assert cast.of("start") == [f"start {name}" for name in "abcd"]
        assert [event.path for event in show.seen(ChildReady)] == [
            "top/a",
            "top/inner/b",
            "top/inner/c",
            "top/inner",
            "top/d",
        ]
        assert show.view("inner").kind is ChildKind.SUPERVISOR
        assert [view.path for view in show.view("inner").children] == ["top/inner/b", "top/inner/c"]


async def test_stopping_goes_down_and_up_the_tree_in_reverse_order(cast: Cast) -> None:
    inner = tree(cast.child("b"), cast.child("c"), name="inner")
    async with running(tree(cast.child("a"), inner, cast.child("d"))) as show:
        show.supervisor.stop()
        await show.ended.wait()
        assert cast.of("gone") == [f"gone {name}" for name in "dcba"]
        assert [event.path for event in show.seen(SupervisorStopped)] == ["top/inner", "top"]


async def test_a_nested_supervisor_that_gives_up_is_a_crash_to_its_parent_which_restarts_it(cast: Cast) -> None:
    inner = tree(cast.child("b"), cast.child("c"), name="inner", intensity=ONE)
    async with running(tree(cast.child("a"), inner)) as show:
        await cast.crash("b")
        await cast.crash("b")
        assert cast.lives == {"a": 1, "b": 3, "c": 2}
        assert show.state("inner") is ChildState.RUNNING
        crash = show.view("inner").last_crash
        assert crash is not None
        assert (crash.exception_type, crash.path) == ("IntensityExceeded", "top/inner")
        assert [event.path for event in show.seen(Escalated)] == ["top/inner"]


async def test_the_restarted_supervisor_counts_its_restarts_anew(cast: Cast) -> None:
    inner = tree(cast.child("b"), name="inner", intensity=ONE)
    async with running(tree(cast.child("a"), inner)) as show:
        for _ in range(9):
            await cast.crash("b")
        assert show.view("inner").restarts == 4
        assert show.state("b") is ChildState.RUNNING


async def test_escalation_goes_up_through_two_levels(cast: Cast) -> None:
    innermost = tree(cast.child("c"), name="innermost", intensity=NONE)
    middle = tree(cast.child("b"), innermost, name="middle", intensity=NONE)
    async with running(tree(cast.child("a"), middle, intensity=NONE)) as show:
        await cast.crash("c")
        await show.ended.wait()
        assert isinstance(show.failure, IntensityExceeded)
        assert [event.path for event in show.seen(Escalated)] == ["top/middle/innermost", "top/middle", "top"]
        assert cast.of("gone") == ["gone c", "gone b", "gone a"]
        causes = []
        cause: BaseException | None = show.failure
        while cause is not None:
            causes.append(type(cause).__name__)
            cause = cause.__cause__
        assert causes == ["IntensityExceeded", "IntensityExceeded", "IntensityExceeded", "ValueError"]


async def test_a_crash_in_the_core_takes_those_along_who_depend_on_it_and_nobody_else(cast: Cast) -> None:
    domain = tree(cast.child("tasks"), cast.child("runs"), name="domain")
    core = tree(cast.child("writer"), domain, name="core", strategy=Strategy.REST_FOR_ONE)
    async with running(tree(core, cast.child("gateway"))):
        cast.log.clear()
        await cast.crash("writer")
        assert cast.of("gone", "start") == [
            "gone writer",
            "gone runs",
            "gone tasks",
            "start writer",
            "start tasks",
            "start runs",
        ]
        cast.log.clear()
        await cast.crash("tasks")
        assert cast.of("gone", "start") == ["gone tasks", "start tasks"]


async def test_incarnations_and_last_crashes_survive_the_restart_of_the_supervisor(cast: Cast) -> None:
    inner = tree(cast.child("b"), name="inner", intensity=NONE)
    async with running(tree(inner)) as show:
        await cast.crash("b")
        context = cast.contexts["b"]
        assert context.incarnation == 2
        assert context.last_crash is not None
        assert context.last_crash.message == "b crashed"
        assert show.view("b").incarnation == 2


async def test_a_nested_start_failure_fails_every_start_above_it(cast: Cast) -> None:
    async def fail(_context: ChildContext) -> None:
        raise OSError("no start")

    inner = tree(cast.child("b"), cast.child("c", fail), name="inner")
    with pytest.raises(StartFailed) as caught:
        await Supervisor(tree(cast.child("a"), inner)).run()
    assert isinstance(caught.value.__cause__, StartFailed)
    assert isinstance(caught.value.__cause__.__cause__, OSError)
    assert cast.of("gone") == ["gone c", "gone b", "gone a"]


async def test_a_restarted_nested_supervisor_that_cannot_start_is_tried_again(cast: Cast) -> None:
    async def fail_twice(context: ChildContext) -> None:
        if context.incarnation in (2, 3):
            raise OSError("no start")
        await cast.serve(context)

    inner = tree(cast.child("b", fail_twice), name="inner", intensity=NONE)
    async with running(tree(inner)) as show:
        await cast.crash("b")
        assert show.state("b") is ChildState.RUNNING
        assert [event.path for event in show.seen(ChildRestarting)] == ["top/inner"] * 3


async def test_the_children_of_a_supervisor_that_gave_up_show_how_they_ended_until_it_is_back(cast: Cast) -> None:
    inner = tree(cast.child("b"), cast.child("c"), name="inner", intensity=NONE)
    async with running(tree(inner, intensity=Intensity(0, 1), slow_retry_s=60)) as show:
        await cast.crash("b")
        states = [show.state(name) for name in ("inner", "b", "c")]
        assert states == [ChildState.BACKING_OFF, ChildState.FAILED, ChildState.STOPPED]
        await trio.sleep(61)
        assert {view.state for view in show.supervisor.tree().walk()} == {ChildState.RUNNING}


async def test_a_nested_supervisor_that_is_killed_leaves_nobody_behind(cast: Cast) -> None:
    inner = tree(cast.child("b"), cast.child("c"), name="inner", stop_grace_s=0)
    async with running(tree(cast.child("a"), inner)) as show:
        show.supervisor.stop()
        await quiet()
        assert cast.alive == set()
        assert show.ended.is_set()
