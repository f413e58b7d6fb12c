"""How a run is made of a task: its tool's command, where it works, what the task brings for it (SPEC section 8)."""

from __future__ import annotations

import posixpath
import uuid
from typing import Any

import msgspec

from actors.decisions.decision import At, Rules, whole
from actors.messages.runs import Brought
from actors.model.draft import Draft
from actors.model.errors import InvalidParams
from actors.model.facts import Fact
from actors.model.ids import new_id
from actors.model.run import Run, Stream, output_path
from actors.model.tables import decode_session, decode_task
from actors.model.task import Task
from actors.running.tools import SHELL, SHELL_TOOL, Limits, Tool, expanded


def queued(draft: Draft, task: Task, attempt: int, at: At, resume_id: str | None = None) -> Fact:
    """Return the fact of a new run that waits for its turn.

    With `resume_id` it takes up that conversation, where the tool can. Raises InvalidParams when the task cannot run.
    """
    tool = _tool_of(task, at)
    given = brought(task)
    if tool.needs_argv and not given.argv:
        raise InvalidParams.of("metadata.argv", f"{tool.name} runs the command that stands there, and there is none")
    run_id = new_id()
    resumes = resume_id is not None and tool.resume is not None
    vendor = resume_id if resumes else (str(uuid.uuid4()) if tool.names_its_sessions else None)
    cwd = _cwd(draft, task, tool, given, at)
    values = {
        "description": task.description,
        "task_id": task.id,
        "session_id": vendor or "",
        "result_path": result_path(run_id, at.rules),
    }
    template = tool.resume if resumes and tool.resume is not None else tool.argv
    run = Run(
        id=run_id,
        task_id=task.id,
        session_id=task.session_id,
        tool=tool.name,
        attempt=attempt,
        argv=expanded(template, values, given.argv),
        cwd=cwd,
        vendor_session_id=vendor,
        stdout=Stream(path=output_path(run_id, "stdout")),
        stderr=Stream(path=output_path(run_id, "stderr")),
        rev=draft.next_rev("runs", run_id),
    )
    return whole("run.queued", run)


def result_path(run_id: str, rules: Rules) -> str:
    """Return where an agent leaves its result, should its command name the place."""
    return posixpath.join(rules.runs.results, f"{run_id}.result")


def named_result_path(run: Run, rules: Rules) -> str | None:
    """Return where the agent of a run leaves its result; None when its command does not say so."""
    path = result_path(run.id, rules)
    return path if any(path in argument for argument in run.argv) else None


def tool_named(name: str | None, rules: Rules) -> Tool | None:
    """Return a tool as it is configured now."""
    found = rules.runs.tools.get(name or "")
    return SHELL_TOOL if found is None and name == SHELL else found


def brought(task: Task) -> Brought:
    """Return what a task's metadata brings for its run."""
    try:
        return msgspec.convert(task.metadata, Brought)
    except msgspec.ValidationError:
        return Brought()


def limits_of(task: Task | None, tool: Tool) -> Limits:
    """Return what a run may use: the tool's limits, with the task's own wall time."""
    timeout_s = brought(task).timeout_s if task is not None else None
    return tool.limits if timeout_s is None else msgspec.structs.replace(tool.limits, wall_s=timeout_s)


def task_of(lookup: Any, run: Run) -> Task | None:
    """Return a run's task, None when it is gone."""
    row = lookup.row("tasks", run.task_id or "")
    return None if row is None else decode_task(row.encoded)


def _tool_of(task: Task, at: At) -> Tool:
    if task.tool is None:
        raise InvalidParams.of("task_id", f"task {task.id} has no tool: task.update gives it one")
    tool = tool_named(task.tool, at.rules)
    if tool is None:
        known = ", ".join(sorted({*at.rules.runs.tools, SHELL}))
        raise InvalidParams.of(
            "task_id", f"task {task.id} wants the tool {task.tool}, which is not configured; there are {known}"
        )
    return tool


def _cwd(draft: Draft, task: Task, tool: Tool, given: Brought, at: At) -> str:
    """The task says it best, then the tool, then where the task was typed, then the session that it belongs to."""
    session = draft.row("sessions", task.session_id) if task.session_id is not None else None
    of_session = None if session is None else decode_session(session.encoded).working_directory
    chosen = given.cwd or tool.cwd or given.called_from or of_session or at.rules.runs.cwd
    return posixpath.normpath(posixpath.join(at.rules.runs.cwd, chosen))
