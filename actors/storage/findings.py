"""What a verification finds: which file, what is wrong, how bad that is, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from attrs import Factory, define

from actors.storage.layout import Layout

FINDINGS_MAX: Final = 10_000
"""So many are listed one by one; beyond that they are counted."""

Severity = Literal["error", "warning", "info"]
"""error: something is damaged or gone. warning: somebody should look. info: Perdure deals with it by itself."""


@define
class Findings:
    """Gathers findings and counts."""

    layout: Layout
    found: list[dict[str, Any]] = Factory(list)
    omitted: int = 0
    counts: dict[str, int] = Factory(dict)
    _is_sound: bool = True

    def add(self, path: Path, problem: str, severity: Severity, hint: str) -> None:
        """Note a finding about a file."""
        self._is_sound &= severity == "info"
        if len(self.found) >= FINDINGS_MAX:
            self.omitted += 1
            return
        root = self.layout.root
        file = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
        self.found.append({"file": file, "problem": problem, "severity": severity, "hint": hint})

    def count(self, name: str, number: int) -> None:
        """Note how many of something were looked at."""
        self.counts[name] = self.counts.get(name, 0) + number

    def as_mapping(self) -> dict[str, Any]:
        """Return {ok, findings, omitted, counts}."""
        return {"ok": self._is_sound, "findings": self.found, "omitted": self.omitted, "counts": self.counts}
