"""The checkers of those who read: queries, followers, and workers with their leases. Pure, one per promise."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from supervisor.chaos.evidence import Address, Evidence
from supervisor.chaos.record import Exchange
from supervisor.chaos.shown import compared, named, rows_of
from supervisor.chaos.verdict import Promise, Verdict
from supervisor.wire.names import MUTATING


def read(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """Whatever a query showed is in the journal for good; no query shows less than was acknowledged or shown before."""
    violations: list[str] = []
    queries = [one for one in record if one.method not in MUTATING and one.answered_s is not None]
    shown = 0
    for one in queries:
        for address, row in rows_of(one):
            shown += 1
            violations += compared(f"{named(one)} showed", address, row, evidence.journal)
        if one.method == "runtime.ping" and one.acknowledged and one.result["seq"] > evidence.journal.seq:
            violations.append(
                f"{named(one)} told of seq {one.result['seq']}, the journal ends at {evidence.journal.seq}"
            )
    violations += _went_back(record)
    return Verdict.of(Promise.READ, shown + len(queries), violations)


def followed(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """Each follower was told of every line that it asked for, once and in order, with the journal's facts."""
    del record  # what clients asked does not matter here
    violations = []
    lines = 0
    for name, kinds, told_lines in ((name, *_split(lines)) for name, lines in evidence.followed.items()):
        wanted = [
            (line.seq, facts)
            for line in evidence.journal.lines
            if (facts := [[fact.op, fact.id, fact.rev] for fact in line.facts if _is_wanted(fact.op, kinds)])
        ]
        heard = [(line["seq"], line["facts"]) for line in told_lines]
        wanted = wanted[: bisect.bisect_right(wanted, heard[-1][0], key=lambda one: one[0])] if heard else wanted
        lines += len(wanted)
        if heard != wanted:
            violations.append(f"{name} {_difference(heard, wanted)}")
    return Verdict.of(Promise.FOLLOWED, lines, violations)


def fenced(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """A later claim has a higher lease; whoever has an older one than the task was given is refused."""
    claims = [one for one in record if one.method == "task.claim" and one.acknowledged and one.result is not None]
    claims = [one for one in claims if "repeats" not in one.marks]
    violations = []
    highest = 0
    by_answer = sorted(claims, key=lambda one: one.answered_s or 0.0)
    place = 0
    for one in sorted(claims, key=lambda one: one.sent_s):
        while place < len(by_answer) and (by_answer[place].answered_s or 0.0) < one.sent_s:
            highest = max(highest, by_answer[place].result["lease"])
            place += 1
        if one.result["lease"] <= highest:
            violations.append(f"{named(one)} was given the lease {one.result['lease']} after {highest}")
    given = Counter(one.result["lease"] for one in claims)
    violations += [f"the lease {lease} was given {count} times" for lease, count in given.items() if count > 1]
    violations += _stale_uses(record, claims)
    last = 0
    for line in evidence.journal.lines:
        for fact in line.facts:
            if fact.op == "task.claimed":
                if fact.members()["lease"] <= last:
                    violations.append(f"line {line.seq} gives the lease {fact.members()['lease']} after {last}")
                last = fact.members()["lease"]
    return Verdict.of(Promise.FENCED, len(claims), violations)


def _went_back(record: Sequence[Exchange]) -> Iterator[str]:
    """Yield the queries that showed less than had been acknowledged or shown before they were asked."""
    known: dict[Address, int] = {}
    seq = 0
    answers = sorted((one for one in record if one.acknowledged), key=lambda one: one.answered_s or 0.0)
    place = 0
    for one in sorted((one for one in record if one.acknowledged), key=lambda one: one.sent_s):
        while place < len(answers) and (answers[place].answered_s or 0.0) < one.sent_s:
            for address, row in rows_of(answers[place]):
                known[address] = max(known.get(address, 0), row["rev"])
            if answers[place].method == "runtime.ping":
                seq = max(seq, answers[place].result["seq"])
            place += 1
        if one.method in MUTATING:
            continue
        for address, row in rows_of(one):
            if row["rev"] < known.get(address, 0):
                yield f"{named(one)} showed {address[1]} at rev {row['rev']} after rev {known[address]}"
        if one.method == "runtime.ping" and one.result["seq"] < seq:
            yield f"{named(one)} told of seq {one.result['seq']} after {seq}"


def _stale_uses(record: Sequence[Exchange], claims: Sequence[Exchange]) -> Iterator[str]:
    """Yield what was done with a lease after the same task had been given a higher one."""
    by_task: dict[str, list[Exchange]] = defaultdict(list)
    for claim in claims:
        by_task[claim.result["id"]].append(claim)
    for one in record:
        lease = one.params.get("lease")
        if one.method not in {"task.complete", "task.release"} or lease is None or not one.acknowledged:
            continue
        for claim in by_task.get(one.params["id"], ()):
            if claim.result["lease"] > lease and (claim.answered_s or 0.0) < one.sent_s and "repeats" not in one.marks:
                yield f"{named(one)} was accepted with the lease {lease} after {claim.result['lease']} was given"


def _split(lines: Sequence[Any]) -> tuple[tuple[str, ...], list[Any]]:
    """The kinds that a follower asked for (the first entry of its record), and what it was told."""
    if lines and "kinds" in lines[0]:
        return tuple(lines[0]["kinds"]), list(lines[1:])
    return (), list(lines)


def _is_wanted(op: str, kinds: Iterable[str]) -> bool:
    kinds = tuple(kinds)
    return not kinds or any(op == kind or (kind.endswith("*") and op.startswith(kind[:-1])) for kind in kinds)


def _difference(heard: list[tuple[int, Any]], wanted: list[tuple[int, Any]]) -> str:
    place = next((n for n, (one, other) in enumerate(zip(heard, wanted, strict=False)) if one != other), None)
    if place is None:
        return f"was told of {len(heard)} lines, there are {len(wanted)}"
    return f"was told of line {heard[place][0]} where line {wanted[place][0]} was due, or of it otherwise"
