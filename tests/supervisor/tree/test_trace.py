"""A trace: places first, text when it is read; nothing of the child's is kept."""

import gc
import linecache
import traceback
import weakref
from pathlib import Path
from typing import Any

import pytest
import trio

from supervisor.tree.trace import STACKS_MAX, TRACE_CHARS_MAX, Trace, stacks_of


class Lost(Exception):
    """What the children here raise."""


def raised(code: str = "raise Lost('gone')", file: str = "<nowhere>") -> Lost:
    """The error that this code raises, with its traceback."""
    with pytest.raises(Lost) as caught:
        exec(compile(code, file, "exec"), {"Lost": Lost})
    return caught.value


def test_the_text_is_what_python_itself_would_print() -> None:
    error = raised()
    error.add_note("crash id c0ffee")
    error.__cause__ = ValueError("why")
    assert Trace(error).text == "".join(traceback.format_exception(error))


def test_sources_are_read_when_the_text_is_and_not_before(tmp_path: Path) -> None:
    source = tmp_path / "child.py"
    source.write_text("raise Lost('gone')  # here\n")
    trace = Trace(raised(source.read_text(), str(source)))
    assert str(source) not in linecache.cache
    assert "raise Lost('gone')  # here" in trace.text


def test_the_text_stays_the_same_once_it_was_read(tmp_path: Path) -> None:
    source = tmp_path / "child.py"
    source.write_text("raise Lost('gone')\n")
    trace = Trace(raised(source.read_text(), str(source)))
    before = trace.text
    source.write_text("something_else()\n")
    linecache.clearcache()
    assert trace.text == before


@pytest.mark.parametrize("is_read", [False, True])
def test_neither_the_exception_nor_its_frames_are_kept(is_read: bool) -> None:
    class Data:
        pass

    def fail() -> tuple[Trace, weakref.ref[Data], weakref.ref[Lost]]:
        data = Data()
        try:
            raise Lost(data.__class__.__name__)
        except Lost as error:
            return Trace(error), weakref.ref(data), weakref.ref(error)

    trace, data, error = fail()
    if is_read:
        assert "Lost: Data" in trace.text
    gc.collect()
    assert (data(), error()) == (None, None)


def test_an_exception_that_cannot_be_described_is_told_all_the_same() -> None:
    class Awkward(Exception):
        @property
        def __notes__(self) -> list[str]:  # type: ignore[override]
            raise ValueError("no notes")

    assert Trace(Awkward()).text == "(formatting the traceback raised ValueError)"


def test_of_a_long_story_the_end_is_kept() -> None:
    error = raised()
    error.add_note("x" * 2 * TRACE_CHARS_MAX + " the end")
    text = Trace(error).text
    assert len(text) == TRACE_CHARS_MAX
    assert text.endswith(" the end\n")


async def test_the_stacks_of_a_task_and_of_those_it_nurses_follow_the_traceback() -> None:
    async def wait_at_the_well() -> None:
        await trio.sleep_forever()

    async def nurse(task_status: trio.TaskStatus[Any]) -> None:
        async with trio.open_nursery() as inner:
            for _ in range(2 * STACKS_MAX):
                inner.start_soon(wait_at_the_well)
            task_status.started(trio.lowlevel.current_task())
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        task = await nursery.start(nurse)
        await trio.testing.wait_all_tasks_blocked()
        stacks = stacks_of(task)
        nursery.cancel_scope.cancel()
    assert len(stacks) == STACKS_MAX
    text = Trace(raised(), stacks[:2]).text
    first, second, third = text.partition("Task ")[0], *text.split("stood at:\n")[1:]
    assert first.endswith("Lost: gone\n")
    assert "in nurse" in second
    assert "await trio.sleep_forever()" in second
    assert "in wait_at_the_well" in third
