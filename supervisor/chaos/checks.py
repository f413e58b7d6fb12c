"""
The checkers of what went through the socket: from the clients' record and the evidence to a verdict, one per promise.

They are pure, and each looks at one promise only, so that a planted violation can show that it looks. Where a checker
could not tell a violation from what is allowed it asks for the stricter, if no crash could explain the difference.
"""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from supervisor.chaos.evidence import Address, Evidence, Journal
from supervisor.chaos.record import Exchange
from supervisor.chaos.verdict import Promise, Verdict
from supervisor.wire.names import MUTATING

OPEN_KINDS: Final = ("storage_failed", "read_only", "overloaded")
"""Errors that say: again, with the same key."""

_TABLES: Final = {"task": "tasks", "session": "sessions", "run": "runs"}
_BY_JOURNAL: Final = frozenset(MUTATING) - {"task.heartbeat", "run.stop"}
"""Methods whose success is a line of their own: a heartbeat becomes none, a stop's line is its agent's end."""
_COMPUTED: Final = frozenset({"blocked_by"})
"""Members of a reply that are no part of the row."""


def durable(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """Every acknowledged command has its line in the journal, and what is live is what the journal adds up to."""
    journal = evidence.journal
    asked = [one for one in record if one.acknowledged and _wants_line(one)]
    violations = [
        f"{_named(one)} was acknowledged and is not in the journal" for one in asked if not _lines(one, journal)
    ]
    for one in asked:
        address, row = _row_of(one)
        if address is not None and row is not None and "repeats" not in one.marks:
            violations += _compared(f"{_named(one)} was answered with", address, row, journal)
    seqs = [line.seq for line in journal.lines]
    if seqs != list(range(1, len(seqs) + 1)):
        violations.append("the journal's lines are not numbered 1, 2, 3 …")
    for address, row in evidence.live.items():
        violations += _compared("there is", address, row, journal)
        if row["rev"] != journal.last_revs.get(address):
            violations.append(f"{address[1]} has rev {row['rev']}, the journal {journal.last_revs.get(address)}")
    there = [address for address in journal.rows if address[0] in _TABLES.values()]
    violations += [
        f"{address[1]} is in the journal and nowhere else" for address in there if address not in evidence.live
    ]
    texts = _texts_kept(record, evidence)
    violations += texts.violations
    return Verdict.of(Promise.DURABLE, len(asked) + len(seqs) + len(there) + texts.checks, violations)


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
            violations.append(f"{_named(one)} repeats number {first.number} and was answered with another row")
    for one in record:
        if one.error == "conflict" or not one.params.get("type") == "chaos:other" or one.answered_s is None:
            continue
        violations.append(f"{_named(one)} used an old key for something else and was not refused")
    said = _said(evidence)
    violations += [f"{text!r} stands there {count} times" for text, count in said.items() if count > 1]
    return Verdict.of(Promise.ONCE, len(journal.by_key) + len(repeats) + len(said), violations)


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
            violations.append(f"{_named(one)} was refused ({one.error}), and some of it is there")
        elif one.error is None and (any(len(found) != 1 for found in seqs) or len(set.union(*seqs)) != 1):
            violations.append(f"{_named(one)} was acknowledged, and is not one line")
    pages = [one for one in record if one.method == "task.list" and one.acknowledged]
    for one in pages:
        violations += _parts(one, record)
    return Verdict.of(Promise.ATOMIC, len(batches) + len(pages), violations)


def invisible(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """No client sees an error that it had not to expect; `actor_crashed` only of what met two crashes, and then not."""
    violations = []
    for one in record:
        if one.error is None or one.error in one.allowed:
            continue
        if one.error == "actor_crashed":
            struck = _between(evidence.blows_s, one.sent_s, one.answered_s or 0.0)
            if _lines(one, evidence.journal):
                violations.append(f"{_named(one)} was answered with actor_crashed and is in the journal")
            elif struck < 2:
                violations.append(f"{_named(one)} was answered with actor_crashed after {struck} blows")
        else:
            violations.append(f"{_named(one)} was answered with {one.error}")
    unanswered = _unanswered(record)
    violations += [f"{_named(one)} was never answered" for one in unanswered]
    return Verdict.of(Promise.INVISIBLE, len(record), violations)


def told(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """What was told to be open and was sent again took effect once if it was acknowledged, and not if it was refused."""
    open_ones = [one for one in record if one.told and one.answered_s is not None]
    violations = []
    for one in open_ones:
        number = len(_lines(one, evidence.journal))
        if one.acknowledged and _wants_line(one) and number != 1:
            violations.append(f"{_named(one)} was told {one.told[0]}, then acknowledged, and has {number} lines")
        elif one.error is not None and number and one.error not in OPEN_KINDS:
            violations.append(f"{_named(one)} was told {one.told[0]}, then refused, and is in the journal")
    return Verdict.of(Promise.TOLD, len(open_ones), violations)


def read(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """Whatever a query showed is in the journal for good; no query shows less than was acknowledged or shown before."""
    violations: list[str] = []
    queries = [one for one in record if one.method not in MUTATING and one.answered_s is not None]
    shown = 0
    for one in queries:
        for address, row in _rows_of(one):
            shown += 1
            violations += _compared(f"{_named(one)} showed", address, row, evidence.journal)
        if one.method == "runtime.ping" and one.acknowledged and one.result["seq"] > evidence.journal.seq:
            violations.append(
                f"{_named(one)} told of seq {one.result['seq']}, the journal ends at {evidence.journal.seq}"
            )
    violations += _went_back(record)
    return Verdict.of(Promise.READ, shown + len(queries), violations)


def followed(record: Sequence[Exchange], evidence: Evidence) -> Verdict:
    """Each follower was told of every line that it asked for, once and in order, with the facts that the journal has."""
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
            violations.append(f"{_named(one)} was given the lease {one.result['lease']} after {highest}")
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


SOCKET_CHECKS: Final = (durable, atomic, once, invisible, told, read, followed, fenced)
"""All of them, in the order of the promises."""


def acknowledged_keys(record: Sequence[Exchange]) -> list[str]:
    """Return the keys of all that was acknowledged and must have a line."""
    return [one.key for one in record if one.key is not None and one.acknowledged and _wants_line(one)]


# --- what they share


def _named(one: Exchange) -> str:
    return f"{one.client}'s {one.method} (number {one.number})"


def _wants_line(one: Exchange) -> bool:
    """Whether its success is a line of the journal; a claim of nothing and a deletion of nothing are none."""
    if one.method not in _BY_JOURNAL or one.result is None or one.marks.get("unchanging"):
        return False
    return not (isinstance(one.result, dict) and one.result.get("deleted") is False)


def _lines(one: Exchange, journal: Journal) -> list[Any]:
    return journal.by_key.get(one.key or "", [])


def _row_of(one: Exchange) -> tuple[Address | None, dict[str, Any] | None]:
    """The row that a command's result is, with its address."""
    noun = one.method.partition(".")[0]
    result = one.result
    if noun not in _TABLES or not isinstance(result, dict) or "rev" not in result or one.method == "run.output":
        return None, None
    return (_TABLES[noun], result["id"]), result


def _rows_of(one: Exchange) -> Iterator[tuple[Address, dict[str, Any]]]:
    if not one.acknowledged:
        return
    address, row = _row_of(one)
    if address is not None and row is not None:
        yield address, row
    elif one.method == "task.list":
        yield from ((("tasks", task["id"]), task) for task in one.result["tasks"])


def _compared(what: str, address: Address, shown: dict[str, Any] | Any, journal: Journal) -> Iterator[str]:
    """Yield what is wrong with a row, or a part of one, that was shown: the journal has it otherwise, or not at all."""
    kept = journal.row_at(address, shown["rev"])
    if kept is None:
        yield f"{what} {address[1]} at rev {shown['rev']}, which the journal does not have"
        return
    for name, value in shown.items():
        if name not in _COMPUTED and name in kept and kept[name] != value:
            yield f"{what} {address[1]} at rev {shown['rev']} with {name} {value!r}; the journal has {kept[name]!r}"


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
        session = one.params.get("session_id") or one.params.get("id")
        if one.method == "session.append" and session in evidence.messages:
            checks += 1
            kept = evidence.messages[session]
            end = one.result["message_count"]
            if list(kept[end - len(one.params["messages"]) : end]) != list(one.params["messages"]):
                violations.append(f"{_named(one)} was acknowledged, and session {session} has not its messages")
        elif one.method == "log.append" and session in evidence.texts:
            checks += 1
            if one.params["text"] not in evidence.texts[session]:
                violations.append(f"{_named(one)} was acknowledged, and the log of {session} has not its text")
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
        if count != 3 and mark not in at_an_edge:
            yield f"{_named(page)} shows {count} of 3 tasks of {mark}"


def _between(moments_s: Sequence[float], begin_s: float, end_s: float) -> int:
    return sum(begin_s <= moment_s <= end_s for moment_s in moments_s)


def _unanswered(record: Sequence[Exchange]) -> list[Exchange]:
    """What was sent and never answered: only the last exchange of a client that was killed may be so."""
    last = {one.client: one.number for one in record}
    return [one for one in record if one.answered_s is None and one.number != last[one.client]]


def _went_back(record: Sequence[Exchange]) -> Iterator[str]:
    """Yield the queries that showed less than had been acknowledged or shown before they were asked."""
    known: dict[Address, int] = {}
    seq = 0
    answers = sorted((one for one in record if one.acknowledged), key=lambda one: one.answered_s or 0.0)
    place = 0
    for one in sorted((one for one in record if one.acknowledged), key=lambda one: one.sent_s):
        while place < len(answers) and (answers[place].answered_s or 0.0) < one.sent_s:
            for address, row in _rows_of(answers[place]):
                known[address] = max(known.get(address, 0), row["rev"])
            if answers[place].method == "runtime.ping":
                seq = max(seq, answers[place].result["seq"])
            place += 1
        if one.method in MUTATING:
            continue
        for address, row in _rows_of(one):
            if row["rev"] < known.get(address, 0):
                yield f"{_named(one)} showed {address[1]} at rev {row['rev']} after rev {known[address]}"
        if one.method == "runtime.ping" and one.result["seq"] < seq:
            yield f"{_named(one)} told of seq {one.result['seq']} after {seq}"


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
                yield f"{_named(one)} was accepted with the lease {lease} after {claim.result['lease']} was given"


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
