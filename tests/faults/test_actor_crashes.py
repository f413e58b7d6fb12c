"""FAULTS rows 23-26: actors crashed, cancelled and hung while commands are in flight and queued; poison; crash loops.

Whoever asked is answered exactly once; what was acknowledged is there exactly once; only a poison is told of a crash.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from actors.decisions.batch import Step, Steps
from actors.decisions.decision import At, Decision
from actors.domain import Domain
from actors.messages.records import EventList, EventRecord, ReportSave, RunGet, RunPut, WholeRun
from actors.messages.request import Done
from actors.messages.runtime import StateSave
from actors.messages.sessions import SessionCreate, SessionList, SessionRename
from actors.messages.tasks import TaskCreate, TaskGet, TaskList
from actors.model.draft import Draft
from actors.storage.disk_store import DiskStore
from supervisor.root.control import GaveUp
from supervisor.runtime.actor_tree import ActorTree
from supervisor.tree.chaos import Harm
from tests.kit.runtimes import PATHS, Running, Sent, config_of, running_runtime

JOURNAL = "journal/"
SESSION = "11111111-2222-4333-8444-555555555555"
SOON_HUNG: Final = {"hung_after_s": 3.0, "heartbeat_s": 0.1}
"""Above BEAT_EVERY_S, and generous on a busy machine."""

COMMANDS: Final[dict[str, Any]] = {
    "tasks": lambda n: TaskCreate(description=f"crash {n}"),
    "sessions": lambda n: SessionCreate(title=f"s{n}", provider="p", model="m", working_directory="/w"),
    "runs": lambda n: RunPut(run=WholeRun(id=f"r{n}")),
    "events": lambda n: EventRecord(type="note", message=f"m{n}"),
    "reports": lambda n: ReportSave(data={"n": n}),
}
"""Actor → a command of its own, one of many."""


def rows(running: Running, actor: str) -> Counter[str]:
    """How often each of the commands above took effect."""
    table = running.assembly.ledger.tables.by_name[actor].rows.values()
    if actor == "events":
        return Counter(row.id for row in table if b'"note"' in row.encoded)
    return Counter(row.id for row in table)


def incarnations(running: Running) -> int:
    return sum(running.view(actor).incarnation for actor in PATHS)


async def all_answered(running: Running, sent: list[Sent]) -> list[Any]:
    """Every request is answered exactly once, none with an error."""
    outcomes = [await one.outcome() for one in sent]
    assert [outcome for outcome in outcomes if not isinstance(outcome, Done)] == []
    return [await one.result() for one in sent]


@pytest.mark.parametrize("harm", [Harm.CRASH, Harm.CANCEL])
@pytest.mark.parametrize("actor", COMMANDS)
async def test_whatever_befalls_an_actor_its_clients_see_latency_only(tmp_path: Path, actor: str, harm: Harm) -> None:
    make = COMMANDS[actor]
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("fdatasync", where=JOURNAL)
        sent = running.send_all([make(n) for n in range(20)])
        await running.until(lambda: gate.reached)
        sent += running.send_all([make(n) for n in range(20, 40)])
        running.harm(actor, harm)
        sent += running.send_all([make(n) for n in range(40, 60)])
        await running.until_up(actor, 2)
        sent += running.send_all([make(n) for n in range(60, 80)])
        gate.open()
        await all_answered(running, sent)
        assert sorted(rows(running, actor).values()) == [1] * 80
        assert {running.view(name).incarnation for name in PATHS if name != actor} == {1}
    async with running_runtime(tmp_path) as running:
        assert sorted(rows(running, actor).values()) == [1] * 80


@pytest.mark.parametrize("harm", [Harm.CRASH, Harm.CANCEL])
async def test_whatever_befalls_the_writer_in_a_commit_each_command_takes_effect_once(
    tmp_path: Path, harm: Harm
) -> None:
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("fdatasync", where=JOURNAL)
        sent = [one for make in COMMANDS.values() for one in running.send_all([make(n) for n in range(20)])]
        await running.until(lambda: gate.reached)
        sent += [one for make in COMMANDS.values() for one in running.send_all([make(n) for n in range(20, 40)])]
        running.harm("writer", harm)
        sent += [one for make in COMMANDS.values() for one in running.send_all([make(n) for n in range(40, 60)])]
        gate.open()
        await all_answered(running, sent)
        for actor in COMMANDS:
            assert sorted(rows(running, actor).values()) == [1] * 60
        assert running.view("writer").incarnation == 2
        assert running.view("gateway").incarnation == 1
    async with running_runtime(tmp_path) as running:
        for actor in COMMANDS:
            assert sorted(rows(running, actor).values()) == [1] * 60


async def test_a_command_whose_commit_was_cancelled_is_decided_once_though_the_writer_is_stopped_again(
    tmp_path: Path,
) -> None:
    """What the first restart replayed, the second finds in a snapshot; whoever waits must still be told of it."""
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("fdatasync", where=JOURNAL)
        sent = running.send_all([TaskCreate(description="x") for _ in range(10)])
        await running.until(lambda: gate.reached)
        running.harm("writer", Harm.CANCEL)
        recovering = running.disk.gate("create", where="journal/")
        gate.open()
        await running.until(lambda: recovering.reached)
        async with _restarting(running, "writer"):
            recovering.open()
        await all_answered(running, sent)
        assert len(rows(running, "tasks")) == 10


async def test_what_went_home_before_the_writer_crashed_does_not_go_home_again(tmp_path: Path) -> None:
    """A commit fails, what rested on other revs goes home, and the writer crashes while it comes back."""
    session = SessionCreate(id=SESSION, title="old", provider="p", model="m", working_directory="/w")
    async with running_runtime(tmp_path) as running:
        await running.ask(session)
        gate = running.disk.gate("fdatasync", where=JOURNAL)
        busy = running.send(TaskCreate(description="busy"))
        await running.until(lambda: gate.reached)
        lost = running.send(SessionRename(id=SESSION, title="renamed"))
        await running.until(lambda: running.assembly.mailboxes["writer"].depth == 1)
        steps = running.sent(Steps((Step("session.rename", SessionRename(id=SESSION, title="by the batch")),)))
        running.assembly.mailboxes["tasks"].offer([steps.request])
        after = running.send(TaskCreate(description="after"))
        await running.until(lambda: running.assembly.mailboxes["writer"].depth == 3)
        running.disk.refuse("pwrite", where=JOURNAL, times=1)
        coming_back = running.disk.gate("create", where="state.json.tmp")
        gate.open()
        await busy.result()
        await running.until(lambda: coming_back.reached)
        running.harm("writer", Harm.CRASH)
        coming_back.open()
        assert await lost.kind() == "storage_failed"
        await all_answered(running, [steps, after])
        await running.ask(TaskCreate(description="at last"))
        assert len(rows(running, "tasks")) == 3


def _restarting(running: Running, actor: str) -> Any:
    return _Restart(running, actor)


class _Restart:
    """Restart an actor beside the block."""

    def __init__(self, running: Running, actor: str) -> None:
        self._running = running
        self._actor = actor

    async def __aenter__(self) -> None:
        nursery = self._running.assembly.office.nursery
        assert nursery is not None
        nursery.start_soon(self._running.runtime._tree.restart_child, PATHS[self._actor])
        await self._running.until(lambda: self._running.state(self._actor) in {"stopping", "stopped"})

    async def __aexit__(self, *_error: object) -> None:
        await self._running.until_up(self._actor, 3)


@pytest.mark.parametrize("actors", [(*COMMANDS, "autosave"), ("writer",), ("gateway",)], ids=lambda actors: actors[0])
async def test_hung_actors_are_found_and_restarted_and_what_was_queued_is_served(
    tmp_path: Path, actors: tuple[str, ...]
) -> None:
    async with running_runtime(tmp_path, config=config_of(supervisor=SOON_HUNG)) as running:
        for actor in actors:
            running.harm(actor, Harm.HANG)
        sent = [one for make in COMMANDS.values() for one in running.send_all([make(n) for n in range(20)])]
        for actor in actors:
            await running.until_up(actor, 2)
            crash = running.view(actor).last_crash
            assert crash is not None
            assert crash.reason == "hung"
        await all_answered(running, sent)
        for actor in COMMANDS:
            assert len(rows(running, actor)) == 20


async def test_over_the_socket_each_command_is_answered_once_whoever_crashes(tmp_path: Path) -> None:
    victims = ["tasks", "writer", "gateway", "tasks", "gateway", "writer"]
    async with running_runtime(tmp_path) as running:
        clients = [await running.client() for _ in range(3)]
        for round_number, victim in enumerate(victims):
            for number, client in enumerate(clients):
                names = [f"c{number}-{round_number}-{n}" for n in range(30)]
                await client.send(
                    *(
                        {"jsonrpc": "2.0", "id": name, "method": "task.create", "params": {"description": "x"}}
                        for name in names
                    )
                )
            incarnation = running.view(victim).incarnation
            running.harm(victim, Harm.CRASH)
            await running.until_up(victim, incarnation + 1)
        made: Counter[str] = Counter()
        for number, client in enumerate(clients):
            answered: Counter[str] = Counter()
            for _ in range(30 * len(victims)):
                reply = await client.reply()
                answered[reply["id"]] += 1
                made[reply["result"]["id"]] += 1
            assert answered == {f"c{number}-{r}-{n}": 1 for r in range(len(victims)) for n in range(30)}
            await client.send({"jsonrpc": "2.0", "id": "last", "method": "runtime.ping", "params": {}})
            assert (await client.reply())["id"] == "last", "nothing was answered twice"
        assert made == rows(running, "tasks")
        assert set(made.values()) == {1}


async def perhaps_answered(running: Running, sent: Sent, chance: random.Random) -> None:
    """Wait for the answer, or not quite so long."""
    await running.until(lambda: sent.is_answered or chance.random() < 0.2)


@pytest.mark.parametrize("seed", range(4))
async def test_a_storm_of_crashes_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    config = config_of(supervisor={"restarts_max": 1000})
    async with running_runtime(tmp_path, config=config) as running:
        sent: list[Sent] = []
        keyed: dict[str, list[Sent]] = {}
        for number in range(60):
            actor = chance.choice(list(COMMANDS))
            sent += running.send_all([COMMANDS[actor](f"{number}-{n}") for n in range(chance.randint(1, 8))])
            key = f"k{chance.randint(0, 20)}"
            keyed.setdefault(key, []).append(running.send(TaskCreate(description=key), key=key))
            await perhaps_answered(running, keyed[key][-1], chance)
            if chance.random() < 0.4:
                victim = chance.choice(["writer", "tasks", "sessions", "runs", "events", "reports", "autosave"])
                await running.until_up(victim, 1)
                running.harm(victim, chance.choice([Harm.CRASH, Harm.CANCEL]))
            if chance.random() < 0.1:
                sent.append(running.send(StateSave()))
        await all_answered(running, sent)
        made: dict[str, set[str]] = {}
        for key, repeats in keyed.items():
            made[key] = {result["id"] for result in await all_answered(running, repeats)}
        assert all(len(ids) == 1 for ids in made.values()), "a key is carried out once"
        asked = Counter(one.request.method for one in sent)
        assert len(rows(running, "tasks")) == asked["task.create"] + len(keyed)
        for actor, method in [
            ("sessions", "session.create"),
            ("runs", "run.put"),
            ("events", "event.record"),
            ("reports", "report.save"),
        ]:
            assert len(rows(running, actor)) == asked[method]
        before = {actor: rows(running, actor) for actor in COMMANDS}
    async with running_runtime(tmp_path) as running:
        assert {actor: rows(running, actor) for actor in COMMANDS} == before


async def test_autosave_may_crash_and_nobody_notices(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        for incarnation in range(2, 5):
            running.harm("autosave", Harm.CRASH)
            await running.ask(TaskCreate(description="x"))
            await running.until_up("autosave", incarnation)
        lines = running.assembly.ledger.tables.by_name["daemon"].rows
        assert len(lines) == 1
        assert running.view("tasks").incarnation == 1


async def test_a_crash_is_recorded_as_an_event(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        running.harm("tasks", Harm.CRASH)
        await running.until_up("tasks", 2)
        await running.until(lambda: len(running.assembly.ledger.tables.by_name["events"].rows) == 2)
        events = (await running.ask(EventList(kinds=("event.recorded",))))["events"]
        assert [event["data"]["type"] for event in events] == ["actor:crashed", "actor:restarted"]
        assert events[0]["data"]["detail"]["actor"] == PATHS["tasks"]


# --- poison


def poison_decision(monkeypatch: pytest.MonkeyPatch, mark: str) -> None:
    """Crash the actor that decides on a task with this description, at the moment it decides."""
    honest = Domain.consider

    def consider(self: Domain, request: Any, at: At) -> Any:
        if getattr(request.params, "description", None) == mark:
            raise ZeroDivisionError(mark)
        return honest(self, request, at)

    monkeypatch.setattr(Domain, "consider", consider)


@pytest.mark.parametrize("others", [0, 64])
async def test_a_poison_command_is_told_so_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    poison_decision(monkeypatch, "poison")
    async with running_runtime(tmp_path, config=config_of(supervisor={"restarts_max": 1})) as running:
        commands = [TaskCreate(description="fine", id=f"t{n}") for n in range(others)]
        commands.insert(others // 2, TaskCreate(description="poison"))
        sent = running.send_all(commands)
        poison = sent.pop(others // 2)
        error = await poison.error()
        assert error.kind == "actor_crashed"
        await all_answered(running, sent)
        await running.until_up("tasks", 3)
        (dead,) = running.assembly.mailboxes["tasks"].dead_letters
        assert (dead.what, dead.mailbox) == ("task.create", "tasks")
        assert dead.crash_id == error.details["crash_id"]
        assert {running.view(name).incarnation for name in PATHS if name != "tasks"} == {1}, "nobody else noticed"
        assert len(rows(running, "tasks")) == others


async def test_many_poisons_in_a_row_use_up_one_restart_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poison_decision(monkeypatch, "poison")
    async with running_runtime(tmp_path, config=config_of(supervisor={"restarts_max": 6})) as running:
        sent = running.send_all([TaskCreate(description="poison") for _ in range(6)])
        assert [await one.kind() for one in sent] == ["actor_crashed"] * 6
        await running.ask(TaskCreate(description="fine"))
        assert running.view("runtime/core/domain").incarnation == 1


@pytest.mark.parametrize("others", [0, 64])
async def test_a_command_whose_commit_crashes_the_writer_is_told_so_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    honest = DiskStore.commit

    def commit(self: DiskStore, bodies: Any) -> Any:
        if any(b'"poison"' in body for body in bodies):
            raise ZeroDivisionError
        return honest(self, bodies)

    monkeypatch.setattr(DiskStore, "commit", commit)
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("fdatasync", where=JOURNAL)
        busy = running.send(TaskCreate(description="fine", id="busy"))
        await running.until(lambda: gate.reached)
        commands = [TaskCreate(description="fine", id=f"t{n}") for n in range(others)]
        commands.insert(others // 2, TaskCreate(description="poison"))
        sent = running.send_all(commands)
        await running.until(lambda: running.assembly.mailboxes["writer"].depth == others + 1)
        gate.open()
        poison = sent.pop(others // 2)
        error = await poison.error()
        assert error.kind == "actor_crashed"
        await all_answered(running, [busy, *sent])
        assert len(rows(running, "tasks")) == others + 1
        assert running.view("runtime/core").incarnation == 1
        assert running.assembly.mailboxes["writer"].dead_letters_count == 1


async def test_a_poison_query_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Domain.consider

    def consider(self: Domain, request: Any, at: At) -> Any:
        if isinstance(request.params, TaskGet):
            raise ZeroDivisionError
        return honest(self, request, at)

    monkeypatch.setattr(Domain, "consider", consider)
    async with running_runtime(tmp_path) as running:
        assert await running.send(TaskGet(id="one")).kind() == "actor_crashed"
        await running.ask(TaskList())


async def test_what_an_actor_does_by_itself_is_no_poison_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision of its own that crashes the actor is not tried again by the next incarnation."""

    def decide(_draft: Draft, _at: At) -> Decision:
        raise ZeroDivisionError

    async with running_runtime(tmp_path) as running:
        domain: list[Domain] = []
        made = ActorTree._behaviour

        def behaviour(self: ActorTree, name: str, context: Any) -> Any:
            one = made(self, name, context)
            if name == "runs":
                domain.append(one)  # type: ignore[arg-type]
            return one

        monkeypatch.setattr(ActorTree, "_behaviour", behaviour)
        running.harm("runs", Harm.CRASH)
        await running.until_up("runs", 2)

        async def tick() -> None:
            if len(domain) == 1:
                domain[0].propose_own("run.own", decide)

        domain[0].tick = tick  # type: ignore[method-assign]
        running.assembly.mailboxes["runs"].wake()
        await running.until_up("runs", 3)
        await running.ask(RunPut(run=WholeRun(id="r")))
        assert (await running.ask(RunGet(id="r")))["id"] == "r"
        assert running.view("runs").incarnation == 3


