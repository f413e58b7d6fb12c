"""How a supervisor starts: under a virtual clock."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from supervisor.tree.context import ChildContext
from supervisor.tree.errors import NotSupervising, StartFailed
from supervisor.tree.events import ChildReady
from supervisor.tree.rules import Restart
from supervisor.tree.states import ChildState
from supervisor.tree.supervisor import Supervisor
from tests.supervisor.tree.cast import Cast, in_virtual_time, quiet, running, tree

pytestmark = in_virtual_time


def ready_after(cast: Cast, seconds: float) -> Callable[[ChildContext], Awaitable[None]]:
    async def act(context: ChildContext) -> None:
        await trio.sleep(seconds)
        await cast.serve(context)

    return act


async def fail(_context: ChildContext) -> None:
    raise OSError("cannot start")


async def leave(_context: ChildContext) -> None:
    """Return before being ready."""


async def never_ready(_context: ChildContext) -> None:
    await trio.sleep_forever()


async def test_each_child_waits_until_the_one_before_it_is_ready(cast: Cast) -> None:
    spec = tree(cast.child("a", ready_after(cast, 3)), cast.child("b", ready_after(cast, 1)), cast.child("c"))
    async with running(spec, wait=False) as show:
        assert [show.state(name) for name in "abc"] == [ChildState.STARTING, ChildState.WAITING, ChildState.WAITING]
        assert show.supervisor.tree().state is ChildState.STARTING
        assert await show.supervisor.wait_ready()
        assert show.supervisor.tree().state is ChildState.RUNNING
        assert cast.log == ["start a", "ready a", "start b", "ready b", "start c", "ready c"]
        assert [event.took_s for event in show.seen(ChildReady)] == pytest.approx([3, 1, 0])


async def test_run_tells_a_nursery_that_it_has_started_when_all_are_ready(cast: Cast) -> None:
    supervisor = Supervisor(tree(cast.child("a", ready_after(cast, 3)), cast.child("b")))
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        assert cast.log[-1] == "ready b"
        supervisor.stop()


@pytest.mark.parametrize("restart", list(Restart))
async def test_a_failing_first_start_stops_the_earlier_ones_in_reverse_and_fails_the_supervisor(
    cast: Cast, restart: Restart
) -> None:
    children = cast.child("a"), cast.child("b"), cast.child("c", fail, restart=restart), cast.child("d")
    with pytest.raises(StartFailed, match=r"top/c did not start \(OSError: cannot start\)") as caught:
        await Supervisor(tree(*children)).run()
    assert isinstance(caught.value.__cause__, OSError)
    assert [report.path for report in caught.value.reports] == ["top/c"]
    assert cast.of("gone") == ["gone c", "gone b", "gone a"]
    assert "d" not in cast.lives


async def test_a_child_that_is_not_ready_in_time_failed_to_start(cast: Cast) -> None:
    children = cast.child("a"), cast.child("b", never_ready, start_within_s=7)
    with pytest.raises(StartFailed, match="not ready within 7 s") as caught:
        await Supervisor(tree(*children)).run()
    assert trio.current_time() == 7
    assert caught.value.reports[0].reason == "start_timeout"
    assert "never_ready" in caught.value.reports[0].traceback


async def test_a_permanent_child_that_returns_before_it_is_ready_failed_to_start(cast: Cast) -> None:
    with pytest.raises(StartFailed, match="returned"):
        await Supervisor(tree(cast.child("a", leave))).run()


@pytest.mark.parametrize(
    ("restart", "state"), [(Restart.TRANSIENT, ChildState.STOPPED), (Restart.TEMPORARY, ChildState.REMOVED)]
)
async def test_any_other_child_that_returns_before_it_is_ready_is_passed_over(
    cast: Cast, restart: Restart, state: ChildState
) -> None:
    async with running(tree(cast.child("a", leave, restart=restart), cast.child("b"))) as show:
        assert (show.state("a"), show.state("b")) == (state, ChildState.RUNNING)


async def test_a_child_that_dies_while_a_later_one_starts_is_restarted_meanwhile(cast: Cast) -> None:
    async with running(tree(cast.child("a"), cast.child("b", ready_after(cast, 10))), wait=False) as show:
        await cast.crash("a")
        assert (show.state("a"), show.state("b")) == (ChildState.RUNNING, ChildState.STARTING)
        assert await show.supervisor.wait_ready()
        assert cast.lives == {"a": 2, "b": 1}


async def test_ready_counts_once_and_only_for_its_own_incarnation(cast: Cast) -> None:
    async with running(tree(cast.child("a"))) as show:
        first = cast.contexts["a"]
        first.ready({"again": True})
        await cast.crash("a")
        first.ready({"late": True})
        await quiet()
        assert len(show.seen(ChildReady)) == 2
        assert show.view("a").details == {}


async def test_stopping_during_the_start_ends_it_without_an_error(cast: Cast) -> None:
    async with running(tree(cast.child("a"), cast.child("b", never_ready), cast.child("c")), wait=False) as show:
        show.supervisor.stop()
        assert not await show.supervisor.wait_ready()
        await show.ended.wait()
        assert show.failure is None
        assert trio.current_time() == 5
        assert cast.of("gone") == ["gone b", "gone a"]
        assert "c" not in cast.lives


async def test_a_supervisor_that_is_stopped_before_it_runs_starts_nobody(cast: Cast) -> None:
    supervisor = Supervisor(tree(cast.child("a")))
    supervisor.stop()
    await supervisor.run()
    assert cast.log == []


async def test_a_supervisor_runs_once(cast: Cast) -> None:
    supervisor = Supervisor(tree(cast.child("a")))
    supervisor.stop()
    await supervisor.run()
    with pytest.raises(NotSupervising, match="ran already"):
        await supervisor.run()
