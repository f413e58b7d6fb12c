"""The table of a service's statuses."""

from __future__ import annotations

import pytest

from actors.decisions.decision import encode
from actors.model.errors import InvalidTransition
from actors.model.run import Run, Stream, output_path
from actors.model.service import TRANSITIONS, Service, next_status, tool_of
from actors.model.tables import decode_service, run_row


def test_what_a_life_goes_through_is_allowed() -> None:
    status = "stopped"
    for happening, expected in (
        ("begin", "starting"),
        ("run", "running"),
        ("exit", "stopped"),
        ("back_off", "backing_off"),
        ("begin", "starting"),
        ("exit", "stopped"),
        ("fail", "failed"),
        ("begin", "starting"),
    ):
        status = next_status("codex", status, happening)
        assert status == expected


@pytest.mark.parametrize(
    ("status", "happening"), [("stopped", "run"), ("failed", "run"), ("backing_off", "exit"), ("running", "fail")]
)
def test_anything_else_is_refused_naming_what_is_allowed(status: str, happening: str) -> None:
    with pytest.raises(InvalidTransition) as refused:
        next_status("codex", status, happening)
    assert f"codex is {status}" in refused.value.message
    assert all(what in (refused.value.hint or "") for origin, what in TRANSITIONS if origin == status)


def test_a_service_that_is_not_running_any_more_can_always_be_begun() -> None:
    assert all((status, "begin") in TRANSITIONS for status in ("stopped", "starting", "backing_off", "failed"))


def test_a_row_is_read_as_it_was_written() -> None:
    service = Service(id="codex", name="codex", command="codex", args=("app-server",), wanted=False, lives=3)
    assert decode_service(encode(service)) == service


@pytest.mark.parametrize(
    ("members", "service"),
    [
        ({"tool": tool_of("codex")}, "codex"),
        ({"tool": tool_of("codex"), "task_id": "t"}, None),
        ({"tool": "CODEX"}, None),
        ({"tool": tool_of("codex"), "stdout": Stream(path="/elsewhere")}, None),
    ],
)
def test_only_a_run_of_our_own_without_a_task_is_a_service_s_life(members: dict[str, object], service: str) -> None:
    given = {"stdout": Stream(path=output_path("r", "stdout")), **members}
    assert run_row(encode(Run(id="r", **given))).service == service  # type: ignore[arg-type]
