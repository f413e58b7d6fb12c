"""supervisor/cli/choices.py: the words offered are those that the runtime knows."""

from typing import get_args

from actors.model import run, session, task
from supervisor.cli import choices, importing, run_view
from supervisor.foreign.kinds import KINDS


def test_what_can_be_imported_is_what_has_a_reader() -> None:
    assert set(importing.KIND_NAMES) == set(KINDS)


def test_the_words_for_runs_are_those_of_the_model() -> None:
    assert set(choices.RUN_STATUSES) == set(get_args(run.Status))
    assert run_view.LIVE == run.LIVE
    assert set(run_view.STYLES) == set(choices.RUN_STATUSES)


def test_the_statuses_of_tasks_and_sessions_are_those_of_the_model() -> None:
    assert set(choices.TASK_STATUSES) == set(get_args(task.Status))
    assert set(choices.SESSION_STATUSES) == set(get_args(session.Status))
    assert set(choices.SESSION_ACTIVITIES) == set(get_args(session.Activity))
