"""Recovery beside a state directory that can be read and not written: the state is found, and the journal goes on.

Nothing in the state directory is touched. Only a state that needs no repair is continued so: a good snapshot, a journal
without damage (its torn end is no damage). What was read above the durable lines is made durable in the fallback first.
"""

from __future__ import annotations

from functools import partial

import msgspec

from actors.storage.contract import Recovered
from actors.storage.fallback import Fallback
from actors.storage.fallback_case import Outcome, decide
from actors.storage.files import LinkRefused
from actors.storage.journal import Journal
from actors.storage.journal_lines import FIRST_PREV, SegmentReader, parse_line
from actors.storage.journal_lines import Line as RawLine
from actors.storage.recovery import Opened, look_at
from actors.storage.recovery_case import Case
from actors.storage.recovery_ground import Ground, Picture
from actors.storage.recovery_report import RecoveryReport
from actors.storage.segment_head import SegmentHead
from actors.storage.segments import write_segment

_CONTINUABLE = frozenset({Case.STATE, Case.BACKUP})


def head_maker(epoch: int, daemon_id: str, base_seq: int, base_crc: bytes) -> bytes:
    """Return the first line of a segment."""
    return SegmentHead(epoch=epoch, base_seq=base_seq, base_crc=base_crc.decode(), daemon_id=daemon_id).encoded()


def recover_beside(ground: Ground, fallback: Fallback, cause: OSError) -> Opened:
    """Recover without writing to the state directory, which refused with `cause`; raises that when it cannot be done.

    Raises OSError of its own when the fallback refuses too.
    """
    report = RecoveryReport()
    if isinstance(cause, LinkRefused):
        raise cause  # something was planted: that is no failing disk
    if decide(fallback.compare()) is Outcome.SET_ASIDE:
        raise cause
    picture = look_at(msgspec.structs.replace(ground, layout=fallback.beside()), report)
    identity = picture.loaded.identity
    is_whole = picture.decision.case in _CONTINUABLE and not picture.is_put_together
    if not is_whole or Case.DAMAGED in report.cases or not identity.get("daemon_id"):
        raise cause
    report.cases.insert(0, "J")
    report.warnings.append(f"the state directory cannot be written ({cause}): the journal goes on in {fallback.path}")
    epoch = max(picture.loaded.epoch, fallback.epoch) + 1
    journal = _go_on(ground, fallback, picture, epoch, str(identity["daemon_id"]))
    replayed = picture.replayed
    ground.files.begin(
        replayed.behind.after_seq, {row.id: row.encoded for row in replayed.tables.sessions.rows.values()}
    )
    report.seq = replayed.tables.seq
    recovered = Recovered(
        tables=replayed.tables,
        epoch=epoch,
        identity=identity,
        lines=replayed.lines,
        refs=frozenset(replayed.refs),
        behind=replayed.behind,
        report=report.as_mapping(),
    )
    return Opened(recovered, journal, report.base_seq)


def _go_on(ground: Ground, fallback: Fallback, picture: Picture, epoch: int, daemon_id: str) -> Journal:
    disk, layout = ground.disk, fallback.layout
    scan, tail = picture.replayed.scan, picture.replayed.scan.tail
    next_seq = picture.replayed.tables.seq + 1
    if tail is not None and scan.next_seq > scan.durable + 1:
        first_seq, base_crc = scan.durable + 1, _prev_at(ground, picture)
        head = head_maker(epoch, daemon_id, scan.durable, base_crc)
        good = b"".join(
            frame.data + b"\n" for frame in SegmentReader(disk, tail.path, tail.start) if frame.offset < tail.good_end
        )
        fallback.keep_copy(first_seq, epoch)
        write_segment(disk, layout, first_seq, (head, good))
    fallback.clear_name(next_seq, epoch)
    return Journal(
        disk,
        layout,
        next_seq=next_seq,
        last_crc=scan.last_crc if scan.next_seq == next_seq else None,
        segment_bytes_max=ground.settings.segment_bytes_max,
        preallocate_bytes=ground.settings.preallocate_bytes,
        head=partial(head_maker, epoch, daemon_id),
    )


def _prev_at(ground: Ground, picture: Picture) -> bytes:
    """Return the crc of the newest durable line, as the line after it says."""
    tail = picture.replayed.scan.tail
    assert tail is not None  # noqa: S101 - asked only when lines lie above
    for frame in SegmentReader(ground.disk, tail.path, tail.start):
        line = parse_line(frame.data)
        return line.prev if isinstance(line, RawLine) else FIRST_PREV
    return FIRST_PREV
