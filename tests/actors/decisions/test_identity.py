"""The resolver: which session an agent's session id means, and how sure that is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.decisions.identity import CANDIDATES_MAX, WINDOW_S, Known, Sighting, resolve
from actors.model.session import Git, Session
from actors.model.stamps import later

NOW = "2026-03-01T12:00:00.000Z"
HOUR_S = 3600.0


def a_session(number: int = 1, **members: Any) -> Session:
    made: dict[str, Any] = {
        "title": "t",
        "provider": "p",
        "model": "m",
        "working_directory": "/w",
        "created_at": NOW,
        "last_accessed_at": NOW,
    }
    return Session(id=f"0190163d-8694-739b-aea5-{number:012x}", **(made | members))


def seen(**members: Any) -> Sighting:
    return Sighting(**({"external_id": "x", "at": NOW} | members))


def by_print(*sessions: Session) -> Known:
    return Known(by_fingerprint=[("first_human_prompt_v1", one) for one in sessions])


CWD: dict[str, Any] = {"cwd": "/w"}
TREE = {"git": Git(worktree_realpath="/r")}
BRANCH = {"git": Git(branch_at_start="main")}
RECENT: dict[str, Any] = {"last_progress_at": later(NOW, -HOUR_S)}
OLD: dict[str, Any] = {"last_progress_at": later(NOW, -WINDOW_S - 1)}
AHEAD = {"last_progress_at": later(NOW, WINDOW_S + 1)}
SEEN = seen(cwd="/w", worktree_realpath="/r", branch="main")


def test_a_known_id_decides_whatever_else_is_known() -> None:
    known = Known(by_id=[a_session(1)], by_lineage=[a_session(2)], by_fingerprint=[("x", a_session(3))])
    found = resolve(seen(external_id="abc"), known)
    assert (found.session_id, found.source, found.confidence) == (a_session(1).id, "external_id", "exact")
    assert found.matched == {"external_id": "abc"}


def test_a_transcript_that_goes_on_one_is_that_session() -> None:
    known = Known(by_lineage=[a_session(2)], by_fingerprint=[("x", a_session(3))])
    found = resolve(seen(first_parent_uuid="u"), known)
    assert (found.session_id, found.source, found.confidence) == (a_session(2).id, "transcript_lineage", "high")
    assert found.matched == {"first_parent_uuid": "u"}


def test_a_transcript_that_goes_on_two_is_a_new_session_of_either() -> None:
    found = resolve(seen(first_parent_uuid="u"), Known(by_lineage=[a_session(1), a_session(2)]))
    assert (found.session_id, found.source, found.confidence) == (None, "minted", "ambiguous")
    assert set(found.candidates) == {a_session(1).id, a_session(2).id}


@pytest.mark.parametrize(
    ("members", "corroborators"),
    [
        (CWD | RECENT, ["same_cwd", "within_72h"]),
        (TREE | RECENT, ["same_worktree_realpath", "within_72h"]),
        (CWD | BRANCH, ["same_cwd", "same_branch_at_start"]),
        (CWD | TREE, ["same_cwd", "same_worktree_realpath"]),
        (CWD | TREE | OLD, ["same_cwd", "same_worktree_realpath"]),
        ({**CWD, "git": Git(worktree_realpath="/r", branch_at_start="main"), **RECENT},
         ["same_cwd", "same_worktree_realpath", "same_branch_at_start", "within_72h"]),
    ],
)  # fmt: skip
def test_a_fingerprint_with_a_strong_and_another_corroborator_is_enough(
    members: dict[str, Any], corroborators: list[str]
) -> None:
    found = resolve(SEEN, by_print(a_session(**members)))
    assert (found.session_id, found.source, found.confidence) == (a_session().id, "fingerprint", "low")
    assert found.matched == {"fingerprint": "first_human_prompt_v1", "corroborators": corroborators}


@pytest.mark.parametrize(
    "members",
    [{}, CWD, TREE, BRANCH | RECENT, CWD | OLD, TREE | OLD, CWD | AHEAD, RECENT, {"cwd": "/other"} | RECENT],
    ids=["nothing", "cwd", "tree", "two weak", "cwd, old", "tree, old", "cwd, ahead", "recent", "other cwd"],
)
def test_a_fingerprint_with_less_makes_a_candidate_and_no_more(members: dict[str, Any]) -> None:
    found = resolve(SEEN, by_print(a_session(**members)))
    assert (found.session_id, found.confidence, found.candidates) == (None, "minted", (a_session().id,))


def test_what_nobody_says_is_the_same_corroborates_nothing() -> None:
    found = resolve(seen(), by_print(a_session(**RECENT)))
    assert found.session_id is None


def test_two_that_would_do_are_ambiguous_and_all_are_candidates() -> None:
    sessions = [a_session(1, **CWD, **RECENT), a_session(2, **CWD, **RECENT), a_session(3)]
    found = resolve(SEEN, by_print(*sessions))
    assert (found.session_id, found.source, found.confidence) == (None, "minted", "ambiguous")
    assert set(found.candidates) == {one.id for one in sessions}


def test_candidates_are_the_most_strongly_corroborated_then_the_most_recent_and_the_rest_is_counted() -> None:
    weak = [a_session(n, last_progress_at=later(NOW, -n * HOUR_S)) for n in range(1, 13)]
    strong = a_session(50, **CWD, **OLD)
    found = resolve(SEEN, by_print(*weak, strong))
    assert found.candidates == (strong.id, *(one.id for one in weak[: CANDIDATES_MAX - 1]))
    assert found.omitted == 3


def test_one_session_that_both_fingerprints_find_is_one() -> None:
    one = a_session(**CWD, **RECENT)
    known = Known(by_fingerprint=[("first_human_prompt_v1", one), ("lineage_prefix_v1", one)])
    assert resolve(SEEN, known).session_id == one.id


MAYBE = st.sampled_from([None, "a", "b"])
STAMPS = st.integers(-200, 200).map(lambda hours: later(NOW, hours * HOUR_S)) | st.none()


@st.composite
def sessions(draw: st.DrawFn) -> list[Session]:
    number = draw(st.integers(0, 14))
    return [
        a_session(
            n,
            cwd=draw(MAYBE),
            git=draw(st.none() | st.builds(Git, worktree_realpath=MAYBE, branch_at_start=MAYBE)),
            last_progress_at=draw(STAMPS),
        )
        for n in range(number)
    ]


@settings(max_examples=200)
@given(sessions(), st.integers(0, 2), st.integers(0, 3), MAYBE, MAYBE, MAYBE)
def test_the_rules_hold_whatever_is_known(
    known: list[Session], ids: int, lineage: int, cwd: str | None, tree: str | None, branch: str | None
) -> None:
    sighting = seen(cwd=cwd, worktree_realpath=tree, branch=branch, first_parent_uuid="u")
    everything = Known(
        by_id=known[:ids],
        by_lineage=known[ids : ids + lineage],
        by_fingerprint=[("lineage_prefix_v1", one) for one in known],
    )
    found = resolve(sighting, everything)
    assert resolve(sighting, everything) == found
    # Somebody is found exactly when the confidence says so, and whoever is found was asked for.
    assert (found.session_id is None) == (found.source == "minted") == (found.confidence in ("minted", "ambiguous"))
    assert found.session_id in {None, *(one.id for one in known)}
    # Candidates are only those of a session that is made, few, different, and none is lost from the count.
    assert not found.candidates or found.session_id is None
    assert len(set(found.candidates)) == len(found.candidates) <= CANDIDATES_MAX
    if found.source == "minted" and not known[ids : ids + lineage]:
        assert len(found.candidates) + found.omitted == len(known)
    if found.source == "fingerprint":
        said = found.matched["corroborators"]
        assert len(said) >= 2
        assert {"same_cwd", "same_worktree_realpath"} & set(said)
    if ids and known:
        assert found.confidence == "exact"


@given(st.permutations(range(6)))
def test_the_order_in_which_sessions_are_known_decides_nothing(order: list[int]) -> None:
    known = [a_session(n, cwd="/w" if n < 2 else None, last_progress_at=later(NOW, -n * HOUR_S)) for n in range(6)]
    assert resolve(SEEN, by_print(*(known[n] for n in order))) == resolve(SEEN, by_print(*known))
