"""The guard around a child: what its end counts as, and what must pass. Under a virtual clock."""

from datetime import UTC, datetime
from random import Random

import pytest
import trio

from supervisor.tree.context import ChildContext
from supervisor.tree.errors import Shutdown
from supervisor.tree.events import ChildExited, TreeEvent
from supervisor.tree.hooks import Hooks
from supervisor.tree.report import MESSAGE_CHARS_MAX, CrashReport
from supervisor.tree.rules import ExitKind, Restart
from supervisor.tree.spec import ChildSpec
from supervisor.tree.supervisor import Supervisor
from supervisor.tree.trace import TRACE_CHARS_MAX
from tests.supervisor.tree.cast import Act, Cast, in_virtual_time, quiet, running, tree

pytestmark = in_virtual_time


async def exit_of(act: Act) -> ChildExited:
    """How a ready child ends that then does this."""

    async def run(context: ChildContext) -> None:
        context.ready()
        await trio.sleep(1)
        await act(context)

    async with running(tree(ChildSpec(name="a", run=run, restart=Restart.TEMPORARY))) as show:
        await trio.sleep(2)
        (event,) = show.seen(ChildExited)
        return event


async def report_of(act: Act) -> CrashReport:
    event = await exit_of(act)
    assert event.report is not None
    return event.report


async def test_a_scope_that_a_stranger_cancels_is_an_abnormal_exit(cast: Cast) -> None:
    async def cancel_the_hosting_task(_context: ChildContext) -> None:
        status = trio.lowlevel.current_task()._cancel_status
        status._scope.cancel()
        await trio.sleep_forever()

    event = await exit_of(cancel_the_hosting_task)
    assert (event.kind, event.reason) == (ExitKind.ABNORMAL, "cancelled")


async def test_shutdown_is_an_exit_of_its_own_kind_also_out_of_a_nursery(cast: Cast) -> None:
    async def shut_down_in_a_nursery(_context: ChildContext) -> None:
        async with trio.open_nursery():
            raise Shutdown("nothing left to do")

    event = await exit_of(shut_down_in_a_nursery)
    assert (event.kind, event.reason, event.report) == (ExitKind.SHUTDOWN, "nothing left to do", None)


async def test_a_shutdown_beside_an_error_is_an_error() -> None:
    async def both(_context: ChildContext) -> None:
        raise ExceptionGroup("both", [Shutdown("done"), ValueError("broken")])

    assert (await exit_of(both)).kind is ExitKind.ABNORMAL


async def test_a_crash_in_a_nursery_is_reported_by_the_error_and_not_by_its_wrapping() -> None:
    async def crash_in_two_nurseries(_context: ChildContext) -> None:
        async with trio.open_nursery(), trio.open_nursery():
            raise KeyError("lost")

    report = await report_of(crash_in_two_nurseries)
    assert (report.exception_type, report.message) == ("KeyError", "'lost'")
    assert "crash_in_two_nurseries" in report.traceback


async def test_an_error_and_a_cancellation_in_one_group_are_parted(cast: Cast) -> None:
    async def fail_while_cancelled(context: ChildContext) -> None:
        async def fail_in_the_end() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("while being cancelled")

        context.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_in_the_end)
            nursery.start_soon(trio.sleep_forever)

    async with running(tree(cast.child("a", fail_while_cancelled, stop_grace_s=2), cast.child("b"))) as show:
        show.supervisor.stop()
        await show.ended.wait()
        killed = show.seen(ChildExited)[-1]
        assert (killed.path, killed.reason) == ("top/a", "killed")
        assert killed.report is not None
        assert "ValueError: while being cancelled" in killed.report.traceback
        assert trio.current_time() == 2


async def test_a_group_of_an_error_and_a_strangers_cancellation_lets_the_cancellation_go_on(cast: Cast) -> None:
    async def fail_while_cancelled(context: ChildContext) -> None:
        context.ready()
        try:
            await trio.sleep_forever()
        except trio.Cancelled as cancelled:
            raise BaseExceptionGroup("both", [ValueError("while being cancelled"), cancelled]) from None

    supervisor = Supervisor(tree(cast.child("a", fail_while_cancelled)))
    with trio.move_on_after(3) as scope:
        await supervisor.run()
    assert scope.cancelled_caught


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
async def test_an_interrupt_is_never_taken_for_a_crash(cast: Cast, interrupt: type[BaseException]) -> None:
    async def raise_it(context: ChildContext) -> None:
        context.ready()
        await trio.sleep(1)
        raise BaseExceptionGroup("both", [interrupt(), ValueError("beside it")])

    with pytest.RaisesGroup(interrupt, flatten_subgroups=True):
        await Supervisor(tree(cast.child("a", raise_it), cast.child("b"))).run()
    assert (cast.lives, cast.alive) == ({"a": 1, "b": 1}, set())


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


async def test_an_exception_that_cannot_be_printed_is_reported_all_the_same() -> None:
    async def raise_it(_context: ChildContext) -> None:
        raise Unprintable

    report = await report_of(raise_it)
    assert (report.exception_type, report.message) == ("Unprintable", "(its __str__ raised ValueError)")


async def test_what_is_kept_of_a_crash_is_bounded() -> None:
    async def raise_a_long_story(_context: ChildContext) -> None:
        raise ValueError("x" * 1_000_000)

    report = await report_of(raise_a_long_story)
    assert len(report.message) == MESSAGE_CHARS_MAX
    assert len(report.traceback) <= TRACE_CHARS_MAX


async def test_a_report_has_an_id_of_its_own_and_says_when_and_after_how_long() -> None:
    async def crash_after_a_second(context: ChildContext) -> None:
        context.ready()
        await trio.sleep(1)
        raise ValueError

    events: list[TreeEvent] = []
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    hooks = Hooks(on_event=events.append, rng=Random(5), utc_now=lambda: moment)
    supervisor = Supervisor(tree(ChildSpec(name="a", run=crash_after_a_second)), hooks)
    with trio.move_on_after(2.5):
        await supervisor.run()
    reports = [event.report for event in events if isinstance(event, ChildExited) and event.report]
    assert [(report.incarnation, report.uptime_s) for report in reports] == [(1, 1), (2, 1)]
    assert {report.at for report in reports} == {"2026-01-02T03:04:05.678Z"}
    assert len({report.id for report in reports}) == 2
    assert all(len(report.id) == 12 and int(report.id, 16) >= 0 for report in reports)


async def test_a_run_function_can_be_called_without_a_supervisor(cast: Cast) -> None:
    context = ChildContext(name="a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cast.child("a").run, context)
        await quiet()
        context.beat()
        context.stopping.set()
    assert cast.log == ["start a", "ready a", "asked a", "gone a"]
