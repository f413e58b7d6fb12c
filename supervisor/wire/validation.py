"""Raw parameters become a method's struct here, once; afterwards their types are trusted.

Types are strict: no "5" for 5, no 1.9 for 1. When something is wrong all of it is told at once: the quick conversion
stops at the first violation, so a second, slow walk then judges each member by itself, along the same annotations.
Ids and times are texts that have to be more than that: their own judges (`actors.messages.bounds`) are asked in the
walk, and, for those outside lists of entries, after the quick conversion too.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Final, Union

import msgspec
import orjson
from msgspec import Struct, UnsetType

from actors.decisions.batch import Step, Steps
from actors.messages.bounds import JUDGE, Params
from actors.messages.tasks import BatchApply
from actors.model.errors import InvalidParams, UnknownMethod
from actors.model.ids import KEY_BYTES_MAX
from supervisor.wire.methods import IN_A_BATCH, METHODS, Method

VIOLATIONS_MAX: Final = 100
"""More of them in one reply help nobody."""

_AT: Final = re.compile(r"(?P<what>.*) - at `\$(?P<where>.*)`", re.DOTALL)
_KEY: Final = "idempotency_key"

Violations = list[dict[str, str]]
Judge = Callable[[str, str], object]


def method_named(name: str) -> Method:
    """Return the row of the method called `name`; raise UnknownMethod naming the nearest one there is."""
    row = METHODS.get(name)
    if row is not None:
        return row
    near = difflib.get_close_matches(name[:100], METHODS, n=1)
    hint = f"did you mean {near[0]}?" if near else None
    raise UnknownMethod(f"there is no method {name[:100]!r}", hint=hint)


def take_key(method: Method, params: dict[str, Any]) -> str | None:
    """Take the idempotency key out of `params` and return it; raise InvalidParams when it cannot be a key.

    A method that changes nothing takes none: there it stays in, as an unknown parameter.
    """
    if not method.mutates:
        return None
    key = params.pop(_KEY, None)
    if key is None:
        return None
    if not isinstance(key, str) or len(key.encode()) > KEY_BYTES_MAX:
        wrong = [_violation(_KEY, f"a key is a text of at most {KEY_BYTES_MAX} bytes")]
        raise _invalid(method.name, wrong + _violations(params, method.params, ""))
    return key


def validate(method: Method, params: dict[str, Any]) -> Params | Steps:
    """Return the method's struct made from `params`; raise InvalidParams with every violation there is.

    A batch becomes Steps: its commands with their own methods' structs.
    """
    try:
        struct = _struct(params, method.params)
    except (msgspec.ValidationError, InvalidParams) as error:
        raise _invalid(method.name, _all(params, method.params, "", error)) from None
    if type(struct) is BatchApply:
        return _validated_commands(struct)
    return struct


def digest(method: str, params: dict[str, Any]) -> str:
    """Return what a keyed command asks for as a short text: equal for equal parameters in any order of members."""
    canonical = orjson.dumps(params, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(b"%b %b" % (method.encode(), canonical), digest_size=16).hexdigest()


def _validated_commands(batch: BatchApply) -> Steps:
    """Return the batch's commands, each with its parameters as the struct of its method."""
    steps: list[Step] = []
    found: Violations = []
    for number, command in enumerate(batch.commands):
        path = f"commands[{number}]"
        row = METHODS.get(command.method)
        if row is None or row.name not in IN_A_BATCH:
            found.append(_violation(f"{path}.method", f"{command.method[:100]!r} is no method for a batch"))
            continue
        try:
            steps.append(Step(row.name, _struct(command.params, row.params)))
        except (msgspec.ValidationError, InvalidParams) as error:
            found += _all(command.params, row.params, f"{path}.params", error)
    if found:
        raise _invalid("batch.apply", found)
    return Steps(tuple(steps))


def _struct(params: Any, wanted: type[Params]) -> Params:
    """Return the struct; raise ValidationError or InvalidParams for the first thing that is wrong."""
    struct = msgspec.convert(params, wanted)
    _judge(struct)
    return struct


def _judge(struct: Struct) -> None:
    """Ask the judges of a struct's texts, and of those in the structs that it holds."""
    for name, judge in _judged(type(struct)):
        value = getattr(struct, name)
        if value is None:
            continue
        if judge is None:
            _judge(value)
        elif isinstance(value, str):
            judge(value, name)
        elif isinstance(value, tuple):
            for item in value:
                judge(item, name)


