"""Making a task and starting its agent: one batch, so that there is no task left over that was refused to run."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from supervisor.cli.reach import Runtime


class Started(NamedTuple):
    """What was made."""

    task: dict[str, Any]
    run: dict[str, Any]


def create_and_start(perdure: Runtime, task: Mapping[str, Any]) -> Started:
    """Make a task of `task.create`'s parameters, and queue its run. Raises what either is refused with."""
    from actors.model.ids import new_id

    # The batch is one message: what starts the task must know its id before the runtime makes one.
    id_ = task.get("id") or f"task_{new_id()}"
    commands = [
        {"method": "task.create", "params": {**task, "id": id_}},
        {"method": "run.start", "params": {"task_id": id_}},
    ]
    made, run = perdure.call("batch.apply", commands=commands)["results"]
    return Started(made, run)
