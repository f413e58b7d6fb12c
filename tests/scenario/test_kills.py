"""Killed under load: the runtime by SIGKILL and by SIGSTOP, every actor in every way. Clients see latency only."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from actors.model.errors import Conflict
from tests.kit.crew import at_work
from tests.kit.perdure import Perdure, Wire, eventually, perdure, watched

RESTLESS = {"supervisor__process_restarts_max": "1000", "supervisor__backoff_max_s": "0.05"}
"""Kills come closer together here than any crash would."""

QUICK = {"supervisor__heartbeat_s": "0.1", "supervisor__hung_after_s": "1.0"}
"""What hangs is found after a second."""


def test_twenty_kills_of_the_runtime_lose_nothing_and_do_nothing_twice(make: Any) -> None:
    whole: Perdure = make(**RESTLESS)
    whole.start()
    with at_work(whole) as crew:
        for _ in range(20):
            crew.wait_for_rounds(8)
            whole.kill_runtime()
    crew.check()
    assert whole.call("runtime.status")["root"]["restarts"] == 20


def test_a_runtime_that_is_stopped_by_a_signal_is_replaced_and_nothing_is_lost(make: Any) -> None:
    whole: Perdure = make(**RESTLESS, **QUICK)
    whole.start()
    with at_work(whole) as crew:
        for _ in range(3):
            crew.wait_for_rounds(8)
            pid = whole.runtime_pid()
            with watched(pid) as until_gone_s:
                os.kill(pid, signal.SIGSTOP)
                until_gone_s()
    crew.check()
    assert "stopped by a signal" in whole.call("runtime.status")["root"]["last_error"]


def test_kills_of_runtime_actors_and_root_under_one_load_lose_nothing(make: Any) -> None:
    whole: Perdure = make(**RESTLESS)
    whole.start()
    with at_work(whole) as crew:
        for _ in range(2):
            for actor in ("tasks", "writer", "sessions", "gateway"):
                crew.wait_for_rounds(4)
                eventually(lambda: struck(whole, actor), "an actor to be there")  # noqa: B023 - called at once
            crew.wait_for_rounds(4)
            whole.kill_runtime()
            crew.wait_for_rounds(4)
            whole.kill_root()
            whole.start()
    crew.check()


def struck(whole: Perdure, actor: str) -> bool:
    """Crash an actor; False while it is on its way back from what struck it before."""
    try:
        with whole.client() as client:
            client.call("actor.kill", name=actor, how="crash")
    except Conflict:
        return False
    return True


ACTORS = ("writer", "tasks", "sessions", "runs", "events", "reports", "autosave", "gateway")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    """One Perdure for all kills of actors."""
    settings = {**RESTLESS, **QUICK, "supervisor__backoff_base_s": "0.01"}
    with perdure(tmp_path_factory.mktemp("kills"), **settings) as one:
        one.start()
        yield one


@pytest.fixture(scope="module")
def old(whole: Perdure) -> Iterator[Wire]:
    """A connection that was opened before anything was killed; it is one and the same for all kills."""
    with whole.wire() as wire:
        yield wire


def commands(session_id: str, number: int) -> list[tuple[str, dict[str, Any]]]:
    """A command for every actor that owns rows, and a query."""
    return [
        ("task.create", {"description": f"{number}"}),
        ("session.append", {"id": session_id, "messages": [{"n": number}]}),
        ("run.put", {"run": {"id": f"run-{session_id}-{number}"}}),
        ("event.record", {"type": "kills", "message": f"{number}"}),
        ("log.append", {"session_id": session_id, "text": f"{number}\n"}),
        ("session.get", {"id": session_id}),
    ]


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("how", ["crash", "cancel", "hang"])
def test_the_kill_of_an_actor_shows_to_an_open_connection_as_latency_only(
    how: str, actor: str, whole: Perdure, old: Wire
) -> None:
    new_session = {"title": "t", "provider": "p", "model": "m", "working_directory": "/"}
    session_id = old.call("session.create", **new_session)["id"]
    before = _row(old, actor)
    pid = whole.runtime_pid()
    posted = [old.post(method, **params) for n in range(10) for method, params in commands(session_id, n)]
    with whole.wire() as killer:
        killer.post("actor.kill", name=actor, how=how)
        posted += [old.post(method, **params) for n in range(10, 20) for method, params in commands(session_id, n)]
        replies = {reply["id"]: reply for reply in (old.reply() for _ in posted)}
    errors = [reply["error"] for reply in replies.values() if "error" in reply]
    assert errors == []
    assert replies.keys() == set(posted)
    assert [message["n"] for message in old.call("session.messages", id=session_id)["messages"]] == list(range(20))
    assert old.call("log.read", session_id=session_id)["text"] == "".join(f"{n}\n" for n in range(20))
    eventually(lambda: _row(old, actor)["incarnation"] > before["incarnation"], f"{actor} was restarted")
    eventually(lambda: _row(old, actor)["state"] == "running", f"{actor} runs again")
    assert whole.runtime_pid() == pid, "the runtime was restarted for it"


def _row(wire: Wire, actor: str) -> dict[str, Any]:
    rows = wire.call("actor.list")["actors"]
    (row,) = [row for row in rows if row["name"] == actor]
    found: dict[str, Any] = row
    return found
