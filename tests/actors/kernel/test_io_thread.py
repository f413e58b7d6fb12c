"""A thread for blocking calls: in order, answered into the loop, and never left half done."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import trio
import trio.lowlevel

from actors.kernel.io_thread import IoThread, Job
from tests.kit.core import PATIENCE_S


@pytest.fixture
def thread() -> Iterator[IoThread]:
    made = IoThread("test")
    yield made
    made.close()
    assert made.joined(PATIENCE_S)


async def test_calls_run_in_order_in_one_thread_of_their_own(thread: IoThread) -> None:
    done: list[tuple[int, int]] = []
    jobs = [thread.submit(lambda n=n: done.append((n, threading.get_ident()))) for n in range(50)]  # type: ignore[misc]
    for job in jobs:
        await job.ended.wait()
    assert [n for n, _ident in done] == list(range(50))
    assert {ident for _n, ident in done} != {threading.get_ident()}
    assert len({ident for _n, ident in done}) == 1


async def test_a_result_comes_back(thread: IoThread) -> None:
    assert await thread.call(lambda: 42) == 42


async def test_whatever_was_raised_is_raised_where_it_is_waited_for(thread: IoThread) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await thread.call(fail)
    assert await thread.call(lambda: "goes on") == "goes on"


async def test_a_job_goes_on_when_nobody_waits_for_it_any_more(thread: IoThread) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert may_end.wait(PATIENCE_S)
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.call, work)
        while not begun.is_set():
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert not ended.is_set()
    may_end.set()
    await thread.call(lambda: None)
    assert ended.is_set()


async def test_what_follows_a_job_runs_on_the_loop(thread: IoThread) -> None:
    heard: list[tuple[int, int]] = []
    followed = trio.Event()

    def then(job: Job) -> None:
        heard.append((job.result(), threading.get_ident()))
        followed.set()

    thread.submit(lambda: 7, then)
    with trio.fail_after(PATIENCE_S):
        await followed.wait()
    assert heard == [(7, threading.get_ident())]


def test_a_closed_thread_ends_after_what_is_queued() -> None:
    made = IoThread("test")
    done: list[int] = []

    async def main() -> None:
        for n in range(10):
            made.submit(lambda n=n: done.append(n))  # type: ignore[misc]
        made.close()

    trio.run(main)
    assert made.joined(PATIENCE_S)
    assert not made.alive
    assert done == list(range(10))


def test_a_thread_that_still_works_is_told_as_not_joined() -> None:
    made = IoThread("test")
    may_end = threading.Event()

    async def main() -> None:
        made.submit(lambda: may_end.wait(PATIENCE_S))
        made.close()
        assert not made.joined(0.01)

    trio.run(main)
    may_end.set()
    assert made.joined(PATIENCE_S)


async def test_a_quick_call_is_over_when_it_was_waited_for_on_the_spot(thread: IoThread) -> None:
    job = thread.call_briefly(lambda: 42, PATIENCE_S)
    assert job.ended.is_set()
    assert job.result() == 42


async def test_a_slow_call_that_was_waited_for_on_the_spot_ends_by_the_loop(thread: IoThread) -> None:
    goes_on = threading.Event()
    job = thread.call_briefly(lambda: goes_on.wait(PATIENCE_S), 0.001)
    assert not job.ended.is_set()
    goes_on.set()
    with trio.fail_after(PATIENCE_S):
        await job.ended.wait()
    assert job.result() is True


async def test_what_a_call_waited_for_on_the_spot_raises_is_its_result(thread: IoThread) -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error")

    job = thread.call_briefly(fail, PATIENCE_S)
    with pytest.raises(OSError, match="Input/output error"):
        job.result()


async def test_every_call_ends_whichever_of_the_two_is_quicker(thread: IoThread) -> None:
    for n in range(300):
        job = thread.call_briefly(lambda n=n: n, 0.0 if n % 2 else 0.00001)  # type: ignore[misc]
        with trio.fail_after(PATIENCE_S):
            await job.ended.wait()
        assert job.result() == n
