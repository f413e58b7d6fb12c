"""One client process of a trial: works until its standard input closes, and writes down what it asked and heard.

`python -m supervisor.chaos.client STATE_PATH RECORD_FILE NAME SEED PACE_S SCRATCH`. It knows nothing of what is being
done to Perdure: the client library reconnects and sends again, and errors that tell of a failed disk mean "again, with
the same key", as the protocol says.
"""

from __future__ import annotations

import select
import sys
from pathlib import Path
from random import Random

from supervisor.chaos.hand import PATIENCE_S, Hand
from supervisor.chaos.moves import Moves
from supervisor.chaos.record import Recorder
from supervisor.client import Client


def main(state_path: str, record_path: str, name: str, seed: str, pace_s: str, scratch: str) -> None:
    """Work on the Perdure of a state directory."""
    with (
        Client(state_path, timeout_s=PATIENCE_S, wait_s=PATIENCE_S) as client,
        Path(record_path).open("a", encoding="utf-8") as record,
    ):
        moves = Moves(Hand(client, Recorder(record), Path(scratch)), name, Random(f"{seed} {name}"))
        while not _told_to_stop(float(pace_s)):
            moves.one()


def _told_to_stop(within_s: float) -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], within_s)
    return bool(readable)


if __name__ == "__main__":
    main(*sys.argv[1:])
