"""How a run ends and what becomes of its task: one journal line for both (SPEC section 8).

What the end means (`verdict`), the first line that fits:

    why it was ended / how it went         run            task
    stopped                                cancelled      cancelled
    withdrawn (task.cancel, task.delete)   cancelled      pending: whoever withdrew it goes on
    no process                             failed_to_start  failed, or tried again
    a good result, then 0 or killed        exited         completed: agents hang after their result
    the host is gone                       interrupted    tried again, at no cost; resumed where that is possible
    wall time, silence                     timed_out      failed, or tried again
    the agent said that it failed          exited         failed, or tried again
    0                                      exited         completed
    any other status, a signal             exited         failed, or tried again

What is tried again takes up the conversation of the run before it, where the tool can and its agent had begun. When
such a run fails, what failed may be the resuming: the next one starts afresh, whatever is configured, and from then on
only interruptions of that task are resumed. It costs an attempt when there is one left and the run before was one.

A service's life has no task: its service's row says how it ended, in the same line.
"""

from __future__ import annotations

import signal as signals
from typing import Any, Final

import attrs
import msgspec

from actors.decisions import service_facts
from actors.decisions.decision import NOTHING, At, Decision, patch
from actors.decisions.runs_history import earlier_runs, interruptions, resuming_failed, was_resumed
from actors.decisions.runs_life import AGENT_ERROR, STOPPED, WITHDRAWN, ending_of
from actors.decisions.runs_making import queued, tool_named
from actors.decisions.tasks import RELEASED
from actors.model.draft import Draft
from actors.model.errors import PerdureError
from actors.model.facts import Fact
from actors.model.run import ACTIVE, Run, next_status
from actors.model.tables import RunRow, decode_run, decode_task
from actors.model.task import Task
from actors.model.task import next_status as next_task_status
from actors.running.tools import Retry

KILLED: Final = frozenset({128 + signals.SIGTERM, 128 + signals.SIGKILL})
"""Exit codes of programs that say so when a signal ended them."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a run's end."""

    happening: str
    """exit, refuse (there is no process) or interrupt (the host is gone)."""
    exit_code: int | None = None
    signal: int | None = None
    stdout_bytes: int | None = None
    """None: as far as is known from before."""
    stderr_bytes: int | None = None
    reason: str = ""
    """For people: why there is no process, or the agent's last complaint."""
    exit_status: int | None = None
    """What a shell would end with where there is no process: 127 or 126."""
    result: Any = None
    """What the agent left in a file; counts when its output holds no result."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an end means."""

    happening: str
    """What happens to the run, as its transition table names it."""
    task: str
    """complete, fail, cancel, withdraw, interrupt: what happens to the task."""
    error: dict[str, Any] | None = None
    retryable: bool = False


def ended(draft: Draft, at: At, *, run_id: str, ending: Ending) -> Decision:
    """A run is over: its end, its task's change and the run that follows, in one line."""
    row = draft.row("runs", run_id)
    run = decode_run(row.encoded) if isinstance(row, RunRow) and row.is_own else None
    if run is None or run.status not in ACTIVE:
        return NOTHING
    tool = tool_named(run.tool, at.rules)
    found = verdict(run, ending, Retry() if tool is None else tool.retry)
    run = attrs.evolve(run, result=_result_of(run, ending))
    end = _end_of(run, ending, found, at)
    facts = [patch(draft, "runs", "run.ended", run.id, end), *service_facts.exited(draft, run, end)]
    task_row = draft.row("tasks", run.task_id or "")
    task = decode_task(task_row.encoded) if task_row is not None else None
    if task is not None and task.status == "running" and task.lease is None:
        facts.extend(_consequence(draft, task, run, found, at))
    return Decision(tuple(facts), (run.id,))


def verdict(run: Run, ending: Ending, retry: Retry) -> Verdict:
    """Return what an end means: the table in the module's text."""
    why = ending_of(run)
    if why in {STOPPED, WITHDRAWN}:
        return Verdict(happening="cancel", task="cancel" if why == STOPPED else "withdraw", error=run.error)
    if ending.happening == "refuse" and run.status == "starting":
        status = {} if ending.exit_status is None else {"exit_status": ending.exit_status}
        error = {**_error("failed_to_start", ending.reason), **status}
        return Verdict(happening="refuse", task="fail", error=error, retryable=retry.failed_to_start)
    if _is_done(run, ending):
        return Verdict(happening="exit", task="complete")
    if ending.happening != "exit":
        return Verdict(happening="interrupt", task="interrupt", error=_error("interrupted", ending.reason))
    if why is not None:
        return Verdict(happening="time_out", task="fail", error=run.error, retryable=retry.timed_out)
    return _of_its_own(run, ending, retry)


def _is_done(run: Run, ending: Ending) -> bool:
    """A good result counts, however the agent left: by itself in order, or killed because it hung."""
    killed = ending.signal is not None or ending.exit_code in KILLED
    return run.result is not None and not _said_failed(run) and (killed or not ending.exit_code)


