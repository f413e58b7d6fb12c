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
AS_NANOCODER = "scenario/test_nanocoder_behaviours.py"
AS_CODEXD = "scenario/test_codexd_behaviours.py"

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
    "the index hides no session that has a file": (
        AS_NANOCODER,
        "test_the_index_never_hides_a_session_that_has_a_file",
    ),
    "retention archives, and what left comes back": (
        AS_NANOCODER,
        "test_what_is_unused_for_too_long_leaves_at_the_start_with_an_event_and_comes_back",
    ),
    "two processes at once lose nothing": (AS_NANOCODER, "test_two_processes_at_once_lose_nothing"),
    "appending is constant-cost": (
        AS_NANOCODER,
        "test_an_append_writes_as_much_at_the_ten_thousandth_message_as_at_the_tenth",
    ),
    "a spoilt file is told and repaired": (
        AS_NANOCODER,
        "test_a_spoilt_file_is_told_and_a_repair_gives_back_what_the_journal_holds",
    ),
    "a file that is another session's is not read": (
        AS_NANOCODER,
        "test_the_file_of_another_session_under_this_name_is_never_read_as_this_ones",
    ),
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
    "the identity is made once": (AS_CODEXD, "test_the_identity_is_made_once_whatever_happens"),
    "the daemon's record, and a stale start repaired": (
        AS_CODEXD,
        "test_the_daemon_record_says_started_then_stopped_and_a_stale_start_is_repaired",
    ),
    "a managed child's record": (
        AS_CODEXD,
        "test_a_service_has_the_record_of_a_managed_child_through_its_life",
    ),
    "its configured part is refreshed": (
        AS_CODEXD,
        "test_its_configured_part_is_refreshed_from_the_configuration_and_the_rest_kept",
    ),
    "a child's output is kept by stream": (AS_CODEXD, "test_what_a_child_prints_is_kept_by_stream"),
    "recent events have a bound": (
        AS_CODEXD,
        "test_recent_events_have_a_bound_of_their_own_and_older_ones_are_still_listed",
    ),
    "no crash reuses a seq": (AS_CODEXD, "test_no_crash_reuses_a_seq"),
    "a failing mutation stops none after it": (
        AS_CODEXD,
        "test_a_failing_mutation_does_not_stop_those_after_it",
    ),
    "nobody can change a snapshot": (AS_CODEXD, "test_a_snapshot_is_a_copy_that_nobody_can_change"),
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
