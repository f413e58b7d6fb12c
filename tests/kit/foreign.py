"""Samples of other tools' directories, and what readers find in them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from supervisor.foreign.kinds import KINDS
from supervisor.foreign.values import Found, Message, SessionFound, Skipped

SAMPLES = Path(__file__).parents[1] / "samples"

WHERE = {
    "nanocoder": "nanocoder-sessions",
    "sessions-db": "sessions-db/good",
    "claude": "claude-transcripts",
    "codex": "codex",
    "codexd": "codexd",
    "state-v1": "state-v1",
}
"""Kind → its sample."""


def sample(kind: str) -> Path:
    """The sample of a kind."""
    return SAMPLES / WHERE[kind]


def found_in(kind: str, directory: Path) -> list[Found]:
    """Everything that a reader finds."""
    return list(KINDS[kind].read(directory))


def sessions_in(kind: str, directory: Path) -> list[SessionFound]:
    """The sessions that a reader finds."""
    return [one for one in found_in(kind, directory) if isinstance(one, SessionFound)]


def bodies(session: SessionFound) -> list[dict[str, Any]]:
    """The messages of a session."""
    return [one.body for one in session.messages() if isinstance(one, Message)]


def passed_over(found: Iterable[Found | Message]) -> list[tuple[str, int | None]]:
    """Where what cannot be read is."""
    return [(one.file, one.line) for one in found if isinstance(one, Skipped)]
