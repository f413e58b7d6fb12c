"""What the order of the calls must be, read from the interposer's log: the part of durability that no kill can show.

Killing a process never loses what the kernel holds, so a sync that is missing is seen here, or by the power-loss model.
Each rule returns the calls that break it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import Final

from tests.kit.interposer import CARRYING, SYNCING, Action, Call, Seen

TEMPORARY: Final = ".tmp-"


def replied_before_sync(log: Sequence[Seen]) -> list[str]:
    """A reply leaves only when what lies in the journal is synced (for a client that sends one frame at a time).

    What follows a failed call is an error's reply, and what a dead process had written is its successor's to judge.
    """
    unsynced: dict[str, Seen] = {}
    found = []
    for seen in log:
        if seen.call is Call.SEND:
            alive = [wrote for wrote in unsynced.values() if wrote.process == seen.process]
            found += [f"{seen}: before {wrote} was synced" for wrote in alive]
        elif is_segment(seen.path) and seen.call in CARRYING and not _failed(seen):
            unsynced[seen.path] = seen
        elif seen.call in SYNCING:  # also one that failed: that is told
            unsynced.pop(seen.path, None)
    return found


def renamed_before_sync(log: Sequence[Seen]) -> list[str]:
    """What is put in place by a rename was synced after its last byte."""
    unsynced: dict[str, Seen] = {}
    found = []
    for seen in log:
        if seen.call in CARRYING:
            unsynced[seen.path] = seen
        elif seen.call is Call.UNLINK or (seen.call in SYNCING and _done(seen)):
            unsynced.pop(seen.path, None)
        elif seen.call is Call.RENAME:
            begins = seen.path + TEMPORARY
            mine = [path for path in unsynced if path.startswith(begins) and unsynced[path].process == seen.process]
            found += [f"{seen}: {unsynced.pop(path)} was not synced" for path in mine]
    return found


def removed_before_sync(log: Sequence[Seen]) -> list[str]:
    """No segment and no backup goes before the names of what replaces it are durable."""
    pending: dict[str, Seen] = {}
    found = []
    for seen in log:
        directory, _, name = seen.path.rpartition("/")
        if seen.call in SYNCING and _done(seen):
            pending.pop(seen.path, None)
        elif seen.call is Call.RENAME and (name == "state.json" or is_segment(seen.path)):
            pending[directory] = seen
        elif seen.call is Call.UNLINK and TEMPORARY not in name and (is_segment(seen.path) or "backup" in name):
            found += [f"{seen}: {renamed} was not synced" for renamed in pending.values()]
    return found


def used_after_failed_sync(log: Sequence[Seen]) -> list[str]:
    """After a failed sync or write nobody asks that file again: next it is cut, replaced, or left alone."""
    found = []
    for number, failed in enumerate(log):
        if not _failed(failed) or failed.call not in SYNCING | CARRYING or not is_segment(failed.path):
            continue
        later = (seen for seen in log[number + 1 :] if seen.path == failed.path and seen.process == failed.process)
        again = next(later, None)
        if again is not None and again.call in SYNCING | CARRYING:
            found.append(f"{again}: after {failed}")
    return found


def believed_before_sync(log: Sequence[Seen]) -> list[str]:
    """What a dead process had written and not synced is copied, cut or synced before its successor's first reply.

    Unless it had begun another segment after that write failed: then it had superseded it.
    """
    unsynced: dict[str, Seen] = {}
    copies: set[tuple[str, int]] = set()
    found = []
    for seen in log:
        if seen.call is Call.WRITE and TEMPORARY in seen.path:  # a new segment is made of zeros, by a pwrite
            copies.add((seen.path.partition(TEMPORARY)[0], seen.process))
        elif seen.call in CARRYING and is_segment(seen.path) and seen.action not in {Action.KILL_BEFORE, Action.FAIL}:
            unsynced[seen.path] = seen
        elif seen.call in SYNCING | {Call.FTRUNCATE, Call.RENAME} and _done(seen):
            unsynced.pop(seen.path, None)
            if seen.call is Call.RENAME and is_segment(seen.path):
                unsynced = {path: wrote for path, wrote in unsynced.items() if wrote.process != seen.process}
                if (seen.path, seen.process) in copies:
                    folder = seen.path.rpartition("/")[0]
                    unsynced = {path: wrote for path, wrote in unsynced.items() if path.rpartition("/")[0] != folder}
        elif seen.call is Call.SEND:
            left = [path for path, wrote in unsynced.items() if wrote.process != seen.process]
            found += [f"{seen}: {unsynced.pop(path)} was believed" for path in left]
    return found


RULES: Final[Sequence[Callable[[Sequence[Seen]], list[str]]]] = (
    replied_before_sync,
    renamed_before_sync,
    removed_before_sync,
    believed_before_sync,
    used_after_failed_sync,
)


def is_segment(path: str) -> bool:
    """Whether this is a segment of the journal, in its place."""
    return "/journal/" in path and path.endswith(".jsonl")


def _failed(seen: Seen) -> bool:
    """Whether the caller heard of an error; a call that a signal interrupted is simply made again, and may be."""
    return seen.error not in {0, errno.EINTR}


def _done(seen: Seen) -> bool:
    """Whether the call did its work."""
    return seen.error == 0 and seen.action is not Action.KILL_BEFORE
