"""The table of cases by itself: what was found decides, and every combination has exactly one answer."""

from __future__ import annotations

from itertools import product

import pytest

from actors.storage.recovery_case import Base, Case, Decision, Found, Seen, decide

MISSING, DAMAGED, GOOD, NEWER = Seen.MISSING, Seen.DAMAGED, Seen.GOOD, Seen.NEWER

ROWS = {
    "A: nothing": (Found(state=MISSING, backup=MISSING), Case.EMPTY, Base.EMPTY),
    "B: state good": (Found(state=GOOD, backup=MISSING), Case.STATE, Base.STATE),
    "B: state good, the rest too": (Found(state=GOOD, backup=GOOD, journal_begins_at=7), Case.STATE, Base.STATE),
    "C: state damaged": (Found(state=DAMAGED, backup=GOOD, journal_begins_at=1), Case.BACKUP, Base.BACKUP),
    "D: all damaged": (Found(state=DAMAGED, backup=DAMAGED, journal_begins_at=9), Case.SALVAGE, Base.SALVAGE),
    "D: state damaged, no backup": (Found(state=DAMAGED, backup=MISSING), Case.SALVAGE, Base.SALVAGE),
    "D: state missing, backups damaged": (Found(state=MISSING, backup=DAMAGED), Case.SALVAGE, Base.SALVAGE),
    "D: only files": (Found(state=MISSING, backup=MISSING, has_files=True), Case.SALVAGE, Base.SALVAGE),
    "D: journal without its beginning": (
        Found(state=MISSING, backup=MISSING, journal_begins_at=5),
        Case.SALVAGE,
        Base.SALVAGE,
    ),
    "E: state removed": (Found(state=MISSING, backup=GOOD), Case.REBUILD, Base.BACKUP),
    "E: only a whole journal": (
        Found(state=MISSING, backup=MISSING, journal_begins_at=1, has_files=True),
        Case.REBUILD,
        Base.EMPTY,
    ),
    "H: version 1": (Found(state=DAMAGED, backup=MISSING, is_version_1=True), Case.VERSION_1, Base.NONE),
    "I: newer": (Found(state=NEWER, backup=MISSING), Case.NEWER, Base.NONE),
    "I: newer backup": (Found(state=DAMAGED, backup=NEWER), Case.NEWER, Base.NONE),
}


@pytest.mark.parametrize(("found", "case", "base"), ROWS.values(), ids=ROWS.keys())
def test_what_was_found_decides(found: Found, case: Case, base: Base) -> None:
    assert decide(found) == Decision(case, base)


def test_every_combination_is_decided_and_only_nothing_at_all_is_the_empty_state() -> None:
    for state, backup, begins_at, has_files in product(Seen, Seen, (None, 1, 5), (False, True)):
        found = Found(state=state, backup=backup, journal_begins_at=begins_at, has_files=has_files)
        decision = decide(found)
        if decision.case is Case.EMPTY:
            assert (state, backup, begins_at, has_files) == (MISSING, MISSING, None, False)
        if NEWER in (state, backup):
            assert decision.base is Base.NONE
