"""
Copies: the directory as a kill would leave it, damaged, recovered by `perdure doctor --repair`, compared.

The copy is made while every process that writes stands still. Before it is damaged its own journal is read: that is
what recovery is held against. An end of the journal that cannot be told from a torn one may be cut, but only with a
report; whatever else was there must be there, or be reported as lost. What was damaged must be found in `quarantine/`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

import attrs
import msgspec

from supervisor.chaos import damage
from supervisor.chaos.evidence import Address, Journal, read_journal
from supervisor.chaos.verdict import Promise, Verdict

_PASSING: Final = ("perdure.sock", "perdure.lock", "writer.lock", "spool", "perdure.log*")
"""What a copy does not need."""

_SECTIONS: Final = ("tasks", "sessions", "runs")

RECOVERED_WITHIN_S: Final = 300.0


@attrs.frozen
class Recovered:
    """What a recovery made of a copy."""

    code: int
    """The exit code of `perdure doctor --repair`."""
    report: Mapping[str, Any]
    rows: Mapping[Address, Mapping[str, Any]]


def copy_state(state_path: Path, copy: Path) -> None:
    """Copy the directory; whoever writes there must stand still."""
    shutil.copytree(state_path, copy, symlinks=True, ignore=shutil.ignore_patterns(*_PASSING))


def examine(copy: Path, acknowledged: Collection[str], whom: str, chance: int) -> list[Verdict]:
    """
    Damage a copy as `whom` says (`DAMAGE FILE`), recover it twice, and compare.

    `acknowledged` are keys of commands that were acknowledged before the copy was made.
    """
    journal = read_journal(copy)
    lost = [
        f"{copy.name}: a kill loses the acknowledged key {key!r}" for key in acknowledged if key not in journal.by_key
    ]
    durable = Verdict.of(Promise.DURABLE, len(acknowledged), lost)
    kind, _, file = whom.partition(" ")
    harmed = damage.inflict(copy, kind, file, Random(chance))
    first = recover(copy)
    again = recover(copy)
    what = f"{copy.name} ({harmed})"
    found = list(judge(first, again, journal, harmed))
    return [durable, Verdict.of(Promise.DAMAGE, 4 + len(journal.rows), [f"{what}: {text}" for text in found])]


def recover(copy: Path) -> Recovered:
    """Recover a directory as its user would."""
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", "doctor", "--repair", "--json", "--state-path", str(copy)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=RECOVERED_WITHIN_S,
        check=False,
    )
    try:
        report = json.loads(done.stdout)
    except ValueError:
        report = {"failed": done.stderr.decode(errors="replace")[-500:]}
    return Recovered(done.returncode, report, rows_of(copy))


def rows_of(state_path: Path) -> dict[Address, dict[str, Any]]:
    """Return the rows of a directory: those of state.json, moved on by the journal; nothing when there is no state."""
    try:
        state = json.loads((state_path / "state.json").read_bytes())
    except (OSError, ValueError):
        return {}
    base = {(section, row["id"]): _without_crc(row) for section in _SECTIONS for row in state[section]}
    rows = read_journal(state_path, base, state["seq"]).rows
    return {address: msgspec.json.decode(row.encoded) for address, row in rows.items() if address[0] in _SECTIONS}


def _without_crc(row: dict[str, Any]) -> bytes:
    return msgspec.json.encode({name: value for name, value in row.items() if name != "crc"})


def judge(first: Recovered, again: Recovered, journal: Journal, harmed: damage.Damage) -> Iterator[str]:
    """Yield what is wrong with a recovery and the one after it."""
    report = first.report
    if "failed" in report or first.code not in {0, 1}:
        yield f"doctor --repair ended with {first.code}: {report.get('failed', '')}"
        return
    if again.rows != first.rows:
        yield "recovering it twice gives something else"
    if not report["ok"] or again.report["repaired"]:
        yield "after it was repaired there is still something to repair"
    # A row that was changed although changes before it are lost is put together, and said to be.
    unproven = {(one["table"], one["id"]) for one in (report["recovery"] or {}).get("rows_unproven", ())}
    differing = list(_differing({at: row for at, row in first.rows.items() if at not in unproven}, journal, unproven))
    wrong = [text for text, is_wrong in differing if is_wrong]
    yield from wrong[:5]
    told = bool(report["repaired"] or report["lost"])
    missing = [text for text, is_wrong in differing if not is_wrong]
    if missing and not harmed.may_lose:
        yield f"{missing[0]}, though nothing that was damaged is the only place of anything ({len(missing)} in all)"
    elif missing and not told:
        yield f"{missing[0]}, and no report says so ({len(missing)} in all)"
    if harmed.must_be_told and not told:
        yield "the damage is not reported"
    if not harmed.is_kept():
        yield "the damaged bytes are neither in their place nor in quarantine"


def _differing(
    rows: Mapping[Address, Mapping[str, Any]], journal: Journal, unproven: Collection[Address]
) -> Iterator[tuple[str, bool]]:
    """Yield how the recovered rows differ from what they were, and whether that is a state that never was."""
    for address, row in rows.items():
        if address in journal.versions and row["rev"] not in journal.versions[address]:
            yield f"{address[1]} has rev {row['rev']}, which it never had", True
        elif address not in journal.versions:
            yield f"{address[1]} was never made", True
        elif (was := journal.row_at(address, row["rev"])) != row:
            names = [name for name in {*row, *(was or {})} if row.get(name) != (was or {}).get(name)]
            yield f"{address[1]} at rev {row['rev']} has another {', '.join(sorted(names))}", True
        elif address not in journal.rows:
            yield f"{address[1]} was deleted and is back", False
        elif row["rev"] < journal.rows[address].rev:
            yield f"{address[1]} went back from rev {journal.rows[address].rev} to {row['rev']}", False
    for address in journal.rows:
        if address[0] in _SECTIONS and address not in rows and address not in unproven:
            yield f"{address[1]} is lost", False
