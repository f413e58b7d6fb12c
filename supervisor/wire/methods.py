"""The table of methods (SPEC section 6): one row says all that is known of a method outside its actor.

Dispatch, validation, `rpc.discover` and the command line's help are made from these rows, so none of them can lie. To
add a method: its struct in `actors.messages`, its handler in its actor, one row here (and in `names` if it mutates).
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import field

from actors.messages import records, runs, runtime, services, sessions, tasks
from actors.messages.bounds import Params
from actors.model.run import Run
from actors.model.service import Service
from actors.model.session import Session
from actors.model.task import Task

Actor = Literal["tasks", "sessions", "runs", "events", "reports", "writer", "local"]
"""Who carries a method out; `local` is the gateway's own process: its status, its tree, this table."""


class Method(msgspec.Struct, frozen=True):
    """One row. `example` holds parameters that the method's struct accepts; `row` is the class that is returned."""

    name: str
    params: type[Params]
    actor: Actor
    summary: str
    result: str
    row: type | None = None
    mutates: bool = False
    subscribes: bool = False
    example: dict[str, Any] = field(default_factory=dict)


_TASK_ID: Final = {"id": "task_1704067200000"}
_SESSION_ID: Final = {"id": "0190163d-8694-739b-aea5-966c26f8ad91"}
_MESSAGE: Final = {"role": "user", "content": "hello"}


def _task(name: str, params: type[Params], summary: str, **example: Any) -> Method:
    return Method(name, params, "tasks", summary, "the task", Task, mutates=True, example={**_TASK_ID, **example})


def _session(name: str, params: type[Params], summary: str, **example: Any) -> Method:
    return Method(
        name, params, "sessions", summary, "the session", Session, mutates=True, example={**_SESSION_ID, **example}
    )


_TASKS: Final = (
    Method(
        "task.create", tasks.TaskCreate, "tasks", "make a task", "the task", Task,
        mutates=True, example={"description": "Implement authentication", "tool": "CLAUDECODE"},
    ),
    Method("task.get", tasks.TaskGet, "tasks", "read one task", "the task", Task, example=_TASK_ID),
    Method("task.list", tasks.TaskList, "tasks", "read tasks, page by page", "{tasks, next_cursor}"),
    _task("task.update", tasks.TaskUpdate, "change members of a task", priority=0, if_rev=1),
    Method(
        "task.save", tasks.TaskSave, "tasks", "make or replace a whole task", "the task", Task,
        mutates=True, example={"task": {**_TASK_ID, "description": "Implement authentication"}},
    ),
    _task("task.start", tasks.TaskStart, "a pending task is now running"),
    _task("task.complete", tasks.TaskComplete, "a running task is done", result={"tests_passed": True}),
    _task("task.fail", tasks.TaskFail, "a running task has failed", error="the tests do not pass"),
    _task("task.cancel", tasks.TaskCancel, "give up a task", reason="no longer needed"),
    _task("task.reopen", tasks.TaskReopen, "put a finished task back to pending"),
    Method(
        "task.delete", tasks.TaskDelete, "tasks", "remove a task and its file", "{id, deleted}",
        mutates=True, example=_TASK_ID,
    ),
    Method(
        "task.log", tasks.TaskLog, "tasks", "add to a task's log", "{id, rev, log_count}",
        mutates=True, example={**_TASK_ID, "message": "Task started"},
    ),
    Method(
        "task.claim", tasks.TaskClaim, "tasks", "take the most urgent task that can be worked on",
        "the task with its lease, or null when there is none", Task,
        mutates=True, example={"worker": "worker-1", "tools": ["SHELL"]},
    ),
    _task("task.heartbeat", tasks.TaskHeartbeat, "say that a claimed task's holder is alive", lease=1),
    _task("task.release", tasks.TaskRelease, "give a claimed task back", lease=1),
    Method(
        "batch.apply", tasks.BatchApply, "tasks", "carry out all the commands or none", "{results}", mutates=True,
        example={"commands": [{"method": "task.create", "params": {"description": "one of many"}}]},
    ),
)  # fmt: skip

