"""
What is kept of a child's exit: text, or a trace that becomes text; never the exception, which would keep data alive.

The one exception to that is `Exit.error`, which lives only until the supervisor has decided what to do.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from attrs import field, frozen

from supervisor.tree.rules import ExitKind
from supervisor.tree.trace import Trace

MESSAGE_CHARS_MAX = 2_000
"""Bounds what a crash loop can make logs and views hold; `trace` bounds its own text."""


@frozen(kw_only=True)
class CrashReport:
    """One abnormal exit, as text."""

    id: str
    """12 random hexadecimal digits."""
    path: str
    incarnation: int
    reason: str
    """`crashed`, `hung`, `start_timeout`, `cancelled`, `chaos` or `killed`."""
    exception_type: str
    message: str
    trace: Trace = field(eq=False, repr=False)
    uptime_s: float
    at: str
    """UTC, ISO 8601 with milliseconds and Z."""

    @property
    def traceback(self) -> str:
        """The formatted traceback and stacks; the first who asks waits for the sources to be read."""
        return self.trace.text


@frozen(kw_only=True)
class Exit:
    """How one incarnation of a child ended; `report` is there exactly when `kind` is ABNORMAL."""

    kind: ExitKind
    reason: str
    error: BaseException | None = None
    report: CrashReport | None = None
    excused: bool = False
    """The child said that this death was counted before (`ChildContext.excuse`)."""


def separate(thrown: BaseException) -> tuple[Exception | None, BaseException | None]:
    """
    Split what a child threw into (its error, what must go on): `Cancelled`, `KeyboardInterrupt`, `SystemExit` go on.

    A nursery that dies while it is cancelled throws a group of both kinds.
    """
    if isinstance(thrown, Exception):
        return sole(thrown), None
    if isinstance(thrown, BaseExceptionGroup):
        errors, rest = thrown.split(Exception)
        return (sole(errors) if errors else None), rest
    return None, thrown


def sole(error: Exception) -> Exception:
    """Unwrap what a nursery wrapped: the only exception in a group of one, otherwise the group."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Every exception in a group of groups; an exception by itself is its own leaf."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def message_of(error: BaseException) -> str:
    """`str(error)`, bounded, also when the exception's own `__str__` is broken."""
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001  whatever a stranger's __str__ raises must not hide the crash
        text = f"(its __str__ raised {type(broken).__name__})"
    return text[:MESSAGE_CHARS_MAX]


def utc_stamp(moment: datetime) -> str:
    """ISO 8601 with milliseconds and Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
