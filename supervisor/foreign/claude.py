"""
Claude Code: transcripts `<session id>.jsonl` below `~/.claude/projects`, or below any directory that is given.

A line is an event of the session. What a user, the assistant or the system said is a message, kept as it is with the
inner `message` laid out flat, so that its role, its content and its tool calls stand where those of any message stand.
Lines of other kinds (summaries, snapshots of files, progress) are no messages; how many there were is noted. The
transcript of a sub-agent has the session that started it as its parent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from actors.model.errors import InvalidParams
from actors.model.ids import session_id
from actors.model.preview import LINEAGE_PREFIX_UUIDS, fingerprints_of, sanitised
from supervisor.foreign.content import text_of
from supervisor.foreign.lines import files_below, read_lines
from supervisor.foreign.members import message_of, stamp, title_of, usable_id
from supervisor.foreign.values import File, Found, Line, Message, Note, SessionFound, Skipped

SAID: Final = frozenset({"user", "assistant", "system"})
"""Types of lines that are messages."""

_LOOKED_AT: Final = 50
"""Lines that show whether a file is a transcript."""


def files(directory: Path) -> list[File]:
    """The transcripts."""
    return files_below(directory, ".jsonl")


def looks_like(directory: Path) -> bool:
    """Whether transcripts lie there."""
    return any(_is_transcript(file) for file in files(directory)[:20])


def read(directory: Path) -> Iterator[Found]:
    """Yield the sessions, by file name."""
    for file in files(directory):
        outline = _Outline()
        for line in read_lines(file):
            if isinstance(line, Line):
                outline.take(line.value)
        if not outline.said:
            yield Skipped(file=file.name, reason="it holds no messages of a transcript")
            continue
        yield from _session(file, outline)


@define
class _Outline:
    """What a transcript says of its session: found by reading it once, with nothing of it held."""

    said: int = 0
    first: dict[str, Any] = field(factory=dict)
    """The first value that each member had."""
    last: dict[str, Any] = field(factory=dict)
    model: str | None = None
    title: str | None = None
    summary: str | None = None
    prompt: str | None = None
    uuids: list[str] = field(factory=list)
    """The first few."""
    others: Counter[str] = field(factory=Counter)

    def take(self, value: dict[str, Any]) -> None:
        kind = value.get("type")
        if not isinstance(kind, str) or kind not in SAID:
            self._take_other(kind, value)
            return
        self.said += 1
        for name in ("timestamp", "uuid", "sessionId", "cwd", "gitBranch", "version"):
            if isinstance(value.get(name), str) and value[name]:
                self.first.setdefault(name, value[name])
                self.last[name] = value[name]
        if len(self.uuids) < LINEAGE_PREFIX_UUIDS and isinstance(value.get("uuid"), str):
            self.uuids.append(value["uuid"])
        self.first.setdefault("parentUuid", value.get("parentUuid"))
        self.first.setdefault("isSidechain", value.get("isSidechain") is True)
        said = value.get("message")
        if not isinstance(said, dict):
            return
        model = said.get("model")
        if kind == "assistant" and isinstance(model, str) and model and not model.startswith("<"):
            self.model = model
        if kind == "user" and self.prompt is None and not value.get("isMeta"):
            text = text_of(said.get("content"))
            self.prompt = text if sanitised(text) else None

    def _take_other(self, kind: Any, value: dict[str, Any]) -> None:
        if not isinstance(kind, str):
            return
        self.others[kind] += 1
        if kind == "summary" and isinstance(value.get("summary"), str):
            self.summary = value["summary"]
        for name in ("customTitle", "aiTitle"):
            if isinstance(value.get(name), str) and value[name].strip():
                self.title = value[name]


def _session(file: File, outline: _Outline) -> Iterator[Found]:
    own_id, external_ids = _ids(file, outline)
    preview = sanitised(outline.prompt) if outline.prompt else None
    created_at = stamp(outline.first.get("timestamp"))
    git = {"branch_at_start": outline.first.get("gitBranch"), "branch": outline.last.get("gitBranch")}
    transcript = {
        "path": str(Path(file.path).absolute()),
        "first_uuid": outline.first.get("uuid"),
        "last_uuid": outline.last.get("uuid"),
    }
    members: dict[str, Any] = {
        "id": own_id,
        "external_ids": external_ids,
        "title": title_of(outline.title, outline.summary, preview, own_id),
        "provider": "anthropic",
        "model": outline.model,
        "working_directory": outline.first.get("cwd"),
        "cwd": outline.last.get("cwd"),
        "created_at": created_at,
        "last_accessed_at": stamp(outline.last.get("timestamp")) or created_at,
        "first_prompt_preview": preview,
        "transcript_files": [transcript],
        "git": git if any(git.values()) else None,
        "metadata": {"claude": {"version": outline.last.get("version"), "project": Path(file.path).parent.name}},
    }
    fingerprints = fingerprints_of(outline.prompt, outline.uuids)
    if fingerprints:
        members["fingerprints"] = fingerprints
    parent = outline.first.get("sessionId")
    yield SessionFound(
        file=file.name,
        size_bytes=file.size_bytes,
        members={name: member for name, member in members.items() if member is not None},
        messages=partial(_messages, file),
        parent=parent if parent != own_id and outline.first.get("isSidechain") else None,
    )
    if outline.others:
        kinds = ", ".join(f"{number} of {kind}" for kind, number in sorted(outline.others.items()))
        yield Note(text=f"{file.name}: lines that are no messages were passed over: {kinds}")


def _ids(file: File, outline: _Outline) -> tuple[str, list[str]]:
    """Return the session's id and all its names: the file's where that is a UUID or a sub-agent's, else its lines'."""
    stem = Path(file.name).stem
    said = outline.first.get("sessionId")
    if _is_uuid(stem):
        return stem, [stem]
    if stem.startswith("agent-") or not isinstance(said, str):
        return usable_id(stem), [stem[:200]]
    return usable_id(said), list(dict.fromkeys([said[:200], stem[:200]]))


def _messages(file: File) -> Iterator[Message | Skipped]:
    for line in read_lines(file):
        if isinstance(line, Skipped):
            yield line
        elif _is_said(line.value):
            yield message_of(file, line.number, _flat(line.value), line.size_bytes)
        elif not isinstance(line.value.get("type"), str):
            yield Skipped(file=file.name, line=line.number, reason="the line says no type")


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    said = value.get("message")
    if isinstance(said, dict):
        inner = said
    else:
        inner = {"role": value["type"], **({"content": said} if isinstance(said, str) else {})}
    return {**inner, **{name: member for name, member in value.items() if name != "message"}}


def _is_said(value: dict[str, Any]) -> bool:
    kind = value.get("type")
    return isinstance(kind, str) and kind in SAID


def _is_transcript(file: File) -> bool:
    for number, line in enumerate(read_lines(file)):
        if isinstance(line, Line) and _is_said(line.value) and "sessionId" in line.value:
            return True
        if number == _LOOKED_AT:
            break
    return False


def _is_uuid(text: str) -> bool:
    try:
        session_id(text)
    except InvalidParams:
        return False
    return True
