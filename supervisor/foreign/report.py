"""What an import did, or would do: counted by noun and outcome, and everything that was skipped with its place."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, Literal

from attrs import define, field

from supervisor.foreign.values import Skipped

Outcome = Literal["new", "changed", "unchanged"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("new", "changed", "unchanged")

LISTED_MAX: Final = 1000
"""What is listed one by one; beyond it is counted. A transcript that is no transcript has a million bad lines."""


@define
class Report:
    """See the module's text."""

    kind: str
    source: str
    dry_run: bool
    at: str = ""
    """When it is: what is imported remembers it."""
    outcomes: dict[str, Counter[Outcome]] = field(factory=dict)
    messages: int = 0
    """Messages that were, or would be, added."""
    skipped: list[Skipped] = field(factory=list)
    skipped_count: int = 0
    notes: list[str] = field(factory=list)
    notes_count: int = 0

    def count(self, noun: str, outcome: Outcome) -> None:
        """Count one session, task, run, report, log or event."""
        self.outcomes.setdefault(noun, Counter())[outcome] += 1

    def skip(self, skipped: Skipped) -> None:
        """Note what was not taken over."""
        self.skipped_count += 1
        if len(self.skipped) < LISTED_MAX:
            self.skipped.append(skipped)

    def note(self, text: str) -> None:
        """Note what should be known and is no loss."""
        self.notes_count += 1
        if len(self.notes) < LISTED_MAX:
            self.notes.append(text)

    def members(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "kind": self.kind,
            "source": self.source,
            "dry_run": self.dry_run,
            **{noun: {one: counted[one] for one in OUTCOMES} for noun, counted in self.outcomes.items()},
            "messages": self.messages,
            "skipped": [{"file": one.file, "line": one.line, "reason": one.reason} for one in self.skipped],
            "skipped_count": self.skipped_count,
            "notes": self.notes,
        }