_SESSIONS: Final = (
    Method(
        "session.create", sessions.SessionCreate, "sessions", "make a session", "the session", Session, mutates=True,
        example={"title": "Login", "provider": "anthropic", "model": "opus", "working_directory": "/home/me/project"},
    ),
    Method("session.get", sessions.SessionGet, "sessions", "read one session", "the session", Session,
           example=_SESSION_ID),
    _session("session.load", sessions.SessionLoad, "read one session and note that it was used"),
    _session("session.save", sessions.SessionSave, "change a session, or replace its messages", title="Logging in"),
    Method(
        "session.append", sessions.SessionAppend, "sessions", "add messages", "{id, rev, message_count}",
        mutates=True, example={**_SESSION_ID, "messages": [_MESSAGE]},
    ),
    Method("session.messages", sessions.SessionMessages, "sessions", "read messages, page by page",
           "{messages, next, missing? (what is lost, as [first, last])}",
           example=_SESSION_ID),
    _session("session.rename", sessions.SessionRename, "give a session another title", title="Logging in"),
    Method("session.list", sessions.SessionList, "sessions", "read sessions, page by page", "{sessions, next_cursor}"),
    Method("session.find", sessions.SessionFind, "sessions", "find sessions by what is known of them or said in them",
           "{sessions, messages?, messages_problem?}",
           example={"external_id": "session_1704067200001", "limit": 10}),
    _session("session.close", sessions.SessionClose, "say that a session is over", outcome="done"),
    Method(
        "session.delete", sessions.SessionDelete, "sessions", "move a session into the archive", "{id, deleted}",
        mutates=True, example=_SESSION_ID,
    ),
    _session("session.restore", sessions.SessionRestore, "bring a deleted session back"),
    Method(
        "session.put", sessions.SessionPut, "sessions", "record a session that somebody else keeps", "the session",
        Session, mutates=True, example={"session": {"id": "session_1704067200001", "title": "Login"}},
    ),
    Method(
        "session.seen", sessions.SessionSeen, "sessions", "an agent's session was seen: find out which of ours it is",
        "{session, minted, identity_resolution}", mutates=True,
        example={"external_id": "0b3c4d5e-0000-4000-8000-000000000000", "cwd": "/home/me/project"},
    ),
    _session("session.alias", sessions.SessionAlias, "give a session a name that no other has", alias="login"),
    _session("session.parent", sessions.SessionParent, "say whom a session descends from", parent_id=None),
    _session("session.link", sessions.SessionLink, "link a session to tasks and projects", tasks=["task_1"]),
    _session("session.unlink", sessions.SessionUnlink, "take such links away", projects=["login"]),
    Method("session.tree", sessions.SessionTree, "sessions", "read who descends from whom",
           "{roots: [{session, children}]}"),
    Method("session.sweep", sessions.SessionSweep, "sessions", "label sessions without progress as idle or archived",
           "{changed}", mutates=True, example={"dry_run": True}),
)  # fmt: skip

_RECORDS: Final = (
    Method("run.put", records.RunPut, "runs", "record a run that somebody else carries out", "the run", Run,
           mutates=True, example={"run": {"id": "run_1", "status": "running"}}),
    Method("run.start", runs.RunStart, "runs", "let a pending task be carried out by its tool", "the run", Run,
           mutates=True, example={"task_id": "task_1704067200000"}),
    Method("run.exec", runs.RunExec, "runs", "make a task of a command and carry it out", "the run", Run,
           mutates=True, example={"argv": ["make", "test"], "cwd": "/home/me/project", "timeout_s": 600}),
    Method("run.stop", runs.RunStop, "runs", "end a run; answered when it is over", "the run", Run,
           mutates=True, example={"id": "run_1", "grace_s": 5}),
    Method("run.output", runs.RunOutput, "runs", "read what a run printed", "{data, next_offset, eof}",
           example={"id": "run_1", "stream": "stdout"}),
    Method("output.subscribe", runs.OutputSubscribe, "runs",
           "follow what a run prints; `output` notifications follow, the last of a stream with eof", "{subscription}",
           subscribes=True, example={"id": "run_1"}),
    Method("output.unsubscribe", runs.OutputUnsubscribe, "runs", "stop following what a run prints", "{subscription}",
           subscribes=True, example={"subscription": "s1"}),
    Method("run.get", records.RunGet, "runs", "read one run", "the run", Run, example={"id": "run_1"}),
    Method("run.list", records.RunList, "runs", "read runs, page by page", "{runs, next_cursor}"),
    Method("event.record", records.EventRecord, "events", "write an event into the journal", "the event",
           mutates=True, example={"type": "deploy:done", "message": "version 4 is live"}),
    Method("event.list", records.EventList, "events", "read events", "{events, next_seq}",
           example={"after_seq": 0, "kinds": ["task.*"]}),
    Method("event.subscribe", records.EventSubscribe, "events", "follow the journal; `event` notifications follow",
           "{subscription, seq}", subscribes=True, example={"after_seq": 0}),
    Method("event.unsubscribe", records.EventUnsubscribe, "events", "stop following", "{subscription}",
           subscribes=True, example={"subscription": "s1"}),
    Method("log.append", records.LogAppend, "reports", "add text to a session's log", "{bytes}",
           mutates=True, example={"session_id": _SESSION_ID["id"], "text": "hello\n"}),
    Method("log.read", records.LogRead, "reports", "read a session's log", "{text, next_offset}",
           example={"session_id": _SESSION_ID["id"]}),
    Method("report.save", records.ReportSave, "reports", "keep a report", "{id, path}",
           mutates=True, example={"data": {"passed": 12}, "id": "weekly"}),
    Method("report.get", records.ReportGet, "reports", "read one report", "{id, created_at, data}",
           example={"id": "weekly"}),
    Method("report.list", records.ReportList, "reports", "read what reports there are", "{reports}"),
)  # fmt: skip

