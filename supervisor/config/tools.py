"""The tables `[tools.NAME]`: any names, the same members below each, judged as strictly as every other key.

`Config.tools` holds them merged and plain, so that they travel to the runtime as JSON; `tools_of` gives the values that
the runs actor works with.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from actors.running.tools import Limits, OutputFormat, Retry, Tool, expanded
from supervisor.config.tables import Problem, judged, passed_on

PLACEHOLDERS: Final = dict.fromkeys(("description", "task_id", "session_id", "result_path"), "x")

Text = Annotated[str, Meta(min_length=1)]
Positive = Annotated[float, Meta(gt=0)]
Bytes = Annotated[int, Meta(ge=1)]


class _Limits(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    wall_s: Positive | None = None
    silence_s: Positive | None = None
    linger_s: Positive | None = 30.0
    output_bytes: Bytes | None = None
    memory_bytes: Bytes | None = None
    files: Bytes | None = None


class _Retry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    exit_codes: tuple[int, ...] | None = None
    signals: bool = True
    is_error: bool = True
    timed_out: bool = False
    failed_to_start: bool = False


class _Tool(msgspec.Struct, forbid_unknown_fields=True):
    argv: Annotated[tuple[Text, ...], Meta(min_length=1)]
    resume: Annotated[tuple[Text, ...], Meta(min_length=1)] | None = None
    output: OutputFormat = "text"
    cwd: Text | None = None
    env: dict[str, str] = {}
    pass_env: tuple[Text, ...] = ()
    limits: _Limits = msgspec.field(default_factory=_Limits)
    retry: _Retry = msgspec.field(default_factory=_Retry)


def tools_of(tables: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]) -> dict[str, Tool]:
    """Return the tools by name; `environ` is where the variables of `pass_env` are taken from."""
    return {name: _tool(name, msgspec.convert(dict(table), _Tool), environ) for name, table in tables.items()}


def not_installed(tools: Mapping[str, Tool], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the tools whose command cannot be found, with it; agents get the PATH of `environ` unless a tool has one.

    A command that only the task knows, or that is meant from its working directory, cannot be judged before.
    """
    found: dict[str, str] = {}
    for name, tool in sorted(tools.items()):
        command = tool.argv[0]
        is_known = _words_in_braces(command) == [] and ("/" not in command or command.startswith("/"))
        if is_known and shutil.which(command, path=tool.env.get("PATH", environ.get("PATH"))) is None:
            found[name] = command
    return found


def told(missing: Mapping[str, str]) -> str:
    """Return what is not installed in words: `CODEX (codex), NANOCODER (nanocoder)`."""
    return ", ".join(f"{name} ({command})" for name, command in missing.items())


def problems_of(table: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with one tool's table."""
    tool, problems = judged(table, _Tool)
    yield from problems
    if tool is None:
        return
    for name, template in (("argv", tool.argv), ("resume", tool.resume or ())):
        for argument in template:
            yield from _placeholder_problems(name, argument)


def _placeholder_problems(name: str, argument: str) -> Iterator[Problem]:
    """An unknown {word} is most likely a slip; braces around anything else are the command's own."""
    rest = expanded([argument], PLACEHOLDERS)
    for word in _words_in_braces(rest[0] if rest else ""):
        near = difflib.get_close_matches(word, PLACEHOLDERS, n=1)
        if near:
            yield name, f"there is no placeholder {{{word}}}", near[0]


def _words_in_braces(text: str) -> list[str]:
    return [part.partition("}")[0] for part in text.split("{")[1:] if part.partition("}")[0].isidentifier()]


def _tool(name: str, given: _Tool, environ: Mapping[str, str]) -> Tool:
    exit_codes = given.retry.exit_codes
    return Tool(
        name=name,
        argv=given.argv,
        resume=given.resume,
        env={**passed_on(given.pass_env, environ), **given.env},
        cwd=given.cwd,
        output=given.output,
        limits=Limits(**msgspec.structs.asdict(given.limits)),
        retry=Retry(
            exit_codes=None if exit_codes is None else frozenset(exit_codes),
            signals=given.retry.signals,
            is_error=given.retry.is_error,
            timed_out=given.retry.timed_out,
            failed_to_start=given.retry.failed_to_start,
        ),
    )
