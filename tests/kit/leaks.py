"""
What a test may not leave behind: children, threads, sockets, pipes, and files open in the temporary directory.

`held_now()` takes stock of this process; `left_behind(before)` says what is held now that was not then. Both read /proc
where there is one, because a look at every process of the machine (psutil's way) would cost each test milliseconds.
What is on its way out when the test ends (a killed child, a thread past its last line) is given `GOING_S` to go.
"""

import gc
import os
import tempfile
import threading
import time
from pathlib import Path

import attrs
import psutil

GOING_S = 10.0
"""How long what is already ending may take; only a test that leaves something waits for it."""

POLL_S = 0.01

_OWN_TASKS = Path("/proc/self/task")
_OWN_DESCRIPTORS = Path("/proc/self/fd")
_TEMPORARY = os.path.realpath(tempfile.gettempdir())

_POOLED_THREADS = ("Trio thread", "trio.")
"""Trio keeps its idle worker threads for ten seconds to use them again; they hold nothing."""


@attrs.frozen(kw_only=True)
class Held:
    """What this process holds at one moment, each thing as a line of text."""

    children: frozenset[str]
    threads: frozenset[str]
    descriptors: frozenset[str]

    def since(self, before: "Held") -> tuple[str, ...]:
        """What is held here and was not held `before`, sorted."""
        return tuple(
            sorted(
                (self.children - before.children)
                | (self.threads - before.threads)
                | (self.descriptors - before.descriptors)
            )
        )


def held_now() -> Held:
    """Take stock of this process."""
    return Held(
        children=frozenset(f"child process {pid}" for pid in _child_pids()),
        threads=frozenset(
            f"thread {thread.name!r} ({thread.ident})"
            for thread in threading.enumerate()
            if not thread.name.startswith(_POOLED_THREADS)
        ),
        descriptors=frozenset(_open_descriptors()),
    )


def left_behind(before: Held, *, going_s: float = GOING_S) -> tuple[str, ...]:
    """What is still held, after `going_s` seconds at most, that was not held `before`; empty when all is well."""
    found = held_now().since(before)
    if not found:
        return ()
    gc.collect()
    deadline = time.monotonic() + going_s
    while (found := held_now().since(before)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return tuple(_described(line) for line in found)


def _child_pids() -> set[int]:
    if not (_OWN_TASKS / str(os.getpid()) / "children").exists():
        return {child.pid for child in psutil.Process().children()}
    pids: set[int] = set()
    for task in _OWN_TASKS.iterdir():
        try:
            pids.update(int(pid) for pid in (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # a thread that ended while we looked has no children any more
    return pids


def _open_descriptors() -> set[str]:
    if not _OWN_DESCRIPTORS.exists():
        return {f"open file {file.path} ({file.fd})" for file in psutil.Process().open_files()}
    found: set[str] = set()
    for descriptor in _OWN_DESCRIPTORS.iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue  # the descriptor of this very listing
        if target.startswith(("socket:", "pipe:", _TEMPORARY + os.sep)):
            found.add(f"descriptor {descriptor.name} of {target}")
    return found


def _described(line: str) -> str:
    kind, _, pid = line.rpartition(" ")
    if kind != "child process":
        return line
    try:
        return f"{line}: {' '.join(psutil.Process(int(pid)).cmdline())}"
    except psutil.Error:
        return line
