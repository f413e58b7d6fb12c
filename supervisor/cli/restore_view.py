"""How a restore looks: what will be done, and what was done. Pure functions from JSON values."""

from collections.abc import Mapping
from typing import Any, Final

from supervisor.cli.paper import GOOD, PLAIN, WARNING, Cell, Table, facts
from supervisor.cli.words import counted, local_time, one_line, scalar

Report = Mapping[str, Any]

LISTED_MAX: Final = 10
"""Of a long list people see so many; --json has all."""

_PARTS: Final = (("restored", "change"), ("remade", "come back"), ("removed", "go"))
_TENSES: Final = {"change": "changed", "come back": "came back", "go": "gone"}


def restored(report: Report) -> list[Table]:
    """What a restore did or would do."""
    done = bool(report.get("done"))
    to = f"seq {scalar(report.get('to_seq'))}"
    if report.get("to_time"):
        to += f", {local_time(report['to_time'])}"
    pairs: list[tuple[str, str | Cell]] = [("to", to), ("from", f"seq {scalar(report.get('from_seq'))}")]
    if not report.get("facts"):
        return [facts([*pairs, ("result", Cell("everything is as it was then: nothing to do", GOOD))])]
    for part, verb in _PARTS:
        for table, ids in (report.get(part) or {}).items():
            name = _TENSES[verb] if done else f"would {verb}"
            pairs.append((name, f"{counted(len(ids), str(table).removesuffix('s'))}: {_listed(ids)}"))
    if ended := report.get("runs_ended"):
        pairs.append(("ended" if done else "would end", f"{counted(len(ended), 'run')}: {_listed(ended)}"))
    incomplete = report.get("incomplete") or ()
    pairs += [("incomplete", Cell(one_line(str(text)), WARNING)) for text in incomplete[:LISTED_MAX]]
    if len(incomplete) > LISTED_MAX:
        pairs.append(("", Cell(f"and {len(incomplete) - LISTED_MAX} more; --json lists them", PLAIN)))
    if done:
        pairs.append(("result", Cell(f"restored, as seq {scalar(report.get('seq'))}", GOOD)))
        back = f"perdure restore --seq {scalar(report.get('from_seq'))} takes it back; kept in {report.get('kept_in')}"
        pairs.append(("before", back))
    return [facts(pairs)]


def _listed(ids: list[str]) -> str:
    more = f", and {len(ids) - LISTED_MAX} more" if len(ids) > LISTED_MAX else ""
    return one_line(", ".join(ids[:LISTED_MAX])) + more
