"""What a verification finds: which file, what is wrong, how bad that is, what to know, and what a repair does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from attrs import Factory, define

from actors.storage.layout import Layout
from actors.storage.remedies import Remedy

FINDINGS_MAX: Final = 10_000
"""So many are listed one by one; beyond that they are counted."""

Severity = Literal["error", "warning", "info"]
"""error: something is damaged or gone. warning: somebody should look. info: Perdure deals with it by itself."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    path: Path
    file: str
    """`path` relative to the state directory."""
    problem: str
    severity: Severity
    hint: str
    remedy: Remedy
    subject: tuple[str, str] | None = None
    """(table, id) of the row whose file it is, for remedies that write it anew."""
    up_to: int = 0
    """For what is wrong with the journal: the last line that is concerned. For a log: how many bytes are known."""

    def as_mapping(self) -> dict[str, str]:
        """Return {file, problem, severity, hint, repair}."""
        return {
            "file": self.file,
            "problem": self.problem,
            "severity": self.severity,
            "hint": self.hint,
            "repair": self.remedy.words,
        }


@define
class Findings:
    """Gathers findings and counts."""

    layout: Layout
    known_losses: frozenset[tuple[str, str]] = frozenset()
    """(file, problem) of what is on record as lost: it is counted, and no finding any more."""
    found: list[Finding] = Factory(list)
    omitted: int = 0
    counts: dict[str, int] = Factory(dict)
    _is_sound: bool = True

    def add(
        self,
        path: Path,
        problem: str,
        severity: Severity,
        hint: str,
        remedy: Remedy = Remedy.NONE,
        *,
        subject: tuple[str, str] | None = None,
        up_to: int = 0,
    ) -> None:
        """Note a finding about a file."""
        root = self.layout.root
        file = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
        if (file, problem) in self.known_losses:
            self.count("known_losses", 1)
            return
        self._is_sound &= severity == "info"
        if len(self.found) >= FINDINGS_MAX:
            self.omitted += 1
            return
        self.found.append(Finding(path, file, problem, severity, hint, remedy, subject, up_to))

    def count(self, name: str, number: int) -> None:
        """Note how many of something were looked at."""
        self.counts[name] = self.counts.get(name, 0) + number

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found that somebody should look at."""
        return self._is_sound

    def only(self, seen_before: Findings) -> Findings:
        """Return these findings without those that an earlier look did not have: they were in the making."""
        before = {(one.file, one.problem) for one in seen_before.found}
        steady = Findings(self.layout, counts=self.counts, omitted=min(self.omitted, seen_before.omitted))
        for one in self.found:
            if (one.file, one.problem) in before:
                steady.found.append(one)
                steady._is_sound &= one.severity == "info"
        return steady

    def as_mapping(self) -> dict[str, Any]:
        """Return {ok, findings, omitted, counts}."""
        return {
            "ok": self._is_sound,
            "findings": [one.as_mapping() for one in self.found],
            "omitted": self.omitted,
            "counts": self.counts,
        }