def _said_failed(run: Run) -> bool:
    return isinstance(run.error, dict) and run.error.get("kind") == AGENT_ERROR


def _of_its_own(run: Run, ending: Ending, retry: Retry) -> Verdict:
    """The agent ended when it wanted to: what it said, then its exit status."""
    if _said_failed(run):
        return Verdict(happening="exit", task="fail", error=run.error, retryable=retry.is_error)
    if ending.signal is not None:
        error = _error("signal", _signal_name(ending.signal))
        return Verdict(happening="exit", task="fail", error=error, retryable=retry.signals)
    if ending.exit_code == 0:
        return Verdict(happening="exit", task="complete")
    error = _error("exit_code", ending.reason or f"exit code {ending.exit_code}")
    fits = retry.exit_codes is None or ending.exit_code in retry.exit_codes
    return Verdict(happening="exit", task="fail", error=error, retryable=fits)


def _consequence(draft: Draft, task: Task, run: Run, found: Verdict, at: At) -> list[Fact]:
    """Return what the end means for the task, and the run that follows, if one does."""
    if found.task == "complete":
        result = run.result if run.result is not None else {"exit_code": 0}
        return [_over(draft, task, "complete", "task.completed", at, result=result, error=None)]
    if found.task == "cancel":
        error = {"kind": "cancelled", "message": "its run was stopped"}
        return [_over(draft, task, "cancel", "task.cancelled", at, error=error)]
    if found.task == "withdraw":
        return [_given_back(draft, task, run.attempt - 1, at)]
    following = _following(draft, task, run, found, at)
    if isinstance(following, Fact):
        spent = run.attempt if following_attempt(following) > run.attempt else run.attempt - 1
        return [_given_back(draft, task, spent, at), following]
    return [_over(draft, task, "fail", "task.failed", at, error=following or found.error)]


def following_attempt(fact: Fact) -> int:
    """Return the attempt that a queued run is."""
    attempt: int = fact.members()["attempt"]
    return attempt


def _following(draft: Draft, task: Task, run: Run, found: Verdict, at: At) -> Fact | dict[str, Any] | None:
    """Return the run that comes next, or why none does (None: what the run's own end says)."""
    rules = at.rules.runs
    try:
        if found.task == "interrupt":
            if interruptions(draft, run) >= rules.interruptions_max:
                return _error("interrupted", f"interrupted {rules.interruptions_max + 1} times in a row")
            return queued(draft, task, run.attempt, at, resume_id=run.vendor_session_id)
        if was_resumed(draft, run):
            was_interrupted = earlier_runs(draft, run)[-1].status == "interrupted"
            costs = run.attempt < task.max_attempts and not was_interrupted
            return queued(draft, task, run.attempt + costs, at)
        if found.retryable and run.attempt < task.max_attempts:
            can_resume = run.pid is not None and not resuming_failed(draft, run)
            resume_id = run.vendor_session_id if can_resume else None
            return queued(draft, task, run.attempt + 1, at, resume_id=resume_id)
    except PerdureError as error:  # the tool is not configured any more
        return _error("failed_to_start", error.message)
    return None


def _end_of(run: Run, ending: Ending, found: Verdict, at: At) -> dict[str, Any]:
    streams = {
        name: {"bytes": stream.bytes if size_bytes is None else size_bytes, "path": stream.path}
        for name, stream, size_bytes in (
            ("stdout", run.stdout, ending.stdout_bytes),
            ("stderr", run.stderr, ending.stderr_bytes),
        )
    }
    return {
        "status": next_status(run.id, run.status, found.happening),
        "exit_code": ending.exit_code,
        "signal": ending.signal,
        "ended_at": at.stamp,
        **({} if ending.result is None else {"result": run.result}),
        "error": found.error,
        **streams,
    }


def _result_of(run: Run, ending: Ending) -> Any:
    """What the agent said counts; a file gives what that lacks. What it left does not excuse how it ended."""
    if ending.result is None:
        return run.result
    if run.result is None:
        return ending.result
    is_wordless = isinstance(run.result, dict) and run.result.get("text") is None
    return {**run.result, **ending.result} if is_wordless else run.result


def _over(draft: Draft, task: Task, happening: str, op: str, at: At, **changes: Any) -> Fact:
    status = next_task_status(task.id, task.status, happening)
    ended_now = RELEASED | {"status": status, "completed_at": at.stamp, "updated_at": at.stamp}
    return patch(draft, "tasks", op, task.id, ended_now | changes)


def _given_back(draft: Draft, task: Task, attempts: int, at: At) -> Fact:
    changes = RELEASED | {
        "status": next_task_status(task.id, task.status, "release"),
        "started_at": None,
        "updated_at": at.stamp,
        "attempts": attempts,
    }
    return patch(draft, "tasks", "task.requeued", task.id, changes)


def _error(kind: str, message: str) -> dict[str, str]:
    return {"kind": kind, "message": message}


def _signal_name(number: int) -> str:
    try:
        return f"ended by {signals.Signals(number).name}"
    except ValueError:
        return f"ended by signal {number}"