_SERVICES: Final = (
    Method("service.list", services.ServiceList, "runs", "read the services that are configured", "{services}"),
    Method("service.start", services.ServiceStart, "local", "have a service run; answered when it does, or is given up",
           "the service", Service, mutates=True, example={"name": "codex"}),
    Method("service.stop", services.ServiceStop, "local", "stop a service; answered when it is over",
           "the service", Service, mutates=True, example={"name": "codex"}),
    Method("service.restart", services.ServiceRestart, "local", "stop a service and start it again",
           "the service", Service, mutates=True, example={"name": "codex"}),
)  # fmt: skip

_RUNTIME: Final = (
    Method("state.save", runtime.StateSave, "writer", "take a snapshot now", "{path, seq, bytes, duration_s}"),
    Method("state.backups", runtime.StateBackups, "writer", "read what backups there are", "{backups}"),
    Method("state.verify", runtime.StateVerify, "writer", "check everything on disk without changing it",
           "what was checked and what is wrong"),
    Method("state.get", runtime.StateGet, "writer", "read the whole state", "the state, as state.json holds it"),
    Method("runtime.ping", runtime.RuntimePing, "local", "ask whether anybody answers", "{pong, seq}"),
    Method("runtime.status", runtime.RuntimeStatus, "local", "read who and what is running", "the status"),
    Method("runtime.health", runtime.RuntimeHealth, "local", "read how well it is running", "the health"),
    Method("runtime.metrics", runtime.RuntimeMetrics, "local", "read the counters", "the metrics"),
    Method("runtime.reload", runtime.RuntimeReload, "local", "read the configuration again",
           "what was applied and what needs a restart"),
    Method("runtime.shutdown", runtime.RuntimeShutdown, "local", "stop the whole of Perdure", "{stopping}"),
    Method("actor.list", runtime.ActorList, "local", "read the tree of actors", "the tree"),
    Method("actor.restart", runtime.ActorRestart, "local", "stop an actor and start it again", "{name}",
           example={"name": "tasks"}),
    Method("actor.kill", runtime.ActorKill, "local", "break an actor on purpose; only with chaos.enabled", "{name}",
           example={"name": "tasks", "how": "crash"}),
    Method("rpc.discover", runtime.RpcDiscover, "local", "read this table", "an OpenRPC document"),
)  # fmt: skip

METHODS: Final[dict[str, Method]] = {row.name: row for row in (*_TASKS, *_SESSIONS, *_RECORDS, *_SERVICES, *_RUNTIME)}
"""Every method by its name."""

IN_A_BATCH: Final = frozenset(row.name for row in METHODS.values() if row.mutates) - {
    "batch.apply",
    "run.stop",
    "service.restart",
    "service.start",
    "service.stop",
    "task.heartbeat",
}
"""What `batch.apply` may hold: whatever becomes facts. A heartbeat becomes none; a stop, and what is asked of services,
waits for processes."""
