"""A client's hand: sends one command until its outcome is known, and writes down what was asked and heard."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from actors.model.errors import Overloaded, PerdureError, ReadOnly, StorageFailed
from supervisor.chaos.record import REMEMBERED, Recorder
from supervisor.client import Client, TimedOut
from supervisor.wire.names import MUTATING

AGAIN_AFTER_S: Final = 0.05
PATIENCE_S: Final = 60.0
"""Nothing in a trial takes Perdure away for longer; beyond it the command counts as not answered."""
DONE_KEPT: Final = 200


@attrs.frozen
class Asked:
    """A mutating command that was acknowledged."""

    number: int
    method: str
    key: str
    params: dict[str, Any]


class Hand:
    """See the module's text. `scratch` is a folder for what agents write."""

    def __init__(self, client: Client, recorder: Recorder, scratch: Path) -> None:
        self.scratch = scratch
        self.done: list[Asked] = []
        """The newest acknowledged commands, for who wants to repeat one."""
        self._client = client
        self._recorder = recorder
        self._cursors: dict[str, str] = {}

    def do(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        key: str | None = None,
        allowed: tuple[str, ...] = (),
        marks: Mapping[str, Any] | None = None,
    ) -> Any:
        """
        Carry out a command; return its result, None when it was refused. Raises TimedOut when nobody answers.

        `allowed` are the kinds of errors to be expected, `marks` what a checker must know of it.
        """
        sent = dict(params)
        if method in MUTATING:
            sent["idempotency_key"] = key or os.urandom(12).hex()
        number = self._recorder.asks(method, sent, allowed, marks or {})
        try:
            result = self._until_known(number, method, sent)
        except TimedOut:
            raise
        except PerdureError as error:
            self._recorder.refused(number, error.kind)
            return None
        self._recorder.heard(number, result)
        if key is None and method in REMEMBERED and result is not None:
            self.done.append(Asked(number, method, sent["idempotency_key"], dict(params)))
            del self.done[:-DONE_KEPT]
        return result

    def read_on(self, method: str, params: Mapping[str, Any]) -> None:
        """Read one page of a list, the next one next time."""
        cursor = self._cursors.get(method)
        page = self.do(method, {**params, **({} if cursor is None else {"cursor": cursor})})
        if page is not None and page["next_cursor"] is not None:
            self._cursors[method] = page["next_cursor"]

    def _until_known(self, number: int, method: str, params: dict[str, Any]) -> Any:
        """Send it again while Perdure says that its disk does not take it, or that it has too much to do."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._client.call(method, **params)
            except (StorageFailed, ReadOnly, Overloaded) as error:
                self._recorder.told(number, error.kind)
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(AGAIN_AFTER_S)
