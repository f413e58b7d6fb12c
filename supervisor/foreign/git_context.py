"""
Where in which git repository a directory is: its worktree, branch and commit, read from the files of `.git`.

No git is spawned: a hook has no time for that, and a machine may have none. What cannot be read is left out.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

DEPTH_MAX: Final = 64
"""Directories above the one that is asked about."""

_FILE_BYTES_MAX: Final = 8 << 20
"""packed-refs of a repository with very many branches."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BRANCH: Final = "refs/heads/"


def git_context(directory: str | os.PathLike[str]) -> dict[str, str]:
    """Return `worktree`, `worktree_realpath`, `branch` and `head`, those that are known; nothing outside of git."""
    worktree = _worktree(Path(directory))
    if worktree is None:
        return {}
    found = {"worktree": str(worktree), "worktree_realpath": os.path.realpath(worktree)}
    own, common = _git_directories(worktree)
    head = _text(own / "HEAD")
    reference = head.removeprefix("ref: ")
    if reference != head:
        if reference.startswith(_BRANCH):
            found["branch"] = reference.removeprefix(_BRANCH)
        head = _commit_of(reference, own, common)
    if _COMMIT.fullmatch(head):
        found["head"] = head
    return found


def _worktree(directory: Path) -> Path | None:
    for place in [directory, *directory.parents][:DEPTH_MAX]:
        if (place / ".git").exists():
            return place
    return None


def _git_directories(worktree: Path) -> tuple[Path, Path]:
    """Return where this worktree's own HEAD is, and where the branches of all worktrees are."""
    own = worktree / ".git"
    if own.is_file():
        own = worktree / _text(own).removeprefix("gitdir: ")
    shared = _text(own / "commondir")
    return own, own / shared if shared else own


def _commit_of(reference: str, own: Path, common: Path) -> str:
    for place in (own, common):
        commit = _text(place / reference)
        if commit:
            return commit
    for line in _text(common / "packed-refs").split("\n"):
        commit, _blank, name = line.partition(" ")
        if name == reference:
            return commit
    return ""


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_FILE_BYTES_MAX).decode("utf-8", "replace").strip()
    except OSError:
        return ""
