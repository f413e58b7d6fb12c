"""
Where a child stood when it left: taken as places in the sources, made text when somebody reads it.

A crash is dealt with before it is described. To read the source lines of the first traceback of a process takes several
times as long as to restart an actor; so what is taken is the file, the line and the function of every frame, and the
sources are read by whoever asks for the text first. No exception and no frame is kept: they would keep the child's data
alive.
"""

import traceback
from collections.abc import Sequence

import trio

TRACE_CHARS_MAX = 16_000
"""Bounds what a crash loop can make logs and views hold; the end of a traceback says most, so it is kept."""
STACKS_MAX = 20
"""How many tasks of a condemned child are shown: enough for an actor, a bound for a nursery of thousands."""


class Trace:
    """An error's traceback, followed by the stacks of the tasks that were condemned with it."""

    def __init__(self, error: BaseException, stacks: Sequence["Stack"] = ()) -> None:
        self._unread: _Unread | None = _Unread(error, stacks)
        self._text = ""

    @property
    def text(self) -> str:
        """The formatted traceback and stacks, the end of each kept when it is too long. Sources are read only once."""
        if self._unread is not None:
            self._text, self._unread = self._unread.text(), None
        return self._text


class _Unread:
    """What the text is made of."""

    def __init__(self, error: BaseException, stacks: Sequence["Stack"]) -> None:
        self._stacks = stacks
        self._error: traceback.TracebackException | None = None
        self._instead = ""
        try:
            self._error = traceback.TracebackException.from_exception(error, lookup_lines=False, compact=True)
        except Exception as broken:  # noqa: BLE001  whatever a stranger's exception raises must not hide the crash
            self._instead = _instead(broken)

    def text(self) -> str:
        stacks = "".join(stack.text() for stack in self._stacks)
        return self._error_text()[-TRACE_CHARS_MAX:] + stacks[-TRACE_CHARS_MAX:]

    def _error_text(self) -> str:
        if self._error is None:
            return self._instead
        try:
            return "".join(self._error.format())
        except Exception as broken:  # noqa: BLE001  as above
            return _instead(broken)


def _instead(broken: Exception) -> str:
    return f"(formatting the traceback raised {type(broken).__name__})"


class Stack:
    """Where one task stands."""

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self._name = task.name
        # Not StackSummary.extract: that looks at every source file, whether it has changed.
        self._frames = [
            traceback.FrameSummary(frame.f_code.co_filename, line, frame.f_code.co_name, lookup_line=False)
            for frame, line in task.iter_await_frames()
        ]

    def text(self) -> str:
        """The formatted stack; reads the sources."""
        return f"Task {self._name} stood at:\n{''.join(traceback.StackSummary.from_list(self._frames).format())}"


def stacks_of(task: trio.lowlevel.Task) -> list[Stack]:
    """Where a task and the tasks of its nurseries stand now, for a child that is about to be cancelled."""
    waiting = [task]
    stacks: list[Stack] = []
    while waiting and len(stacks) < STACKS_MAX:
        current = waiting.pop(0)
        stacks.append(Stack(current))
        waiting.extend(child for nursery in current.child_nurseries for child in nursery.child_tasks)
    return stacks
