"""Which alerts stand: raised once when a condition has held long enough, cleared once when it has been over as long.

    state     the condition holds                     it does not
    quiet     pending                                 quiet
    pending   for `for_s`: standing, tell `raised`    quiet
    standing  standing                                ending
    ending    standing                                for `for_s`: quiet, tell `cleared`

Pure, told the time (monotonic, seconds).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import attrs
import msgspec

from supervisor.runtime.alerts.conditions import CONDITIONS, UNKNOWN, Condition, Signs


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What is told: `raised`, and later `cleared`, with the text of when it was raised last."""

    name: str
    state: Literal["raised", "cleared"]
    level: str
    message: str
    hint: str
    since: str
    """When it was raised, ISO 8601."""

    @property
    def kind(self) -> str:
        """The event's kind."""
        return f"alert:{self.name}"

    def as_json(self) -> dict[str, Any]:
        """Return it as the event, the command and `health` show it."""
        members = msgspec.structs.asdict(self)
        return {"alert": members.pop("name"), **members}


@attrs.define
class _Watched:
    condition: Condition
    stands: Alert | None = None
    changing_since_s: float | None = None
    """Since when the condition says something else than what was told."""


class Standing:
    """See the module's text."""

    def __init__(self, conditions: Iterable[Condition] = CONDITIONS) -> None:
        self._watched = {condition.name: _Watched(condition) for condition in conditions}

    @property
    def names(self) -> Sequence[str]:
        """All the alerts that there are."""
        return list(self._watched)

    def alerts(self) -> list[Alert]:
        """Those that stand."""
        return [watched.stands for watched in self._watched.values() if watched.stands is not None]

    def inherit(self, told: Mapping[str, Mapping[str, Any]]) -> None:
        """Take over what an earlier runtime told last (name → the event's data): what it raised stands."""
        for name, data in told.items():
            watched = self._watched.get(name)
            if watched is None or watched.stands is not None or data.get("state") != "raised":
                continue
            watched.stands = Alert(
                name=name,
                state="raised",
                level=str(data.get("level", watched.condition.level)),
                message=str(data.get("message", "")),
                hint=watched.condition.hint,
                since=str(data.get("since", "")),
            )

    def look(self, signs: Signs, now_s: float, stamp: str) -> list[Alert]:
        """Take in what there is to see; return what is to be told."""
        told = (self._judge(watched, signs, now_s, stamp) for watched in self._watched.values())
        return [alert for alert in told if alert is not None]

    def _judge(self, watched: _Watched, signs: Signs, now_s: float, stamp: str) -> Alert | None:
        message = watched.condition.find(signs, watched.stands is not None)
        if message == UNKNOWN:
            return None
        if (message is not None) == (watched.stands is not None):
            watched.changing_since_s = None
            if message is not None and watched.stands is not None:
                watched.stands = msgspec.structs.replace(watched.stands, message=message)
            return None
        if watched.changing_since_s is None:
            watched.changing_since_s = now_s
        if now_s - watched.changing_since_s < watched.condition.for_s:
            return None
        watched.changing_since_s = None
        return self._clear(watched) if message is None else self._raise(watched, message, stamp)

    def _raise(self, watched: _Watched, message: str, stamp: str) -> Alert:
        condition = watched.condition
        watched.stands = Alert(
            name=condition.name,
            state="raised",
            level=condition.level,
            message=message,
            hint=condition.hint,
            since=stamp,
        )
        return watched.stands

    def _clear(self, watched: _Watched) -> Alert | None:
        stood, watched.stands = watched.stands, None
        return None if stood is None else msgspec.structs.replace(stood, state="cleared", level="info")
