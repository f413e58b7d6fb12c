"""All checkers of record and evidence, in the order of the promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from supervisor.chaos import checks_commands, checks_readers, checks_runs
from supervisor.chaos.evidence import Evidence
from supervisor.chaos.record import Exchange
from supervisor.chaos.verdict import Verdict

Check = Callable[[Sequence[Exchange], Evidence], Verdict]

CHECKS: Final[tuple[Check, ...]] = (
    checks_commands.durable,
    checks_commands.atomic,
    checks_commands.once,
    checks_commands.invisible,
    checks_commands.told,
    checks_readers.read,
    checks_readers.followed,
    checks_readers.fenced,
    checks_runs.output,
)
