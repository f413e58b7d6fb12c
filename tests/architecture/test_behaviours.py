"""What the tools did that sessions grew from, and which test shows that it holds here: a table that cannot go stale."""

from __future__ import annotations

import pytest

from tests.kit.named_tests import is_there

SPEC = "scenario/test_spec_sessions.py"
RETENTION = "actors/decisions/test_sessions_retention.py"
RELATIONS = "actors/decisions/test_sessions_relations.py"
SEEN = "actors/decisions/test_sessions_seen.py"
IDENTITY = "actors/decisions/test_identity.py"
RECORDS = "scenario/test_spec_records.py"

NANOCODER = {
    "a session is created with what was given": (SPEC, "test_what_was_given_is_there"),
    "what is no UUID never becomes a path": (SPEC, "test_what_is_no_uuid_is_refused_before_it_becomes_a_path"),
    "reading touches nothing": (SPEC, "test_get_changes_nothing"),
    "loading touches the last access": (SPEC, "test_load_touches_the_last_access_and_nothing_else"),
    "saving keeps what is not named": (SPEC, "test_what_is_not_named_stays"),
    "saving other messages replaces them": (SPEC, "test_other_messages_replace_the_old_ones_which_are_archived"),
    "a title is kept by later saves": (SPEC, "test_a_title_is_kept_by_later_saves"),
    "deleting what is not there is fine": (SPEC, "test_deleting_what_is_not_there_is_fine"),
    "lists compare directories normalised": (SPEC, "test_a_working_directory_is_compared_normalised"),
    "the most recent comes first on request": (SPEC, "test_the_most_recently_accessed_comes_first_on_request"),
    "the index is rebuilt whatever became of it": (SPEC, "test_the_index_is_rebuilt_whatever_became_of_it"),
    "an index with something wrong is rebuilt": (
        "actors/storage/test_session_index.py",
        "test_an_index_with_something_wrong_is_rebuilt_from_the_sessions_files",
    ),
    "beyond the limit the least recent leaves, and comes back": (
        SPEC,
        "test_beyond_the_limit_the_least_recently_accessed_leaves_and_can_be_brought_back",
    ),
    "a limit of 0 is none": (RETENTION, "test_below_the_limit_and_without_one_nobody_leaves"),
    "unused ones leave after their days": (RETENTION, "test_unused_sessions_leave_and_used_ones_stay"),
    "two at once lose nothing": (SPEC, "test_clients_that_append_at_once_lose_nothing"),
    "a title is trimmed": (SPEC, "test_a_title_is_trimmed"),
    "a title is not empty": (SPEC, "test_an_empty_title_is_refused"),
    "a title has at most 200 characters": (SPEC, "test_a_title_has_at_most_two_hundred_characters"),
    "its directory comes in and goes out unchanged": (
        "scenario/test_import.py",
        "test_nanocoders_sessions_come_out_as_they_went_in",
    ),
    "it lists and loads what is exported": (
        "scenario/test_import.py",
        "test_nanocoder_itself_lists_and_loads_what_was_exported",
    ),
}

CODEXD = {
    "sessions are upserted": ("actors/decisions/test_sessions_put.py", "test_what_is_not_told_stays_as_it_is"),
    "closing ends the turn": (
        "actors/decisions/test_sessions.py",
        "test_a_closed_session_says_when_how_and_why_and_has_no_turn",
    ),
    "runs are upserted": (RECORDS, "test_putting_again_changes_the_run"),
    "events have a seq without gaps": (RECORDS, "test_the_list_is_gap_free_from_one"),
    "a snapshot is a copy": (RECORDS, "test_the_whole_state_is_what_the_seeds_load"),
    "its files can be imported": (
        "supervisor/foreign/test_readers.py",
        "test_the_store_gives_sessions_runs_events_and_who_it_is",
    ),
}

SESSIONS_DB = {
    "a known id decides": (IDENTITY, "test_a_known_id_decides_whatever_else_is_known"),
    "then the lineage of transcripts": (IDENTITY, "test_a_transcript_that_goes_on_one_is_that_session"),
    "then a fingerprint that is corroborated": (
        IDENTITY,
        "test_a_fingerprint_with_a_strong_and_another_corroborator_is_enough",
    ),
    "with less it is a candidate": (IDENTITY, "test_a_fingerprint_with_less_makes_a_candidate_and_no_more"),
    "several are ambiguous": (IDENTITY, "test_two_that_would_do_are_ambiguous_and_all_are_candidates"),
    "candidates are sorted, few and counted": (
        IDENTITY,
        "test_candidates_are_the_most_strongly_corroborated_then_the_most_recent_and_the_rest_is_counted",
    ),
    "two hooks at once make one session": (
        "scenario/test_identity.py",
        "test_many_hooks_that_see_one_session_at_once_make_one",
    ),
    "every sighting says how it was resolved": (
        "scenario/test_identity.py",
        "test_every_sighting_is_in_the_journal_with_how_it_was_resolved",
    ),
    "previews are sanitised": (SEEN, "test_previews_are_short_and_harmless"),
    "previews can be switched off": (SEEN, "test_who_wants_no_preview_stored_has_none"),
    "an alias is unique": (RELATIONS, "test_an_alias_belongs_to_one_session_and_can_be_taken_away"),
    "parents make no circle": (RELATIONS, "test_a_parent_is_there_and_no_descendant"),
    "families have fifty generations": ("actors/decisions/test_sessions_put.py", "test_a_family_has_fifty_generations"),
    "tasks and projects are linked and unlinked": (RELATIONS, "test_links_are_sets_that_keep_their_order"),
    "a session is closed with its outcome": (SPEC, "test_a_session_is_closed_with_its_outcome"),
    "a sweep labels, and again changes nothing": (
        RELATIONS,
        "test_a_sweep_labels_by_progress_and_again_changes_nothing",
    ),
    "sessions are found by any of these": (
        "actors/queries/test_sessions_find.py",
        "test_sessions_are_found_by_what_is_known_of_them",
    ),
    "the tree shows who descends from whom": (
        "actors/queries/test_sessions_find.py",
        "test_the_forest_shows_who_descends_from_whom",
    ),
    "git is read from the working directory": (
        "supervisor/foreign/test_claude_hook.py",
        "test_branch_commit_and_worktree_are_what_git_says",
    ),
    "its projection is what its events give": (
        "supervisor/foreign/test_readers.py",
        "test_the_events_give_what_the_projection_holds",
    ),
    "a torn tail costs the last line": ("supervisor/foreign/test_readers.py", "test_a_torn_tail_costs_the_last_line"),
    "a bad line costs itself": (
        "supervisor/foreign/test_readers.py",
        "test_a_bad_line_in_the_middle_costs_itself",
    ),
    "the hook never disturbs": (
        "scenario/test_hook.py",
        "test_with_perdure_hanging_nobody_waits_and_nothing_is_lost_or_recorded_twice",
    ),
}


@pytest.mark.parametrize("table", [NANOCODER, CODEXD, SESSIONS_DB], ids=["nanocoder", "codexd", "sessions-db"])
def test_what_another_tool_does_is_shown_by_a_test_that_exists(table: dict[str, tuple[str, str]]) -> None:
    gone = {behaviour: where for behaviour, where in table.items() if not is_there("::".join(where))}
    assert gone == {}
