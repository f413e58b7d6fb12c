"""What others ask of the disk: pages of messages and logs, old journal lines, archived rows, backups, a verification.

All of it runs on the background thread, after whatever was to be written before, so a reader sees what is committed.
The answer goes straight to whoever asked, whichever incarnation of the writer lives by then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from actors.kernel.io_thread import Job
from actors.kernel.ref import Ask
from actors.messages.questions import (
    MeasureOutput,
    ReadArchived,
    ReadHealth,
    ReadLines,
    ReadOutput,
    ReadSpool,
    RemoveSpooled,
    SetAsideSpooled,
    SyncOutput,
    WriteOutput,
)
from actors.messages.request import Request
from actors.messages.runtime import StateBackups, StateVerify
from actors.model.errors import Internal, PerdureError, StorageFailed
from actors.model.searched import Unfinished
from actors.storage.contract import Store
from actors.writer.damage import tell_damage
from actors.writer.desk import Desk

_encode = msgspec.json.Encoder().encode

READS: dict[type, Callable[[Store, Any], Any]] = {
    ReadLines: lambda store, asked: store.read_lines(asked.from_seq, asked.lines_max),
    ReadArchived: lambda store, asked: store.read_archived(asked.session_id),
    ReadSpool: lambda store, asked: store.read_spool(asked.files_max),
    RemoveSpooled: lambda store, asked: store.remove_spooled(asked.name),
    SetAsideSpooled: lambda store, asked: store.set_aside_spooled(asked.name, asked.reason),
    WriteOutput: lambda store, asked: store.write_output(
        asked.run_id, asked.stream, asked.offset, asked.data, follows=asked.follows
    ),
    SyncOutput: lambda store, asked: store.sync_output(asked.run_id),
    MeasureOutput: lambda store, asked: {run_id: store.output_sizes(run_id) for run_id in asked.run_ids},
    ReadOutput: lambda store, asked: store.read_output(asked.run_id, asked.stream, asked.offset, asked.limit),
    ReadHealth: lambda store, _asked: store.health(),
    StateBackups: lambda store, _asked: {"backups": store.backups()},
    StateVerify: lambda store, _asked: store.verify(),
}
"""Question → what the store does. Output of runs is written here too: it is behind the journal, and syncs by itself."""


def serve(desk: Desk, store: Store, letter: Any, job: Callable[[Store], Any]) -> None:
    """Run a job on the background thread, slice by slice, and answer the letter with what comes of it."""

    def then(done: Job) -> None:
        unfinished = _answer(desk, letter, done)
        tell_damage(desk, store)
        if unfinished is None:
            return
        if unfinished.told is not None:
            desk.log.warning(unfinished.told)
        if desk.store is store:
            serve(desk, store, letter, job)
        else:
            letter.fail(StorageFailed("the storage was closed meanwhile", hint="ask again"))

    desk.background_thread.submit(partial(job, store), then)


def read_of(asked: Any) -> Callable[[Store], Any]:
    """Return the job that answers a question."""
    read = READS[type(asked)]
    return lambda store: read(store, asked)


def _answer(desk: Desk, letter: Any, job: Job) -> Unfinished | None:
    """Answer with what came of a job; return what is to go on instead."""
    try:
        result = job.result()
    except PerdureError as error:
        letter.fail(error)
    except OSError as error:
        letter.fail(StorageFailed(f"the disk refused: {error}", hint="check the disk, then ask again"))
    except Exception as error:
        desk.log.exception("reading failed", error=repr(error))
        letter.fail(Internal(f"reading failed: {error!r}"))
    else:
        if isinstance(result, Unfinished):
            return result
        if isinstance(letter, Ask):
            letter.answer(result)
        else:
            request: Request = letter if isinstance(letter, Request) else letter.request
            request.done(result if isinstance(result, bytes) else _encode(result))
    return None
