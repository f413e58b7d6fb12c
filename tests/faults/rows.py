"""What Perdure must survive, case by case, and which tests show it: `python -m tests.faults.rows` prints the table.

A row's number is the case's for good. `quick` runs with every commit; `long` is left to `make faults`, which runs all
that is named here (`--files` prints the files). Of a test that has more parameters in the long run than in the ordinary
one the name stands in both. A path without a function means all of its file. Paths are relative to tests/.
"""

from __future__ import annotations

import sys
from typing import Final

from attrs import frozen


@frozen
class Row:
    """One case: its number, what happens in a few words, and the tests that show what holds then."""

    number: int
    case: str
    quick: tuple[str, ...] = ()
    long: tuple[str, ...] = ()

    @property
    def files(self) -> frozenset[str]:
        """The files of all its tests, relative to tests/."""
        return frozenset(named.partition("::")[0] for named in (*self.quick, *self.long))


def _in(path: str, *functions: str) -> tuple[str, ...]:
    return tuple(f"{path}::test_{function}" for function in functions)


POWER_LOSS: Final = "faults/test_power_loss.py"
STORE_POWER_LOSS: Final = "faults/test_store_power_loss.py"
KILLS: Final = "faults/test_interposed_kills.py"
ERRORS: Final = "faults/test_interposed_errors.py"
PROCESSES: Final = "faults/test_interposed_processes.py"
CASES: Final = "faults/test_recovery_cases.py"
WRITER: Final = "faults/test_writer_failures.py"
CRASHES: Final = "faults/test_actor_crashes.py"
AWAITS: Final = "faults/test_every_await.py"
JOURNAL: Final = "actors/storage/test_journal_scan.py"
SNAPSHOT: Final = "actors/storage/test_snapshot_reader.py"
GATEWAY: Final = "supervisor/gateway/test_faults.py"
LOAD: Final = "scenario/test_limits_load.py"
ROOT: Final = "supervisor/root/test_root.py"
RUNTIME_CHILD: Final = "supervisor/root/test_runtime_child.py"
HOST_CHILD: Final = "supervisor/root/test_host_child.py"
EXHAUSTION: Final = "scenario/test_exhaustion.py"
MISBEHAVING: Final = "scenario/test_runs_misbehaving.py"

