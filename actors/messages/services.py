"""Parameters of `service.*` (SPEC sections 6 and 8), and what a service's supervisor asks of the runs actor.

A command says what is wanted, durably; the supervisor in the runtime sees to it. What that one asks is about one life:
to begin it, to end it, and to write down what it decided when one had ended. `run_id` names the life that is meant, so
whatever comes twice, or too late, changes nothing.
"""

from __future__ import annotations

import msgspec

from actors.messages.bounds import Params, Word


class ServiceList(Params, frozen=True, kw_only=True):
    """Read the services that are configured, and how they are."""


class ServiceStart(Params, frozen=True, kw_only=True):
    """Have a service run. Answered when it does, or is given up."""

    name: Word


class ServiceStop(Params, frozen=True, kw_only=True):
    """Have a service stopped, until it is started again or Perdure comes up the next time. Answered when it is over."""

    name: Word


class ServiceRestart(Params, frozen=True, kw_only=True):
    """End a service's present life and begin another. Answered when it runs, or is given up."""

    name: Word


class LifeBegin(msgspec.Struct, frozen=True, kw_only=True):
    """Give this service a life: the one that it has, or the one that ended and was not judged, or a new one, `run_id`.

    Answered with the run, once it is durable; waits while there is no agent host.
    """

    name: str
    run_id: str
    is_judged: bool
    """The end of the life before this one was judged: it is not to be given again."""
    is_restart: bool
    """Its supervisor restarts it, which counts."""


class LifeEnd(msgspec.Struct, frozen=True, kw_only=True):
    """End this life: its supervisor stops it."""

    name: str
    run_id: str
    grace_s: float


class LifeDelayed(msgspec.Struct, frozen=True, kw_only=True):
    """The next life begins after a delay."""

    name: str
    run_id: str


class LifeLast(msgspec.Struct, frozen=True, kw_only=True):
    """No life follows this one: the service's own rule says so."""

    name: str
    run_id: str


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """The supervisor gives the service up."""

    name: str
    run_id: str
    message: str
