"""
Codex: rollouts `rollout-<time>-<uuid>.jsonl` below `~/.codex/sessions` (and `archived_sessions`).

Lines are `{timestamp, type, payload}`. The first `session_meta` says which session it is; each `response_item` is a
message: what was said, a tool that was called, what it gave. `turn_context` names the model. `event_msg` tells the same
things once more for the screen, so it is no message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from actors.model.preview import fingerprints_of, sanitised
from supervisor.foreign.content import text_of
from supervisor.foreign.lines import files_below, read_lines
from supervisor.foreign.members import message_of, stamp, title_of, usable_id
from supervisor.foreign.values import File, Found, Line, Message, SessionFound, Skipped

_KINDS: Final = frozenset({"session_meta", "response_item", "event_msg", "turn_context", "compacted"})
_PASSED_OVER: Final = frozenset({"event_msg", "turn_context", "session_meta"})

PREFIX: Final = "rollout-"

_ROLES: Final[Mapping[str, str]] = {
    "function_call": "assistant",
    "custom_tool_call": "assistant",
    "local_shell_call": "assistant",
    "web_search_call": "assistant",
    "reasoning": "assistant",
    "function_call_output": "tool",
    "custom_tool_call_output": "tool",
}
"""Who speaks in items that do not say so."""


def files(directory: Path) -> list[File]:
    """The rollouts."""
    return [file for file in files_below(directory, ".jsonl") if Path(file.name).name.startswith(PREFIX)]


def looks_like(directory: Path) -> bool:
    """Whether rollouts lie there."""
    return bool(files(directory))


def read(directory: Path) -> Iterator[Found]:
    """Yield the sessions, by file name, which is by time."""
    for file in files(directory):
        outline = _Outline()
        for line in read_lines(file):
            if isinstance(line, Line):
                outline.take(line.value)
        own_id = outline.meta.get("id") or _uuid_of_name(file.name)
        if not outline.said and not outline.meta:
            yield Skipped(file=file.name, reason="it is no rollout: it says neither its session nor any message")
        else:
            yield _session(file, outline, str(own_id))


@define
class _Outline:
    """What a rollout says of its session."""

    said: int = 0
    meta: dict[str, Any] = field(factory=dict)
    model: str | None = None
    cwd: str | None = None
    first_at: str | None = None
    last_at: str | None = None
    prompt: str | None = None

    def take(self, value: dict[str, Any]) -> None:
        at = stamp(value.get("timestamp"))
        self.first_at = self.first_at or at
        self.last_at = at or self.last_at
        kind, payload = value.get("type"), value.get("payload")
        if not isinstance(payload, dict):
            return
        if kind == "session_meta" and not self.meta:
            self.meta = payload
        elif kind == "turn_context":
            self.model = _text(payload.get("model")) or self.model
            self.cwd = _text(payload.get("cwd")) or self.cwd
        elif kind in ("response_item", "compacted"):
            self.said += 1
            if self.prompt is None and payload.get("role") == "user":
                text = text_of(payload.get("content"))
                self.prompt = text if sanitised(text) else None


def _session(file: File, outline: _Outline, own_id: str) -> SessionFound:
    preview = sanitised(outline.prompt) if outline.prompt else None
    created_at = stamp(outline.meta.get("timestamp")) or outline.first_at
    told = outline.meta.get("git")
    told = told if isinstance(told, dict) else {}
    git = {"branch_at_start": _text(told.get("branch")), "head_at_start": _text(told.get("commit_hash"))}
    rest = {name: outline.meta[name] for name in ("originator", "cli_version", "source") if name in outline.meta}
    members: dict[str, Any] = {
        "id": usable_id(own_id),
        "external_ids": [own_id[:200]],
        "title": title_of(preview, own_id),
        "provider": _text(outline.meta.get("model_provider")) or "openai",
        "model": outline.model,
        "working_directory": _text(outline.meta.get("cwd")) or outline.cwd,
        "cwd": outline.cwd or _text(outline.meta.get("cwd")),
        "created_at": created_at,
        "last_accessed_at": outline.last_at or created_at,
        "first_prompt_preview": preview,
        "transcript_files": [{"path": str(Path(file.path).absolute())}],
        "git": git if any(git.values()) else None,
        "metadata": {"codex": rest} if rest else None,
    }
    fingerprints = fingerprints_of(outline.prompt, ())
    if fingerprints:
        members["fingerprints"] = fingerprints
    parent = _text(outline.meta.get("forked_from_id")) or _text(outline.meta.get("parent_thread_id"))
    return SessionFound(
        file=file.name,
        size_bytes=file.size_bytes,
        members={name: member for name, member in members.items() if member is not None},
        messages=partial(_messages, file),
        parent=parent if parent != own_id else None,
    )


def _messages(file: File) -> Iterator[Message | Skipped]:
    for line in read_lines(file):
        if isinstance(line, Skipped):
            yield line
            continue
        kind, payload = line.value.get("type"), line.value.get("payload")
        if isinstance(kind, str) and kind in _PASSED_OVER:
            continue
        if not isinstance(kind, str) or not isinstance(payload, dict):
            yield Skipped(file=file.name, line=line.number, reason="the line is no item of a rollout")
        elif kind not in _KINDS:
            yield Skipped(file=file.name, line=line.number, reason=f"items of the type {kind!r} are not known")
        else:
            yield message_of(file, line.number, _message(kind, payload, line.value), line.size_bytes)


def _message(kind: str, payload: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    role = payload.get("role") or _ROLES.get(str(payload.get("type")), "system")
    body = {"role": role, **payload, "timestamp": value.get("timestamp")}
    return body if kind == "response_item" else {**body, "type": kind}


def _uuid_of_name(name: str) -> str:
    """rollout-2026-11-21T06-20-31-<uuid>.jsonl: the last five groups."""
    stem = Path(name).stem
    return "-".join(stem.split("-")[-5:]) if stem.count("-") >= 5 else stem  # noqa: PLR2004  a UUID's groups


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