ROWS: Final = (
    Row(
        1,
        "power loss",
        (
            "faults/test_recorder_sees_all.py",
            *_in(POWER_LOSS, "every_power_cut_of_a_workload_keeps_the_promises"),
            *_in(STORE_POWER_LOSS, "a_power_cut_anywhere_in_the_life_of_a_store_keeps_the_promises"),
            "faults/test_fallback_power_loss.py",
            "faults/test_restore_power_loss.py",
            "faults/test_runs_archive_power_loss.py",
        ),
        (
            *_in(POWER_LOSS, "every_power_cut_of_long_workloads_keeps_the_promises"),
            *_in(STORE_POWER_LOSS, "every_power_cut_in_the_life_of_a_store_keeps_the_promises"),
        ),
    ),
    Row(
        2,
        "unsynced operations reordered",
        (
            *_in(POWER_LOSS, "every_power_cut_of_a_workload_keeps_the_promises"),
            *_in(STORE_POWER_LOSS, "a_power_cut_anywhere_in_the_life_of_a_store_keeps_the_promises"),
            *_in("actors/storage/test_segments.py", "each_removal_is_durable_before_the_next"),
        ),
        _in(STORE_POWER_LOSS, "every_power_cut_in_the_life_of_a_store_keeps_the_promises"),
    ),
    Row(
        3,
        "controls: planted defects fail the suite",
        (
            "faults/test_controls.py",
            "faults/test_interposed_controls.py",
            *_in(STORE_POWER_LOSS, "a_store_that_forgets_a_sync_is_found_out"),
            "supervisor/chaos/test_checks.py",
        ),
    ),
    Row(
        4,
        "killed before and after every system call",
        (
            *_in(KILLS, "killed_at_a_system_call_of_any_kind_it_keeps_what_was_acknowledged"),
            *_in(PROCESSES, "a_whole_perdure_of_which_a_process_is_killed_at_any_call_goes_on_or_starts_again"),
            "faults/test_interposed_offline.py",
            "faults/test_search_kills.py",
        ),
        _in(KILLS, "killed_before_within_and_after_every_system_call_it_keeps_what_was_acknowledged"),
    ),
    Row(
        5,
        "every system call fails once",
        (
            *_in(ERRORS, "a_system_call_of_any_kind_that_fails_is_told_or_made_good_and_nothing_is_lost"),
            *_in(PROCESSES, "a_whole_perdure_of_which_any_call_fails_goes_on_or_starts_again"),
        ),
        _in(ERRORS, "every_system_call_that_fails_in_any_way_is_told_or_made_good_and_nothing_is_lost"),
    ),
    Row(
        6,
        "fdatasync fails once, then works",
        (
            *_in(ERRORS, "a_failed_fdatasync_is_told_and_not_asked_again"),
            *_in(WRITER, "a_failed_sync_is_never_tried_again_on_its_file"),
            *_in(POWER_LOSS, "a_failed_write_is_never_acknowledged_and_what_follows_survives_power_cuts"),
        ),
    ),
    Row(7, "real power cut", long=("faults/test_real_power_cut.py",)),
    Row(
        8,
        "NUL-filled tail",
        (
            *_in(CASES, "what_follows_the_last_line_is_cut_and_kept"),
            *_in(JOURNAL, "zeros_after_the_last_line_are_a_normal_end_and_are_cut"),
            *_in("scenario/test_recovery.py", "zeros_at_the_end_of_the_journal_are_its_normal_end"),
        ),
    ),
    Row(
        9,
        "crash during recovery, and during that recovery",
        (
            *_in(CASES, "a_crash_at_any_step_of_recovery_and_then_recovery_gives_the_same_state"),
            *_in(KILLS, "killed_again_and_again_while_it_recovers_it_comes_to_the_same_state"),
            *_in(POWER_LOSS, "a_power_cut_during_recovery_and_during_the_recovery_from_it_loses_nothing"),
        ),
    ),
    Row(
        10,
        "torn tail",
        (
            *_in(CASES, "the_journal_may_end_at_every_byte_of_its_last_two_lines"),
            *_in(JOURNAL, "a_torn_tail_cut_at_every_byte_of_the_last_two_lines_loses_only_what_is_incomplete"),
            *_in("scenario/test_recovery.py", "a_torn_tail_is_cut_kept_and_told_and_nothing_fuses_with_it"),
        ),
    ),
    Row(
        11,
        "damage in the middle",
        (
            *_in(
                CASES,
                "damage_in_the_middle_is_never_taken_for_torn_and_the_rest_is_applied",
                "a_missing_segment_is_told_as_a_range_and_files_fill_in",
                "swapped_and_doubled_lines_change_nothing_and_are_told",
            ),
            *_in(
                JOURNAL,
                "damage_at_or_below_durable_is_told_exactly_and_every_good_line_is_kept",
                "above_durable_the_journal_ends_at_the_first_bad_line_whatever_follows",
            ),
        ),
    ),
    Row(
        12,
        "bit flips everywhere",
        (
            *_in(
                CASES,
                "every_flipped_byte_of_a_state_is_found_out_and_mended_exactly",
                "every_flipped_byte_of_the_journal_is_found_out_or_harmless",
            ),
            *_in(JOURNAL, "every_flipped_byte_of_a_journal_is_found_or_harmless"),
            *_in(SNAPSHOT, "every_flipped_byte_is_found_and_costs_at_most_the_record_it_is_in"),
            *_in("supervisor/chaos/test_copies.py", "a_damaged_copy_is_recovered_without_a_violation"),
        ),
        _in("supervisor/chaos/test_copies.py", "every_damage_of_every_file_is_recovered_without_a_violation"),
    ),
    Row(
        13,
        "state.json empty, NUL, half, missing, a directory, unreadable",
        (
            *_in(
                CASES,
                "a_damaged_state_is_replaced_exactly_from_the_newest_backup",
                "a_state_that_the_disk_cannot_read_is_replaced_from_the_backup",
                "a_removed_state_is_rebuilt_exactly_from_backup_and_journal",
            ),
            *_in(SNAPSHOT, "what_stands_in_its_place_is_told_and_nothing_is_raised"),
        ),
    ),
    Row(
        14,
        "state.json and all ten backups bad",
        _in(
            CASES,
            "with_all_snapshots_damaged_every_row_that_can_be_read_is_kept",
            "a_row_lost_from_all_snapshots_comes_from_its_file",
            "the_dead_stay_dead_when_everything_is_put_together",
            "facts_whose_row_is_lost_are_listed",
        ),
    ),
    Row(
        15,
        "mixed generations of state and journal",
        _in(
            CASES,
            "a_state_newer_than_the_journal_loses_nothing",
            "a_backup_copied_over_state_json_is_no_travel_in_time",
        ),
    ),
    Row(
        16,
        "rotation around a snapshot",
        (
            *_in(KILLS, "killed_around_a_snapshot_and_its_rotation_it_keeps_what_was_acknowledged"),
            *_in(STORE_POWER_LOSS, "a_power_cut_anywhere_in_the_life_of_a_store_keeps_the_promises"),
        ),
    ),
    Row(
        17,
        "disk full, then freed",
        (
            "faults/test_disk_full.py",
            *_in(
                ERRORS,
                "a_disk_that_is_full_and_then_freed_is_told_of_read_from_and_used_again",
                "a_file_system_that_really_is_full_and_then_has_room_again_is_survived",
            ),
        ),
    ),
    Row(
        18,
        "short writes",
        (
            *_in(
                ERRORS,
                "a_disk_that_takes_every_write_short_is_written_to_all_the_same",
                "a_limit_on_the_size_of_files_is_told_and_gone_on_from_when_it_is_lifted",
            ),
            *_in(WRITER, "a_short_write_is_gone_on_with_and_nobody_notices"),
        ),
    ),
    Row(
        19,
        "snapshot fails, journal works",
        (
            *_in(ERRORS, "a_snapshot_that_fails_leaves_the_old_one_and_the_journal_goes_on"),
            *_in(
                "actors/writer/test_saving.py",
                "while_snapshots_fail_commands_are_acknowledged_and_the_old_snapshot_stays",
            ),
            *_in(
                "supervisor/runtime/test_health.py",
                "a_snapshot_that_could_not_be_written_is_a_reason_until_one_is",
            ),
        ),
    ),
    Row(
        20,
        "fallback path",
        (
            "faults/test_fallback.py",
            "scenario/test_fallback.py",
            *_in(ERRORS, "a_directory_that_becomes_read_only_is_left_for_the_fallback_and_gone_back_to"),
            "faults/test_interposed_beside.py",
            *_in(
                "faults/test_fallback_power_loss.py",
                "a_power_cut_anywhere_in_or_beside_the_state_directory_keeps_the_promises",
            ),
        ),
        _in(
            "faults/test_fallback_power_loss.py",
            "every_power_cut_in_or_beside_the_state_directory_keeps_the_promises",
        ),
    ),
    Row(
        21,
        "reply lost",
        (
            *_in(KILLS, "a_command_whose_reply_was_lost_is_applied_once_when_it_is_sent_again"),
            "scenario/test_idempotency.py",
        ),
    ),
    Row(
        22,
        "a batch of 64 commands whose commit fails",
        (
            *_in(ERRORS, "all_64_commands_of_a_frame_whose_commit_fails_are_told_and_none_is_visible"),
            *_in(WRITER, "all_of_a_batch_whose_commit_fails_are_told_and_none_is_visible"),
        ),
    ),
    Row(
        23,
        "cancelled in the commit",
        (
            *_in(ERRORS, "what_happens_during_a_commit_does_not_leave_it_undecided"),
            *_in(
                CRASHES,
                "whatever_befalls_the_writer_in_a_commit_each_command_takes_effect_once",
                "a_command_whose_commit_was_cancelled_is_decided_once_though_the_writer_is_stopped_again",
            ),
        ),
    ),
    Row(
        24,
        "each actor crashed, cancelled, hung at each of its awaits",
        (
            *_in(AWAITS, "an_actor_struck_at_any_of_its_awaits_is_noticed_by_nobody"),
            *_in(
                CRASHES,
                "whatever_befalls_an_actor_its_clients_see_latency_only",
                "hung_actors_are_found_and_restarted_and_what_was_queued_is_served",
            ),
        ),
        _in(
            AWAITS,
            "an_actor_struck_again_and_again_at_any_of_its_awaits_is_noticed_by_nobody",
            "an_actor_that_hangs_after_any_of_its_awaits_is_noticed_by_nobody",
        ),
    ),
    Row(
        25,
        "poison message",
        (
            *_in(
                CRASHES,
                "a_poison_command_is_told_so_and_the_others_go_on",
                "a_command_whose_commit_crashes_the_writer_is_told_so_and_the_others_go_on",
                "a_poison_query_is_told_so",
            ),
            *_in("faults/test_attack_writer.py", "one_poisonous_line_among_many_is_found_and_all_others_are_written"),
        ),
    ),
    Row(
        26,
        "crash loop",
        (
            *_in(
                CRASHES,
                "an_actor_that_always_fails_at_start_escalates_until_the_runtime_gives_up",
                "while_an_actor_crash_loops_the_tree_and_everybody_else_answer",
            ),
            *_in(RUNTIME_CHILD, "a_crash_loop_ends_with_70_and_says_why"),
        ),
    ),
    Row(
        27,
        "two roots",
        (  # ten times each; in the long run fifty times
            *_in(ROOT, "of_two_roots_started_together_exactly_one_wins_every_time"),
            *_in("scenario/test_root.py", "of_two_that_start_together_exactly_one_wins"),
        ),
        (
            *_in(ROOT, "of_two_roots_started_together_exactly_one_wins_every_time"),
            *_in("scenario/test_root.py", "of_two_that_start_together_exactly_one_wins"),
        ),
    ),
    Row(
        28,
        "stale lock, stale socket, reused pid",
        (
            *_in(ROOT, "a_root_starts_unaided_over_what_a_killed_one_left_behind"),
            *_in("supervisor/root/test_listener.py", "a_stale_socket_is_replaced"),
            *_in("supervisor/root/test_lock.py", "a_lock_file_of_nonsense_is_taken_over"),
            *_in("scenario/test_runs_deaths.py", "a_pid_that_belongs_to_somebody_else_by_now_is_never_signalled"),
        ),
    ),
    Row(
        29,
        "runtime killed, stopped, blocked, out of memory",
        (
            *_in(
                RUNTIME_CHILD,
                "a_runtime_whose_loop_is_blocked_is_dumped_killed_and_replaced",
                "a_stopped_runtime_is_killed_and_replaced",
            ),
            *_in(
                EXHAUSTION,
                "a_runtime_without_memory_answers_an_error_or_is_taken_over_and_nothing_acknowledged_is_lost",
            ),
            "scenario/test_kills.py",
            "scenario/test_runs_kills.py",
        ),
    ),
    Row(
        30,
        "root killed; agent host killed",
        (
            *_in(
                HOST_CHILD,
                "nothing_outlives_a_root_that_is_killed",
                "nothing_outlives_a_root_that_is_killed_with_its_host_stopped",
                "a_host_that_is_killed_is_swept_after_and_replaced",
            ),
            *_in(RUNTIME_CHILD, "a_runtime_with_a_blocked_loop_is_gone_when_its_root_was_killed"),
            "supervisor/root/test_writer_lock.py",
            "scenario/test_runs_deaths.py",
        ),
    ),
    Row(
        31,
        "agents that misbehave",
        (MISBEHAVING, "supervisor/agents/test_endings.py", "supervisor/agents/test_delivery.py"),
        _in(MISBEHAVING, "a_flood_without_a_newline_is_stored_whole_and_the_host_stays_small"),
    ),
    Row(
        32,
        "killed at each step of delivering output",
        (
            "faults/test_output_kills.py",
            *_in(
                PROCESSES,
                "killed_while_output_is_delivered_the_log_has_every_byte_once_and_the_status_comes_once",
                "the_agent_host_killed_while_it_delivers_leaves_the_beginning_of_the_output_and_an_interrupted_run",
            ),
        ),
        _in(PROCESSES, "killed_while_output_is_delivered_the_log_has_every_byte_once_and_the_status_comes_once"),
    ),
    Row(
        33,
        "the clock back an hour, on ten years",
        (
            "faults/test_clock_jumps.py",
            "scenario/test_wall_clock.py",
            "actors/kernel/test_clock.py",
            "actors/test_clock_watch.py",
            *_in(
                "actors/test_tasks.py", "a_wall_clock_that_jumps_ends_no_lease", "a_clock_that_jumps_archives_no_task"
            ),
            *_in("actors/test_sessions.py", "a_clock_that_jumps_archives_nobody_and_says_so"),
            *_in("actors/test_runs_retention.py", "a_clock_that_jumps_archives_no_run"),
            *_in("actors/model/test_keys.py", "a_clock_that_jumps_back_forgets_nothing"),
            *_in("actors/storage/test_backups.py", "a_clock_that_went_back_does_not_make_an_old_state_the_newest"),
            *_in("actors/storage/test_disk_store.py", "a_clock_that_jumps_ahead_makes_no_segment_old"),
            *_in("actors/storage/test_retention.py", "a_clock_that_jumped_to_another_century_takes_no_days_place"),
        ),
    ),
    Row(
        34,
        "slow disk",
        _in(
            WRITER,
            "while_a_sync_takes_long_queries_are_answered_and_the_writer_is_not_taken_for_hung",
            "while_a_sync_takes_long_what_waits_is_bounded_and_then_all_of_it_is_answered",
            "health_says_that_the_disk_does_not_answer_while_it_does_not",
        ),
        (
            *_in(ERRORS, "a_slow_disk_slows_commands_down_and_nothing_else"),
            *_in(PROCESSES, "nobody_takes_a_runtime_for_hung_because_its_disk_is_slow"),
        ),
    ),
    Row(
        35,
        "descriptors, processes, threads exhausted",
        (
            "supervisor/agents/test_exhaustion.py",
            *_in(
                EXHAUSTION,
                "without_processes_a_run_fails_clearly_and_the_next_one_begins_when_there_are_some",
                "a_root_without_processes_starts_the_next_runtime_as_soon_as_it_can",
            ),
            *_in(
                LOAD,
                "without_descriptors_connections_wait_and_commands_go_on_and_all_is_well_afterwards",
                "a_root_without_descriptors_starts_the_next_runtime_as_soon_as_it_can",
            ),
            *_in(GATEWAY, "without_free_descriptors_new_clients_wait_until_there_are_some"),
            *_in(RUNTIME_CHILD, "a_runtime_that_cannot_be_spawned_is_tried_again_by_the_rules"),
        ),
    ),
    Row(
        36,
        "clients that flood, trickle and never read",
        (
            GATEWAY,
            "scenario/test_limits.py",
            *_in(LOAD, "under_an_attack_memory_is_bounded_and_others_are_served"),
        ),
        (
            *_in(LOAD, "five_thousand_connections_are_served"),
            *_in(GATEWAY, "of_five_thousand_clients_the_first_thousand_are_served_and_the_others_told"),
        ),
    ),
    Row(
        37,
        "hostile JSON",
        (
            "supervisor/wire/test_strict_json.py",
            *_in(
                "scenario/test_plain_faults.py",
                "json_that_is_not_allowed_is_a_parse_error_and_never_reaches_the_journal",
                "a_batch_with_a_hostile_item_is_refused_whole",
                "every_journal_line_is_json_of_one_line",
            ),
        ),
    ),
    Row(
        38,
        "hostile ids",
        (
            "actors/model/test_ids.py",
            *_in("actors/storage/test_layout.py", "a_name_that_could_leave_its_directory_never_becomes_a_path"),
            *_in(
                "scenario/test_plain_faults.py",
                "an_id_that_could_harm_is_refused",
                "a_path_as_an_id_is_cleaned_and_stays_inside",
            ),
        ),
    ),
    Row(
        39,
        "planted links",
        (
            *_in(
                "actors/storage/test_files.py",
                "a_planted_symbolic_link_is_refused_and_its_target_untouched",
                "a_planted_hard_link_is_refused_but_not_the_name_that_a_backup_explains",
                "a_temporary_name_that_somebody_planted_is_not_used",
            ),
            *_in(
                "actors/storage/test_task_files.py",
                "what_was_planted_at_a_tasks_name_is_set_aside_and_what_it_leads_to_is_untouched",
            ),
            *_in(
                "supervisor/root/test_listener.py",
                "what_was_planted_in_the_sockets_place_is_refused_and_left_alone",
            ),
            *_in("scenario/test_recovery.py", "a_planted_link_in_the_place_of_state_json_is_not_followed"),
        ),
    ),
    Row(
        40,
        "permissions",
        (
            *_in(CASES, "everything_made_is_private_whatever_the_umask"),
            *_in(
                "supervisor/root/test_directory.py",
                "permissions_that_are_not_ours_are_repaired_and_told",
                "a_missing_directory_is_made_private_whatever_the_umask",
            ),
            *_in(
                "supervisor/root/test_listener.py",
                "the_socket_is_private_from_its_first_moment_and_removed_at_the_end",
            ),
            *_in(GATEWAY, "another_user_is_refused"),
            "scenario/test_other_user.py",
        ),
    ),
    Row(
        41,
        "a model: commands, crashes, damage, restarts against a dictionary",
        (
            "faults/test_model.py",
            "actors/model/test_agreement.py",
            *_in("scenario/test_chaos.py", "a_short_trial_keeps_every_promise_and_leaves_nothing_behind"),
        ),
        (
            *_in("faults/test_model.py", "whatever_happens_it_holds_what_a_dictionary_holds"),
            *_in("scenario/test_chaos.py", "ten_minutes_keep_every_promise"),
        ),
    ),
    Row(
        42,
        "fuzzing the decoders",
        (
            *_in(
                JOURNAL,
                "no_content_of_segments_makes_a_scan_raise_or_give_out_what_was_not_written",
            ),
            *_in("actors/storage/test_journal_lines.py", "no_bytes_make_parsing_or_salvaging_raise"),
            *_in(
                SNAPSHOT,
                "no_content_makes_reading_raise_or_give_out_a_record_that_was_not_sealed",
            ),
            *_in("actors/storage/test_codec.py", "no_bytes_make_unsealing_raise"),
            *_in("actors/storage/test_task_files.py", "whatever_stands_in_a_file_it_is_read_or_rejected_with_a_reason"),
            *_in(
                "actors/storage/test_session_files.py",
                "whatever_stands_in_a_file_messages_come_back_in_order_and_can_be_appended",
            ),
            "supervisor/wire/test_fuzz.py",
            *_in("supervisor/parsers/test_parsers.py", "any_bytes_are_survived", "members_of_any_type_are_survived"),
            *_in(
                "supervisor/agents/test_frames.py",
                "any_bytes_are_messages_or_one_typed_error",
                "any_msgpack_is_a_message_or_one_typed_error",
            ),
            *_in("supervisor/root/test_control.py", "anything_else_is_a_broken_channel_and_nothing_worse"),
            # every file of a state directory, and of one of version 1: state, journal, archive, quarantine, marks, lock
            "faults/test_spoiled_files.py",
            *_in("actors/storage/test_segment_head.py", "any_content_is_a_head_or_none"),
            *_in("actors/test_spool.py", "whatever_is_left_is_recorded_or_set_aside_and_nobody_crashes"),
            *_in("actors/test_sessions.py", "whatever_the_archive_holds_of_a_session_nobody_crashes_over_it"),
            # what other tools wrote, what hooks and people say, what comes back
            "supervisor/foreign/test_fuzz.py",
            *_in("supervisor/foreign/test_claude_hook.py", "whatever_a_hook_is_told_is_a_sighting_or_no_hook"),
            "supervisor/config/test_fuzz.py",
            *_in("supervisor/root/test_sink.py", "whatever_a_runtime_prints_is_shown_on_one_line"),
            *_in("supervisor/root/test_conversation.py", "no_line_of_either_side_breaks_it"),
            "supervisor/client/test_exchange.py",
        ),
        _in("supervisor/agents/test_nonsense.py", "a_runtime_that_says_anything_harms_nobody"),
    ),
    Row(
        43,
        "an unknown newer format",
        (
            *_in(
                CASES,
                "a_newer_version_is_refused_untouched",
                "a_journal_line_of_a_newer_version_is_refused_untouched",
                "a_fact_of_a_newer_version_is_refused_untouched",
            ),
            *_in("scenario/test_recovery.py", "a_newer_version_is_refused_with_6_and_untouched"),
        ),
    ),
)


def files() -> list[str]:
    """Every file that a row names, from the checkout's root, in order."""
    return sorted({f"tests/{file}" for row in ROWS for file in row.files})


def table() -> str:
    """One line for each case, with its tests below it."""
    lines = []
    for row in ROWS:
        lines.append(f"{row.number:2}  {row.case}")
        lines += [f"      {'':5} tests/{named}" for named in row.quick]
        lines += [f"      long  tests/{named}" for named in row.long]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(" ".join(files()) if "--files" in sys.argv[1:] else table())
    sys.stdout.write("\n")
