"""
The checkers of commands: from the clients' record and the evidence to a verdict, one per promise.

They are pure, and each looks at one promise only, so that a planted violation can show that it looks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from supervisor.chaos.evidence import Evidence, Journal
from supervisor.chaos.moves_records import BATCH
from supervisor.chaos.record import Exchange
from supervisor.chaos.shown import TABLES, compared, lines_of, named, row_of, wants_line
from supervisor.chaos.verdict import Promise, Verdict

OPEN_KINDS: Final = ("storage_failed", "read_only", "overloaded")
"""Errors that say: again, with the same key."""
CRASHES: Final = 2
"""After so many a command is taken for what crashes its actor."""


def durable(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """Every acknowledged command has its line in the journal, and what is live is what the journal adds up to."""
    journal = evidence.journal
    asked = [one for one in record if one.acknowledged and wants_line(one)]
    violations = [
        f"{named(one)} was acknowledged and is not in the journal" for one in asked if not lines_of(one, journal)
    ]
    for one in asked:
        if "repeats" not in one.marks:
            for address, row in row_of(one):
                violations += compared(f"{named(one)} was answered with", address, row, journal)
    violations += journal.holes
    seqs = [line.seq for line in journal.lines]
    if seqs != list(range(1, len(seqs) + 1)):
        violations.append("the journal's lines are not numbered 1, 2, 3 …")
    for address, row in evidence.live.items():
        violations += compared("there is", address, row, journal)
        if row["rev"] != journal.last_revs.get(address):
            violations.append(f"{address[1]} has rev {row['rev']}, the journal {journal.last_revs.get(address)}")
    there = [address for address in journal.rows if address[0] in TABLES]
    violations += [
        f"{address[1]} is in the journal and nowhere else" for address in there if address not in evidence.live
    ]
    texts = _texts_kept(record, evidence)
    violations += texts.violations
    return Verdict.of(Promise.DURABLE, len(asked) + len(seqs) + len(there) + texts.checks, violations)


def atomic(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """All facts of a batch are one line; of a refused one there are none; no list shows part of one."""
    journal = evidence.journal
    where = defaultdict(set)
    for line in journal.lines:
        for fact in line.facts:
            if fact.op == "task.created":
                where[fact.id].add(line.seq)
    violations = []
    batches = [one for one in record if one.method == "batch.apply" and one.answered_s is not None]
    for one in batches:
        ids = [command["params"]["id"] for command in one.params["commands"] if command["method"] == "task.create"]
        seqs = [where[task_id] for task_id in ids]
        if one.error is not None and any(seqs):
            violations.append(f"{named(one)} was refused ({one.error}), and some of it is there")
        elif one.error is None and (any(len(found) != 1 for found in seqs) or len(set.union(*seqs)) != 1):
            violations.append(f"{named(one)} was acknowledged, and is not one line")
    pages = [one for one in record if one.method == "task.list" and one.acknowledged]
    for one in pages:
        violations += _parts(one, record)
    return Verdict.of(Promise.ATOMIC, len(batches) + len(pages), violations)


def once(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """Each key has at most one line; a repeat is answered with the same row; texts that were given once stand once."""
    journal = evidence.journal
    violations = [
        f"the key of {lines[0].method} {key!r} has {len(lines)} lines: {[line.seq for line in lines]}"
        for key, lines in journal.by_key.items()
        if len(lines) > 1
    ]
    asked = {(one.client, one.number): one for one in record}
    repeats = [one for one in record if "repeats" in one.marks and one.answered_s is not None]
    for one in repeats:
        first = asked[one.client, one.marks["repeats"]]
        if one.error is None and not _same_rows(one, first, journal):
            violations.append(f"{named(one)} repeats number {first.number} and was answered with another row")
    abuses = [one for one in record if "abuses" in one.marks and one.answered_s is not None]
    violations += [
        f"{named(one)} used an old key for something else and was not refused"
        for one in abuses
        if one.error != "conflict"
    ]
    said = _said(evidence)
    violations += [f"{text!r} stands there {count} times" for text, count in said.items() if count > 1]
    return Verdict.of(Promise.ONCE, len(journal.by_key) + len(repeats) + len(abuses) + len(said), violations)


def invisible(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """No client sees an error that it had not to expect; `actor_crashed` only of what met two crashes, and then not."""
    violations = []
    for one in record:
        if one.error is None or one.error in one.allowed:
            continue
        if one.error == "actor_crashed":
            struck = _between(evidence.blows_s, one.sent_s, one.answered_s or 0.0)
            if lines_of(one, evidence.journal):
                violations.append(f"{named(one)} was answered with actor_crashed and is in the journal")
            elif struck < CRASHES:
                violations.append(f"{named(one)} was answered with actor_crashed after {struck} blows")
        else:
            violations.append(f"{named(one)} was answered with {one.error}")
    unanswered = _unanswered(record)
    violations += [f"{named(one)} was never answered" for one in unanswered]
    return Verdict.of(Promise.INVISIBLE, len(record), violations)


def told(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """What was told to be open and was sent again took effect once if it was acknowledged, not at all if refused."""
    open_ones = [one for one in record if one.told and one.answered_s is not None]
    violations = []
    for one in open_ones:
        number = len(lines_of(one, evidence.journal))
        if one.acknowledged and wants_line(one) and number != 1:
            violations.append(f"{named(one)} was told {one.told[0]}, then acknowledged, and has {number} lines")
        elif one.error is not None and number and one.error not in OPEN_KINDS:
            violations.append(f"{named(one)} was told {one.told[0]}, then refused, and is in the journal")
    return Verdict.of(Promise.TOLD, len(open_ones), violations)


def _same_rows(again: Exchange, first: Exchange, journal: Journal) -> bool:
    """Whether a repeat was answered with the rows of the first time; those that were deleted since are null."""
    gone = {row_id for _, row_id in journal.gone}
    pairs = zip(_ids(again.result), _ids(first.result), strict=True)
    return all(now == then or (now is None and (then in gone or _may_leave(first))) for now, then in pairs)


def _may_leave(one: Exchange) -> bool:
    """Whether its row is in a cache that forgets the oldest: that of the events."""
    return one.method in {"event.record", "batch.apply"}


def _ids(result: Any) -> list[str | None]:
    rows = result["results"] if isinstance(result, dict) and "results" in result else [result]
    return [row.get("id") if isinstance(row, dict) else None for row in rows]


def _texts_kept(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """What was acknowledged into files: messages of sessions and text logs."""
    violations = []
    checks = 0
    for one in record:
        if not one.acknowledged or "repeats" in one.marks:
            continue
        session = str(one.params.get("session_id") or one.params.get("id"))
        if one.method == "session.append" and session in evidence.messages:
            checks += 1
            kept = evidence.messages[session]
            end = one.result["message_count"]
            if list(kept[end - len(one.params["messages"]) : end]) != list(one.params["messages"]):
                violations.append(f"{named(one)} was acknowledged, and session {session} has not its messages")
        elif one.method == "log.append" and session in evidence.texts:
            checks += 1
            if one.params["text"] not in evidence.texts[session]:
                violations.append(f"{named(one)} was acknowledged, and the log of {session} has not its text")
    return Verdict.of(Promise.DURABLE, checks, violations)


def _said(evidence: Evidence) -> Counter[str]:
    """Every text that a client gave once, by how often it stands there."""
    said: Counter[str] = Counter()
    for address, row in evidence.live.items():
        if address[0] == "tasks":
            said.update(entry["message"] for entry in row["logs"] if " says " in entry["message"])
    for messages in evidence.messages.values():
        said.update(str(message.get("content")) for message in messages)
    for text in evidence.texts.values():
        said.update(text.splitlines())
    return said


def _parts(page: Exchange, record: Sequence[Exchange]) -> Iterator[str]:
    """Yield the batches of which a page shows a part only; the first and the last may go on beyond the page."""
    del record
    marks = [task["description"] for task in page.result["tasks"]]
    if not marks:
        return
    counts = Counter(marks)
    at_an_edge = {marks[0], *([marks[-1]] if page.result["next_cursor"] else [])}
    for mark, count in counts.items():
        if count != BATCH and mark not in at_an_edge:
            yield f"{named(page)} shows {count} of {BATCH} tasks of {mark}"


def _between(moments_s: Sequence[float], begin_s: float, end_s: float) -> int:
    return sum(begin_s <= moment_s <= end_s for moment_s in moments_s)


def _unanswered(record: Sequence[Exchange]) -> list[Exchange]:
    """What was sent and never answered: only the last exchange of a client that was killed may be so."""
    last = {one.client: one.number for one in record}
    return [one for one in record if one.answered_s is None and one.number != last[one.client]]
