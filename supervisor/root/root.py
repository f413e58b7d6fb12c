"""
The supervisor process, put together: what it holds, in which order it takes it, and how it ends.

Taken in this order and let go in the reverse: the state directory, the lock, the log, the socket; then the supervision
tree runs the runtime until somebody says stop. Who may say so: a signal, a client (through the runtime), the end of
standard input, a runtime that refuses to run here (exit codes 2, 6, 7), or the tree, when the restart intensity is
used up (70).

Signals. The first SIGTERM or SIGINT stops in order: the runtime saves and exits, within `supervisor.stop_grace_s`; exit
code 0. The second one stops at once: everything is killed (what was acknowledged is durable anyway), and the exit
code is 128 plus the signal's number, as of a process that died of it. SIGHUP reads the configuration again.
"""

import contextlib
import math
import os
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import trio

from supervisor.config import Config
from supervisor.root.ahead import UMASK
from supervisor.root.desk import RootDesk
from supervisor.root.errors import CannotRun
from supervisor.root.holdings import take_hold
from supervisor.root.options import RootOptions
from supervisor.root.stdio import Stdio
from supervisor.root.strangers import reap_strangers

EXIT_BY_SIGNAL: Final = 128
ECHO_S: Final = 0.1
"""One order may arrive twice: timeout(1) and shells signal the process and its group. Nobody repeats one this fast."""

_OBEYED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(options: RootOptions) -> int:
    """
    Run Perdure until it is told to stop; return the exit code (SPEC section 9).

    What keeps it from starting, or ends it, is told on standard error in one line. Call it from the main thread of a
    process that is its own: it handles signals, and its death is to end its children.
    """
    umask = os.umask(UMASK)
    try:
        return trio.run(partial(_hold_and_serve, options, umask), restrict_keyboard_interrupt_to_checkpoints=True)
    except CannotRun as error:
        sys.stderr.write(f"perdure: {error.message}; {error.hint}\n")
        return error.exit_code


async def _hold_and_serve(options: RootOptions, umask: int) -> int:
    with (
        trio.open_signal_receiver(*_OBEYED) as signals,
        contextlib.ExitStack() as stack,
    ):
        # Last of all: an order that comes when everything is over must not change the exit code any more.
        stack.callback(signal.pthread_sigmask, signal.SIG_BLOCK, _OBEYED)
        stdio = Stdio.take() if options.stdio else None
        holdings = take_hold(options, stack)
        desk = RootDesk(options, holdings, umask)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, signals, desk)
            nursery.start_soon(desk.feed_watchdog)
            nursery.start_soon(reap_strangers)
            if stdio is not None:
                nursery.start_soon(_serve_stdio, stdio, holdings.listener.address, options.config, desk)
            code = await desk.supervise()
            nursery.cancel_scope.cancel(reason="the root is done")
    if desk.failure is not None:
        raise desk.failure
    return code


async def _obey(signals: AsyncIterator[int], desk: RootDesk) -> None:
    told_at_s = -math.inf
    async for number in signals:
        if number == signal.SIGHUP:
            desk.reload()
        elif not desk.stopping:
            desk.stop(signal.Signals(number).name)
            told_at_s = trio.current_time()
        elif trio.current_time() - told_at_s > ECHO_S:
            desk.stop_at_once(EXIT_BY_SIGNAL + number)


async def _serve_stdio(stdio: Stdio, address: str, config: Config, desk: RootDesk) -> None:
    from supervisor.root.relay import StdioRelay  # noqa: PLC0415  only who serves on stdio pays for the wire

    relay = StdioRelay(stdio, address, config.gateway.frame_bytes_max)
    desk.stop(await relay.run(config.supervisor.stop_grace_s))
