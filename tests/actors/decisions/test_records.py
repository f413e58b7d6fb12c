"""Events, text logs, reports, and runs that somebody else carries out."""

from __future__ import annotations

import pytest

from actors.messages import records as ask
from actors.model.errors import AlreadyExists, InvalidParams
from actors.model.ids import foreign_session_id
from tests.kit.decided import START, Bench

SESSION = "0190163d-8694-739b-aea5-966c26f8ad91"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_event_is_answered_as_it_is_kept(bench: Bench) -> None:
    event = bench.do(ask.EventRecord(type="deploy:done", message="live", detail={"version": 4}))
    assert event == {
        "id": event["id"],
        "created_at": START,
        "level": "info",
        "type": "deploy:done",
        "message": "live",
        "detail": {"version": 4},
        "rev": 1,
    }
    assert event["id"] != bench.do(ask.EventRecord(type="t", message="m"))["id"]


def test_text_is_appended_at_the_offset_in_bytes_that_the_row_counts(bench: Bench) -> None:
    assert bench.do(ask.LogAppend(session_id=SESSION, text="héllo\n")) == {"bytes": 7}
    assert bench.do(ask.LogAppend(session_id=f"sess_{SESSION}", text="x")) == {"bytes": 8}
    facts = [line.facts[0] for line in bench.lines]
    assert [(fact.members()["offset"], fact.members()["text"]) for fact in facts] == [(0, "héllo\n"), (7, "x")]
    assert bench.row("logs", f"session_{SESSION}") == {"id": f"session_{SESSION}", "bytes": 8, "rev": 2}


def test_a_log_of_no_session_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidParams) as caught:
        bench.do(ask.LogAppend(session_id="../x", text="x"))
    assert caught.value.details["violations"][0]["path"] == "session_id"


def test_a_report_says_where_it_is_and_its_row_holds_no_data(bench: Bench) -> None:
    assert bench.do(ask.ReportSave(data={"passed": 12}, id="week/ly")) == {
        "id": "weekly",
        "path": "reports/report_weekly.json",
    }
    assert bench.row("reports", "weekly") == {"id": "weekly", "created_at": START, "bytes": 13, "rev": 1}
    assert bench.lines[0].facts[0].members()["data"] == {"passed": 12}


def test_a_report_that_is_saved_again_keeps_when_it_was_made(bench: Bench) -> None:
    bench.do(ask.ReportSave(data=1, id="weekly"))
    bench.pass_s(60)
    bench.do(ask.ReportSave(data=[1, 2], id="weekly"))
    assert bench.row("reports", "weekly") == {"id": "weekly", "created_at": START, "bytes": 5, "rev": 2}


def test_a_report_whose_id_only_becomes_anothers_is_refused(bench: Bench) -> None:
    bench.do(ask.ReportSave(data=1, id="week/ly"))
    with pytest.raises(AlreadyExists):
        bench.do(ask.ReportSave(data=2, id="week:ly"))
    assert bench.row("reports", "weekly")["rev"] == 1


def test_times_of_a_run_get_one_form_and_what_is_no_time_is_refused(bench: Bench) -> None:
    run = bench.do(ask.RunPut(run=ask.WholeRun(id="r", started_at="2024-01-01T12:00:00+02:00", ended_at=None)))
    assert (run["started_at"], run["ended_at"]) == ("2024-01-01T10:00:00.000Z", None)
    with pytest.raises(InvalidParams) as caught:
        bench.do(ask.RunPut(run=ask.WholeRun(id="r", ended_at="soon")))
    assert caught.value.details["violations"][0]["path"] == "run.ended_at"


def test_a_run_is_made_when_its_id_is_new_and_changed_otherwise(bench: Bench) -> None:
    made = bench.do(ask.RunPut(run=ask.WholeRun(id="r", task_id="t", status="running", pid=7, rev=99)))
    assert (made["status"], made["pid"], made["attempt"], made["rev"]) == ("running", 7, 1, 1)
    ended = bench.do(
        ask.RunPut(run=ask.WholeRun(id="r", status="exited", exit_code=0, pid=None, stdout=ask.StreamGiven(bytes=3)))
    )
    assert ended == made | {
        "status": "exited", "exit_code": 0, "pid": None, "stdout": {"bytes": 3, "path": None}, "rev": 2,
    }  # fmt: skip


def test_a_run_names_its_session_by_its_uuid(bench: Bench) -> None:
    run = bench.do(ask.RunPut(run=ask.WholeRun(id="r", session_id="session_1704067200001")))
    assert run["session_id"] == foreign_session_id("session_1704067200001")
    with pytest.raises(InvalidParams) as caught:
        bench.do(ask.RunPut(run=ask.WholeRun(id="r", session_id="..")))
    assert caught.value.details["violations"][0]["path"] == "run.session_id"
