"""Harm on purpose, to prove that it does no harm: the three ways in which a child can be made to fail."""

from enum import StrEnum
from typing import assert_never

from supervisor.tree.condemned import Condemned
from supervisor.tree.life import Life


class Harm(StrEnum):
    """How a child is made to fail."""

    CRASH = "crash"
    """As if it had raised, wherever it stands."""
    CANCEL = "cancel"
    """As if a stranger had cancelled its scope."""
    HANG = "hang"
    """It beats no more and blocks at its next `chaos_hang()`: for the heartbeat to find."""


class ChaosCrash(Condemned):
    """Somebody ordered this crash."""

    reason = "chaos"


def inflict(life: Life, harm: Harm) -> None:
    """Make this incarnation fail."""
    match harm:
        case Harm.CRASH:
            life.condemn(ChaosCrash("crashed on purpose"))
        case Harm.CANCEL:
            life.scope.cancel(reason="cancelled on purpose")
        case Harm.HANG:
            life.context.arm_hang()
        case _:
            assert_never(harm)
