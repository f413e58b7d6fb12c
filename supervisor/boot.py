"""The runtime process: armed against outliving its root, told what to be, then running the actors until told to stop.

`python -m supervisor.boot --control-fd N`. Nothing else starts it, and nothing but the control channel steers it.
"""

from __future__ import annotations

import argparse
import gc
import os
import socket
import sys
from pathlib import Path
from typing import Final

GC_YOUNG_OBJECTS: Final = 5000
"""Allocations between two young collections: at the default of 700 the collector costs a tenth of the throughput."""


KEPT_BYTES: Final = 31 << 20
"""The C library learns from a block of this size, made and given back, to keep what is freed instead of giving the end
of its heap back to the system each time, to ask for it again at once: a third fewer page faults at 64 clients. Nobody
writes to the block, so it costs no memory and no time."""


def main(argv: list[str] | None = None) -> int:
    """Be the runtime; return the exit code."""
    parser = argparse.ArgumentParser(prog="supervisor.boot")
    parser.add_argument("--control-fd", type=int, required=True)
    options = parser.parse_args(argv)
    gc.disable()  # nothing that is imported is garbage: to look for some takes a seventh of the imports' time
    from supervisor.root.runtime_side import RuntimeLink  # noqa: PLC0415  while the collector rests

    link = RuntimeLink.arm(options.control_fd)
    # Slow imports come after arming: a standby sits here with them done, waiting for its hello.
    from supervisor.runtime.life import run_runtime  # noqa: PLC0415

    bytes(KEPT_BYTES)
    gc.freeze()
    gc.set_threshold(GC_YOUNG_OBJECTS)
    gc.enable()
    hello = link.hello()
    listener = socket.socket(fileno=hello.listen_fd)
    os.set_inheritable(hello.listen_fd, False)  # noqa: FBT003
    return run_runtime(link, hello, listener, Path(hello.state_path))


if __name__ == "__main__":
    sys.exit(main())
