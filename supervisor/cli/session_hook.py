"""
`perdure session hook`: what Claude Code runs when a session begins, so that Perdure knows it.

It must never disturb whom it serves: it ends with 0 whatever happens, prints nothing on standard output (which Claude
Code would show to the model), and is gone within two seconds. So every step has its share of the time. When the runtime
has not answered by then, the sighting goes into spool/ under the same key, and is recorded once in any case.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation

SWITCH: Final = "PERDURE_HOOK"
"""The kill switch: off, false, no or 0 in this variable and the hook does nothing."""

PROMPT_SWITCH: Final = "PERDURE_HOOK_FIRST_PROMPT"
"""The same in this one, and no preview of the first prompt is stored."""

OFF: Final = frozenset({"0", "off", "false", "no"})

INPUT_S: Final = 0.4
INPUT_BYTES_MAX: Final = 4 << 20
CALL_S: Final = 0.6
WHOLE_S: Final = 1.2
"""After this whatever is being done is given up for the spool."""

LAST_S: Final = 0.4
"""For the spool; a disk that takes longer keeps nobody waiting."""


class _TimeIsUp(Exception):
    pass


@command("hook", example="perdure session hook < hook.json")
def hook(invocation: Invocation) -> int:
    """
    Record a session of Claude Code; for its hooks.

    Reads the hook's JSON on standard input. Ends with 0 within two seconds, whatever happens; PERDURE_HOOK=off in the
    environment switches it off, PERDURE_HOOK_FIRST_PROMPT=off keeps prompts out.
    """
    if _is_off(SWITCH):
        return 0
    try:
        _record(invocation)
    except Exception as error:  # noqa: BLE001  whatever it is, it is not the agent's business
        if invocation.debug:
            sys.stderr.write(f"perdure: the session was not recorded: {error!r}\n")
    return 0


def _record(invocation: Invocation) -> None:
    params: dict[str, Any] | None = None
    key = f"hook-{os.urandom(16).hex()}"
    try:
        with _limited(WHOLE_S):
            from supervisor.foreign.claude_hook import sighting

            params = sighting(_input(), store_first_prompt=not _is_off(PROMPT_SWITCH))
            state_path = invocation.state_path
            if _told(invocation, state_path, params, key):
                return
    except _TimeIsUp:
        if params is None:
            return
    if params is not None:
        _spool(invocation, params, key)


def _told(invocation: Invocation, state_path: Path, params: dict[str, Any], key: str) -> bool:
    """Whether the runtime has recorded it. What it refuses for good it would refuse from the spool, too."""
    from actors.model.errors import InvalidParams, PerdureError
    from supervisor.client import Client

    if not state_path.is_dir():
        return False
    try:
        with Client(state_path, timeout_s=CALL_S, wait_s=0.0) as client:
            client.call("session.seen", **params, idempotency_key=key)
    except InvalidParams as error:
        if invocation.debug:
            sys.stderr.write(f"perdure: {error.message}\n")
        return True
    except (PerdureError, OSError, ValueError):  # the last: a text that no socket takes, which the spool mends
        return False
    return True


def _spool(invocation: Invocation, params: dict[str, Any], key: str) -> None:
    """Leave it in the spool, if this is a state directory, or was named as one."""
    from supervisor.cli.spooling import spool
    from supervisor.root.directory import is_foreign

    state_path = invocation.state_path
    is_named = invocation.state_option is not None or bool(os.environ.get("STATE_PATH"))
    if state_path.is_dir():
        if is_foreign(state_path) or not (is_named or any(state_path.iterdir())):
            return
    elif not is_named:
        return  # an agent works in many directories; not each of them shall get one
    signal.signal(signal.SIGALRM, _leave)
    signal.setitimer(signal.ITIMER_REAL, LAST_S)
    try:
        spool(state_path, "session.seen", params, key)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)


def _input() -> bytes:
    """Standard input to its end, as much of it as comes in time."""
    descriptor = sys.stdin.fileno()
    deadline_s = time.monotonic() + INPUT_S
    received = bytearray()
    while len(received) < INPUT_BYTES_MAX:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or not select.select([descriptor], [], [], left_s)[0]:
            break
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            break
        received += piece
    return bytes(received)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise _TimeIsUp in the block after so long."""

    def ring(_number: int, _frame: FrameType | None) -> NoReturn:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(0)


def _is_off(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in OFF
