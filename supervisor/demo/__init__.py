"""`perdure demo`: the main job on a real input, while everything that can break is broken; a table of what was lost.

The stage (`supervisor.trials`) is a real Perdure in a temporary directory; `worker` is one of several client
processes that make, claim, log and finish tasks and write down what was acknowledged; `audit` compares those records
with what is there; `acts` is the play.
"""

from __future__ import annotations


def main() -> int:
    """Play it; return 0 when nothing acknowledged was lost or done twice, 1 otherwise."""
    from supervisor.demo.acts import play  # noqa: PLC0415 - `perdure --help` must not pay for it

    return play()