@cache
def _judged(struct: type[Struct]) -> tuple[tuple[str, Judge | None], ...]:
    """Return the members that have a judge, and those, with None, that are structs and always there."""
    found: list[tuple[str, Judge | None]] = []
    for field in msgspec.structs.fields(struct):
        judge = _judge_of(field.type)
        if judge is not None or (isinstance(field.type, type) and issubclass(field.type, Struct)):
            found.append((field.name, judge))
    return tuple(found)


def _judge_of(wanted: Any) -> Judge | None:
    """Return the judge of a text, of a text or nothing, or of each text in a list."""
    parts = typing.get_args(wanted)
    for meta in parts[1:]:
        if isinstance(meta, msgspec.Meta) and meta.extra is not None and JUDGE in meta.extra:
            found: Judge = meta.extra[JUDGE]
            return found
    return next((judge for part in parts if (judge := _judge_of(part)) is not None), None)


def _all(params: Any, wanted: type[Params], path: str, error: msgspec.ValidationError | InvalidParams) -> Violations:
    """Return every violation there is; the `error` that told of the first is the fallback."""
    found = _violations(params, wanted, path)
    if found:
        return found
    return [_told(path, error)] if isinstance(error, msgspec.ValidationError) else error.details["violations"]


def _violations(value: Any, wanted: Any, path: str) -> Violations:
    """Return what is wrong with `value` at `path` and inside it; empty when it is what is `wanted`."""
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        return _inside(value, wanted, path) or [_told(path, error)]
    judge = _judge_of(wanted) if isinstance(value, str) else None
    if judge is None:
        return _inside(value, wanted, path)
    try:
        judge(value, path)
    except InvalidParams as error:
        violations: Violations = error.details["violations"]
        return violations
    return []


def _inside(value: Any, wanted: Any, path: str) -> Violations:
    """Return the violations of the members or items of `value`, as far as `wanted` describes any."""
    found: Violations = []
    for option in _options(wanted):
        if isinstance(value, dict) and isinstance(option, type) and issubclass(option, Struct):
            found += _of_members(value, option, path)
        elif isinstance(value, list) and typing.get_origin(option) in (tuple, list):
            item_type = typing.get_args(option)[0]
            for number, item in enumerate(value):
                found += _violations(item, item_type, f"{path}[{number}]")
                if len(found) >= VIOLATIONS_MAX:
                    break
    return found


def _of_members(value: Mapping[str, Any], struct: type[Struct], path: str) -> Violations:
    found: Violations = []
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name, field in fields.items():
        at = f"{path}.{name}" if path else name
        if name in value:
            found += _violations(value[name], field.type, at)
        elif field.required:
            found.append(_violation(at, "this parameter is required"))
    for name in value:
        if name not in fields:
            shown = name[:100]
            near = difflib.get_close_matches(shown, fields, n=1)
            advice = f"; did you mean {near[0]}?" if near else ""
            found.append(_violation(f"{path}.{shown}" if path else shown, f"unknown parameter{advice}"))
        if len(found) >= VIOLATIONS_MAX:
            break
    return found


def _options(wanted: Any) -> list[Any]:
    """Return the plain types that `wanted` allows, its bounds left out."""
    if typing.get_origin(wanted) is Annotated:
        return _options(typing.get_args(wanted)[0])
    if typing.get_origin(wanted) in (Union, types.UnionType):
        return [option for part in typing.get_args(wanted) if part is not UnsetType for option in _options(part)]
    return [wanted]


def _told(path: str, error: msgspec.ValidationError) -> dict[str, str]:
    """Return a violation from msgspec's words, with its place put after ours."""
    text = str(error)
    match = _AT.fullmatch(text)
    what, where = (match["what"], match["where"]) if match else (text, "")
    return _violation((path + where).removeprefix("."), what.replace("`", ""))


def _violation(path: str, message: str) -> dict[str, str]:
    return {"path": path, "message": message}


def _invalid(method: str, violations: Violations) -> InvalidParams:
    violations = violations[:VIOLATIONS_MAX]
    first = "; ".join(f"{one['path'] or 'params'}: {one['message']}" for one in violations[:3])
    more = f" (and {len(violations) - 3} more)" if len(violations) > 3 else ""  # noqa: PLR2004 - as many as are shown
    return InvalidParams(f"{method}: {first}{more}", violations=violations)
