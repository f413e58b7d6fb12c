"""Decisions about services: what commands and the configuration want, and what a life's beginning and end mean."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import pytest

from actors.decisions.decision import Decision, Rules
from actors.decisions.runs_ends import Ending, ended
from actors.decisions.runs_life import started
from actors.decisions.services import configured
from actors.messages import services as ask
from actors.messages.runs import RunStop
from actors.model.errors import Conflict, NotFound
from actors.running.rules import RunRules
from actors.running.services import ServiceSpec
from tests.kit.decided import Bench

CODEX = ServiceSpec(name="codex", command="codex", args=("app-server",), cwd="work")


def bench(*specs: ServiceSpec, up_at: str = "up 1") -> Bench:
    """A bench on which Perdure came up with these services."""
    made = Bench(rules=rules(*specs, up_at=up_at))
    made.commit(*configured(made.draft(), made.at).facts)
    return made


def rules(*specs: ServiceSpec, up_at: str = "up 1") -> Rules:
    services = {spec.name: spec for spec in specs or (CODEX,)}
    return Rules(runs=RunRules(services=services, up_at=up_at, cwd="/home"))


def reconfigure(made: Bench, *specs: ServiceSpec, up_at: str = "up 1") -> None:
    made.rules = rules(*specs, up_at=up_at)
    made.commit(*configured(made.draft(), made.at).facts)


def take(made: Bench, decide: Any) -> Decision:
    """Commit what the runs actor decides by itself."""
    decision: Decision = decide(made.draft(), made.at)
    if decision.facts:
        made.commit(*decision.facts)
    return decision


def begin(made: Bench, run_id: str = "r1", *, is_judged: bool = False, is_restart: bool = False) -> str:
    """Have a life begun; return the run that is it."""
    found = made.do(ask.LifeBegin(name="codex", run_id=run_id, is_judged=is_judged, is_restart=is_restart))
    return str(found["id"])


def run(made: Bench, run_id: str = "r1") -> None:
    """Its process is there."""
    take(made, partial(started, run_id=run_id, pid=77, pid_started=1234))


def end(made: Bench, run_id: str = "r1", **members: Any) -> None:
    """Its process is gone."""
    given = {"happening": "exit", "exit_code": None, **members}
    take(made, partial(ended, run_id=run_id, ending=Ending(**given)))


def living(made: Bench, run_id: str = "r1") -> None:
    begin(made, run_id, is_judged=True)
    run(made, run_id)


def service(made: Bench) -> dict[str, Any]:
    found: dict[str, Any] = made.row("services", "codex")
    return found


def ops(made: Bench) -> list[str]:
    return [fact.op for fact in made.lines[-1].facts]


def test_a_configured_service_is_wanted_and_gets_a_life_in_one_line() -> None:
    made = bench()
    assert (service(made)["status"], service(made)["cwd"], service(made)["wanted"]) == ("starting", "/home/work", True)
    assert begin(made) == "r1"
    assert ops(made) == ["run.queued", "run.ordered", "service.begun"]
    life = made.row("runs", "r1")
    assert (life["tool"], life["status"], life["attempt"], life["task_id"]) == ("service:codex", "starting", 1, None)
    assert (life["argv"], life["cwd"]) == (["codex", "app-server"], "/home/work")
    run(made)
    assert ops(made) == ["run.started", "service.started"]
    assert (service(made)["status"], service(made)["pid"], service(made)["pid_started"]) == ("running", 77, "1234")


def test_asking_twice_for_a_life_gives_the_one_there_is() -> None:
    made = bench()
    assert [begin(made), begin(made), begin(made, "r2", is_restart=True)] == ["r1", "r1", "r1"]
    assert (service(made)["lives"], service(made)["restarts"]) == (1, 0)


@pytest.mark.parametrize(
    ("ending", "shown", "error"),
    [
        ({"exit_code": 0}, (0, None), None),
        ({"exit_code": 3}, (3, None), {"kind": "exit_code", "message": "exit code 3"}),
        ({"signal": 9}, (None, 9), {"kind": "signal", "message": "ended by SIGKILL"}),
        ({"happening": "interrupt", "reason": "gone"}, (None, None), {"kind": "interrupted", "message": "gone"}),
    ],
)
def test_how_a_life_ended_is_in_the_service_s_record(
    ending: dict[str, Any], shown: tuple[int | None, int | None], error: dict[str, str] | None
) -> None:
    made = bench()
    living(made)
    end(made, **ending)
    assert ops(made) == ["run.ended", "service.exited"]
    row = service(made)
    assert (row["status"], row["pid"], row["wanted"], row["exited_at"]) == ("stopped", None, True, made.stamp)
    assert ((row["exit_code"], row["signal"]), row["last_error"]) == (shown, error)


def test_a_life_that_ended_unseen_is_given_to_be_judged_and_then_another_one_begins() -> None:
    made = bench()
    living(made)
    end(made, exit_code=3)
    assert begin(made, "r2") == "r1"
    assert begin(made, "r2", is_judged=True, is_restart=True) == "r2"
    row = service(made)
    assert (row["restarts"], row["lives"], row["run_id"], row["exit_code"]) == (1, 2, "r2", None)
    assert row["last_error"]["kind"] == "exit_code"


@pytest.mark.parametrize(
    ("judgement", "op", "status", "wanted"),
    [
        (ask.LifeDelayed(name="codex", run_id="r1"), "service.backed_off", "backing_off", True),
        (ask.LifeLast(name="codex", run_id="r1"), "service.stopped", "stopped", False),
        (ask.GivenUp(name="codex", run_id="r1", message="too often"), "service.failed", "failed", True),
    ],
)
def test_what_the_supervisor_made_of_an_end_is_written_down_once(
    judgement: Any, op: str, status: str, wanted: bool
) -> None:
    made = bench()
    living(made)
    assert made.decide(judgement).facts == ()  # it lives
    end(made, exit_code=3)
    assert made.decide(msgspec.structs.replace(judgement, run_id="another")).facts == ()
    made.do(judgement)
    assert ops(made) == [op]
    assert (service(made)["status"], service(made)["wanted"]) == (status, wanted)
    assert made.decide(judgement).facts == ()


def test_what_was_judged_too_late_changes_nothing() -> None:
    made = bench()
    living(made)
    end(made, exit_code=3)
    made.do(ask.ServiceRestart(name="codex"))
    assert service(made)["status"] == "starting"
    for late in (ask.LifeLast(name="codex", run_id="r1"), ask.LifeDelayed(name="codex", run_id="r1")):
        assert made.decide(late).facts == ()


def test_a_stop_ends_the_life_in_the_same_line_and_no_other_begins() -> None:
    made = bench()
    living(made)
    made.do(ask.ServiceStop(name="codex"))
    assert ops(made) == ["run.end_asked", "service.stopped"]
    assert (service(made)["status"], service(made)["wanted"]) == ("running", False)
    assert made.decide(ask.ServiceStop(name="codex")).facts == ()
    end(made, signal=15)
    assert made.row("runs", "r1")["status"] == "cancelled"
    assert (service(made)["status"], service(made)["last_error"]) == ("stopped", None)
    with pytest.raises(Conflict, match="not to run"):
        begin(made, "r2")
    assert made.decide(ask.ServiceStop(name="codex")).facts == ()


def test_a_start_of_one_that_runs_changes_nothing_and_of_one_that_leaves_lets_another_life_follow() -> None:
    made = bench()
    living(made)
    assert made.decide(ask.ServiceStart(name="codex")).facts == ()
    made.do(ask.ServiceStop(name="codex"))
    made.do(ask.ServiceStart(name="codex"))
    assert (service(made)["status"], service(made)["wanted"]) == ("starting", True)
    assert begin(made, "r2") == "r1"  # it is not gone yet
    end(made, signal=15)
    assert begin(made, "r2", is_judged=True) == "r2"
    assert service(made)["restarts"] == 0


def test_a_restart_ends_the_life_and_wants_another() -> None:
    made = bench()
    living(made)
    made.do(ask.ServiceRestart(name="codex"))
    assert ops(made) == ["run.end_asked", "service.wanted"]
    assert service(made)["status"] == "starting"
    end(made, exit_code=0)
    assert (made.row("runs", "r1")["status"], service(made)["status"]) == ("cancelled", "stopped")


@pytest.mark.parametrize("command", [ask.ServiceStart, ask.ServiceRestart])
def test_one_that_is_given_up_or_stopped_is_begun_anew_by_command(command: type) -> None:
    made = bench()
    living(made)
    end(made, exit_code=3)
    made.do(ask.GivenUp(name="codex", run_id="r1", message="too often"))
    with pytest.raises(Conflict):
        begin(made, "r2")
    made.do(command(name="codex"))
    assert (service(made)["status"], service(made)["last_error"]) == ("starting", None)
    assert begin(made, "r2") == "r2"
    made.do(ask.ServiceStop(name="codex"))
    end(made, "r2", exit_code=0)
    made.do(command(name="codex"))
    assert (service(made)["status"], service(made)["wanted"]) == ("starting", True)


def test_a_process_that_came_up_after_it_was_stopped_is_no_running_service() -> None:
    made = bench()
    begin(made)
    made.do(ask.ServiceStop(name="codex"))
    run(made)
    assert ops(made) == ["run.started"]
    end(made, signal=15)
    assert service(made)["status"] == "stopped"


def test_the_end_that_its_supervisor_asks_for_leaves_it_wanted() -> None:
    made = bench()
    living(made)
    made.do(ask.LifeEnd(name="codex", run_id="r1", grace_s=1.0))
    assert ops(made) == ["run.end_asked"]
    end(made, exit_code=0)
    assert (service(made)["status"], service(made)["wanted"]) == ("stopped", True)
    assert made.decide(ask.LifeEnd(name="codex", run_id="r1", grace_s=1.0)).facts == ()


def test_under_the_same_perdure_only_the_configured_part_is_refreshed() -> None:
    made = bench()
    living(made)
    reconfigure(made, CODEX)
    assert service(made)["rev"] == 3
    reconfigure(made, msgspec.structs.replace(CODEX, args=("serve",), endpoint="ws://here"))
    row = service(made)
    assert (row["args"], row["endpoint"], row["status"], row["run_id"], row["rev"]) == (
        ["serve"],
        "ws://here",
        "running",
        "r1",
        4,
    )


def test_a_perdure_that_comes_up_wants_every_service_and_leaves_old_lives_behind() -> None:
    made = bench()
    living(made)
    made.do(ask.ServiceStop(name="codex"))
    reconfigure(made, CODEX, up_at="up 2")
    row = service(made)
    assert (row["status"], row["wanted"], row["run_id"], row["pid"]) == ("starting", True, None, None)
    assert row["last_error"]["kind"] == "interrupted"
    assert begin(made, "r2") == "r2"
    end(made, "r1", happening="interrupt")
    assert ops(made) == ["run.ended"]
    assert (service(made)["status"], service(made)["run_id"]) == ("starting", "r2")


def test_a_service_that_is_configured_no_more_leaves_and_can_come_back() -> None:
    made = bench()
    reconfigure(made, msgspec.structs.replace(CODEX, name="other"), up_at="up 2")
    assert made.row("services", "codex") is None
    with pytest.raises(NotFound) as unknown:
        made.do(ask.ServiceStart(name="codex"))
    assert unknown.value.hint == "configured are other"
    reconfigure(made, CODEX, up_at="up 3")
    assert service(made)["rev"] == 3  # beyond its tombstone, so that no older copy wins


def test_a_life_is_no_run_that_a_client_may_stop() -> None:
    made = bench()
    living(made)
    with pytest.raises(Conflict) as refused:
        made.do(RunStop(id="r1"))
    assert "service stop codex" in (refused.value.hint or "")