# --- crash loops


async def test_an_actor_that_always_fails_at_start_escalates_until_the_runtime_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def setup(_self: Domain) -> None:
        raise ZeroDivisionError("at start")

    config = config_of(supervisor={"restarts_max": 3})
    async with running_runtime(tmp_path, config=config) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        monkeypatch.setattr("actors.runs.Runs.setup", setup)
        running.harm("runs", Harm.CRASH)
        await running.until(running.ended.is_set)
        assert running.code == 70
        (gave_up,) = running.heard(GaveUp)
        assert "runtime/core" in gave_up.message
    assert running.view("runtime/core").restarts == 3, "the core was tried again, with everybody in it"


async def test_while_an_actor_crash_loops_the_tree_and_everybody_else_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def setup(_self: Domain) -> None:
        raise ZeroDivisionError("at start")

    config = config_of(supervisor={"restarts_max": 1_000_000, "backoff_base_s": 0.01, "backoff_max_s": 0.02})
    async with running_runtime(tmp_path, config=config) as running:
        monkeypatch.setattr("actors.runs.Runs.setup", setup)
        running.harm("runs", Harm.CRASH)
        waiting = running.send(RunPut(run=WholeRun(id="r")))
        await running.until(lambda: running.view("runs").restarts > 5)
        client = await running.client()
        await client.send({"jsonrpc": "2.0", "id": 1, "method": "actor.list", "params": {}})
        actors = {row["name"]: row for row in (await client.reply())["result"]["actors"]}
        assert actors["runs"]["state"] != "running"
        assert actors["runs"]["last_crash"]["message"] == "at start"
        assert actors["runs"]["mailbox_depth"] == 1
        await running.ask(TaskCreate(description="x"))
        await running.ask(SessionList())
        assert not waiting.is_answered
        monkeypatch.undo()
        await waiting.result()
