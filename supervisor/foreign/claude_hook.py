"""
What Claude Code tells its hooks, as `session.seen` takes it.

A hook gets `{"session_id", "transcript_path", "cwd", "hook_event_name", …}` on standard input. The beginning and the
end of the transcript say the rest: whom its first message answers, where it ends, what was asked first. Both are read
within a bound, because a transcript may have gigabytes and a hook has no time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from actors.model.preview import LINEAGE_PREFIX_UUIDS, fingerprints_of, sanitised
from supervisor.foreign.content import text_of
from supervisor.foreign.git_context import git_context

PART_BYTES: Final = 256 << 10
"""Of the transcript's beginning, and of its end."""

_SAID: Final = frozenset({"user", "assistant", "system"})


class NotAHook(Exception):
    """What came on standard input is nothing that Claude Code tells a hook; the text says why."""


def sighting(text: bytes, *, store_first_prompt: bool) -> dict[str, Any]:
    """Return the parameters of `session.seen`. Raises NotAHook."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotAHook(f"it is not JSON: {error}") from None
    if not isinstance(told, dict):
        raise NotAHook("it is no JSON object")
    external_id = told.get("session_id")
    if not isinstance(external_id, str) or not external_id or len(external_id) > 200:  # noqa: PLR2004  as any id
        raise NotAHook("session_id is missing")
    params: dict[str, Any] = {"external_id": external_id, "store_first_prompt": store_first_prompt}
    cwd = told.get("cwd")
    if isinstance(cwd, str) and cwd:
        params["cwd"] = cwd
        params["git"] = git_context(cwd)
    path = told.get("transcript_path")
    prompt = told.get("prompt") if isinstance(told.get("prompt"), str) else None
    if isinstance(path, str) and path:
        params["transcript"], params["fingerprints"], first = _transcript(os.path.expanduser(path))  # noqa: PTH111
        prompt = first or prompt
        if not params["fingerprints"]:
            params["fingerprints"] = fingerprints_of(prompt, ())
    if store_first_prompt and prompt and (preview := sanitised(prompt)):
        params["first_prompt_preview"] = preview
    return {name: value for name, value in params.items() if value not in ({}, None)}


def _transcript(path: str) -> tuple[dict[str, Any], dict[str, str], str | None]:
    """Return what is known of the file, its fingerprints, and the first prompt."""
    transcript: dict[str, Any] = {"path": path}
    uuids: list[str] = []
    prompt: str | None = None
    try:
        with Path(path).open("rb") as stream:
            for line in _lines(_head(stream)):
                if not uuids and isinstance(line.get("parentUuid"), str):
                    transcript["first_parent_uuid"] = line["parentUuid"]
                if isinstance(line.get("uuid"), str) and len(uuids) < LINEAGE_PREFIX_UUIDS:
                    uuids.append(line["uuid"])
                if prompt is None:
                    prompt = _prompt(line)
            last = [line["uuid"] for line in _lines(_tail(stream)) if isinstance(line.get("uuid"), str)]
    except (OSError, ValueError):  # the second: a text that can be no path
        return transcript, {}, None
    if uuids:
        transcript["first_uuid"] = uuids[0]
    if last:
        transcript["last_uuid"] = last[-1]
    return transcript, fingerprints_of(prompt, uuids), prompt


def _head(stream: BinaryIO) -> bytes:
    """The whole lines at the beginning."""
    part = stream.read(PART_BYTES)
    return part if len(part) < PART_BYTES else part[: part.rfind(b"\n") + 1]


def _tail(stream: BinaryIO) -> bytes:
    """The whole lines at the end."""
    size = stream.seek(0, os.SEEK_END)
    start = max(0, size - PART_BYTES)
    stream.seek(start)
    part = stream.read(PART_BYTES)
    return part if start == 0 else part[part.find(b"\n") + 1 :]


def _lines(part: bytes) -> Iterator[dict[str, Any]]:
    for line in part.split(b"\n"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("type"), str) and value["type"] in _SAID:
            yield value


def _prompt(line: dict[str, Any]) -> str | None:
    said = line.get("message")
    if line["type"] != "user" or line.get("isMeta") or not isinstance(said, dict):
        return None
    text = text_of(said.get("content"))
    return text if sanitised(text) else None
