"""Checking the fallback directory that the state directory says it has: whether it is there, and what lies in it."""

from __future__ import annotations

from actors.storage.fallback import MARK, Fallback, FallbackUnreachable, noted_path
from actors.storage.fallback_case import Outcome, decide
from actors.storage.files import Disk
from actors.storage.findings import Findings, Severity
from actors.storage.layout import Layout

_TELLING = {
    Outcome.RETIRE: "the state directory has all of it: the next start removes it",
    Outcome.MERGE: "the next start merges it into the state directory",
    Outcome.SET_ASIDE: "the state directory has gone another way: the next start keeps it in quarantine",
}


def verify_fallback(disk: Disk, layout: Layout, findings: Findings) -> None:
    """Look at it, changing nothing."""
    path = noted_path(disk, layout)
    if path is None:
        return
    fallback = Fallback(disk, Layout(layout.root), path)
    try:
        fallback.check(is_known=True)
        compared = fallback.compare()
    except FallbackUnreachable as error:
        findings.add(layout.root / MARK, error.message, "error", error.hint)
        return
    except OSError as error:
        findings.add(path, f"cannot be read: {error.strerror or error}", "error", "the journal may go on there")
        return
    findings.count("fallback_lines", compared.lines)
    if compared.lines:
        outcome = decide(compared)
        severity: Severity = "warning" if outcome is Outcome.SET_ASIDE else "info"
        problem = f"the journal went on here for {compared.lines} lines"
        findings.add(path, problem, severity, _TELLING[outcome])
