"""Services kept level with their rows: real supervisors and actors, a host that the test plays."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
import trio
from attrs import define

from actors.decisions.decision import Rules
from actors.messages.request import Outcome, Request
from actors.messages.services import ServiceList, ServiceRestart, ServiceStart, ServiceStop
from actors.model.errors import NotFound
from actors.model.service import Restart, Service
from actors.running.rules import RunRules
from actors.running.services import ServiceSpec
from actors.runs import Runs
from supervisor.runtime.services.methods import service_methods
from supervisor.runtime.services.records import Records
from supervisor.runtime.services.supervisors import Services
from supervisor.tree.chaos import Harm
from supervisor.tree.policy import Backoff, Intensity
from supervisor.tree.spec import ChildSpec, SupervisorSpec
from supervisor.tree.supervisor import Supervisor
from tests.kit.core import PATIENCE_S, Core, running_core
from tests.kit.fake_host import FakeHost, Process
from tests.kit.held_disk import held_disk

ONE = ServiceSpec(name="one", command="one", stop_grace_s=7.0)
LONG_PAUSES = Backoff(base_s=3600, max_s=3600)


@define(eq=False)
class Kept:
    """Services that are kept running."""

    core: Core
    host: FakeHost
    records: Records
    services: Services
    tree: Supervisor

    def row(self) -> Service:
        found = self.records.service("one")
        assert found is not None
        return found

    async def until(self, status: str, lives: int = 1) -> Service:
        """Wait until it stands so, in this life or a later one."""
        await self.core.until(lambda: self.row().status == status and self.row().lives >= lives)
        return self.row()

    def process(self) -> Process:
        return self.host.processes[self.row().run_id or ""]

    async def leaves(self, exit_code: int | None = None, signal: int | None = None) -> None:
        """Its process leaves, once it is there."""
        await self.until("running")
        self.host.exit(self.row().run_id or "", exit_code, signal)

    async def ask(self, params: Any) -> dict[str, Any]:
        """Ask as a client does."""
        name = "service." + type(params).__name__.removeprefix("Service").lower()
        with trio.fail_after(PATIENCE_S):
            answer: dict[str, Any] = await service_methods(self.records)[name](request(name, params))
        return answer


def request(name: str, params: Any) -> Request:
    return Request(name, params, _unheard, ref="test")


def _unheard(_outcome: Outcome) -> None:
    raise AssertionError("what is awaited is not told")


@asynccontextmanager
async def core_of(root: Path, host: FakeHost, *specs: ServiceSpec) -> AsyncIterator[tuple[Core, Records]]:
    """A core with services configured, and nobody yet who keeps them running."""
    found: list[Records] = []

    def before(core: Core) -> None:
        host.home = core.refs["runs"]
        host.is_attached = False
        core.hall.link = host
        found.append(Records(core.ledger, core.refs["runs"]))
        core.hall.changed = found[0].changed

    services = {spec.name: spec for spec in specs or (ONE,)}
    rules = Rules(runs=RunRules(services=services, up_at="up"))
    async with running_core(root, rules=rules, before=before) as core:
        yield core, found[0]
    host.home = None
    host.is_attached = False


@asynccontextmanager
async def keeping(
    core: Core, records: Records, host: FakeHost, restarts_max: int = 3, backoff: Backoff | None = None
) -> AsyncIterator[Kept]:
    """Keep the services of a core running; what ends at the end is this supervision, and not the processes."""
    rules = core.places["runs"].rules.runs
    services = Services(
        rules.services,
        records,
        up_at=rules.up_at,
        intensity=Intensity(restarts_max, 3600),
        backoff=backoff or Backoff(base_s=0.001, max_s=0.002),
        restarts=Counter(),
        log=structlog.get_logger(),
    )
    tree = Supervisor(SupervisorSpec(name="runtime", children=(ChildSpec(name="services", run=services.run),)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tree.run)
        assert await tree.wait_ready()
        yield Kept(core, host, records, services, tree)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def kept(root: Path, host: FakeHost, *specs: ServiceSpec, **how: Any) -> AsyncIterator[Kept]:
    async with core_of(root, host, *specs) as (core, records), keeping(core, records, host, **how) as one:
        yield one


async def test_a_life_begins_when_there_is_a_host(tmp_path: Path) -> None:
    host = FakeHost(is_connected=False)
    async with kept(tmp_path, host) as one:
        await one.core.until(lambda: len(one.core.hall.beginning) == 1)
        assert (one.row().status, one.row().run_id) == ("starting", None)
        host.connect()
        row = await one.until("running")
        assert (row.lives, row.pid) == (1, one.process().pid)
        (view,) = one.services.views(above="runtime")
        assert (view.path, view.restarts) == ("runtime/services/one", 0)


async def test_a_new_supervision_adopts_the_life_that_goes_on(tmp_path: Path) -> None:
    host = FakeHost()
    async with core_of(tmp_path, host) as (core, records):
        async with keeping(core, records, host) as one:
            before = await one.until("running")
        async with keeping(core, records, host) as one:
            await one.core.until(lambda: any(str(view.state) == "running" for view in one.services.views("runtime")))
            assert one.row() == before
    assert host.spawned.total() == 1


async def test_an_end_that_nobody_saw_is_judged_by_whoever_comes_next(tmp_path: Path) -> None:
    host = FakeHost()
    async with core_of(tmp_path, host, msgspec.structs.replace(ONE, restart="transient")) as (core, records):
        async with keeping(core, records, host) as one:
            await one.until("running")
        host.exit(one.row().run_id or "", 0)
        await one.until("stopped")
        assert one.row().wanted
        async with keeping(core, records, host) as one:
            await core.until(lambda: not one.row().wanted)
            assert (one.row().status, one.row().lives) == ("stopped", 1)


@pytest.mark.parametrize("spared", ["services", "runs"])
async def test_a_crash_of_either_side_costs_no_life(tmp_path: Path, spared: str) -> None:
    host = FakeHost()
    async with kept(tmp_path, host) as one:
        before = await one.until("running")
        if spared == "runs":
            await one.tree.restart_child("services")
            await one.until("running", lives=2)  # an orderly stop of its supervisor is a stop of the service
        else:
            await one.core.restart("runs")
            await one.leaves(3)
            assert (await one.until("running", lives=2)).restarts == 1
        assert before.run_id != (await one.until("running", lives=2)).run_id
    assert max(host.spawned.values()) == 1


@pytest.mark.parametrize("harm", [Harm.CRASH, Harm.CANCEL])
async def test_when_all_supervisors_of_services_go_the_lives_go_on(tmp_path: Path, harm: Harm) -> None:
    host = FakeHost()
    async with kept(tmp_path, host) as one:
        before = await one.until("running")
        one.tree.crash_child("services", harm)
        await one.core.until(lambda: one.tree.tree().find("runtime/services").incarnation == 2)
        await one.core.until(lambda: any(str(view.state) == "running" for view in one.services.views("runtime")))
        assert one.row() == before
        await one.ask(ServiceStop(name="one"))
    assert host.spawned.total() == 1


async def test_one_that_leaves_too_often_is_given_up_and_begun_anew_with_all_patience(tmp_path: Path) -> None:
    host = FakeHost()
    async with kept(tmp_path, host, restarts_max=1) as one:
        await one.leaves(3)
        await one.until("running", lives=2)
        await one.leaves(3)
        row = await one.until("failed")
        assert (row.restarts, row.last_error["message"]) == (
            1,
            "more than 1 restarts within 3600 s, the last: exit code 3",
        )
        await one.core.until(lambda: not list(one.services.views("runtime")))
        assert (await one.ask(ServiceStart(name="one")))["status"] == "running"
        await one.leaves(3)
        assert (await one.until("running", lives=4)).restarts == 1


async def test_one_whose_first_process_cannot_be_made_is_given_up_at_once(tmp_path: Path) -> None:
    host = FakeHost(refuses={"one": "there is no such command"})
    async with kept(tmp_path, host) as one:
        row = await one.until("failed")
        assert row.last_error == {
            "kind": "failed_to_start",
            "message": "it did not start: there is no such command",
        }
        assert row.lives == 1
        assert (await one.ask(ServiceStart(name="one")))["status"] == "failed"
        host.refuses.clear()
        assert (await one.ask(ServiceRestart(name="one")))["status"] == "running"


async def test_deaths_of_the_host_are_not_counted(tmp_path: Path) -> None:
    host = FakeHost()
    async with kept(tmp_path, host, restarts_max=0, backoff=LONG_PAUSES) as one:
        for lives in (1, 2, 3):
            await one.until("running", lives)
            host.die()
        row = await one.until("running", lives=4)
        assert row.last_error == {"kind": "interrupted", "message": "the agent host is gone, and the agent with it"}
        await one.leaves(3)
        await one.until("failed")


async def test_a_command_does_not_wait_for_a_long_pause(tmp_path: Path) -> None:
    host = FakeHost()
    async with kept(tmp_path, host, backoff=LONG_PAUSES) as one:
        await one.leaves(3)
        await one.until("running", lives=2)
        await one.leaves(3)
        await one.until("backing_off")
        assert (await one.ask(ServiceRestart(name="one")))["status"] == "running"
        await one.leaves(3)
        await one.until("backing_off")
        stopped = await one.ask(ServiceStop(name="one"))
        assert (stopped["status"], stopped["wanted"]) == ("stopped", False)
        await one.core.until(lambda: not list(one.services.views("runtime")))
        assert (await one.ask(ServiceStart(name="one")))["lives"] == 4


@pytest.mark.parametrize(
    ("restart", "exit_code", "comes_back"),
    [
        ("permanent", 0, True),
        ("permanent", 3, True),
        ("transient", 0, False),
        ("transient", 3, True),
        ("temporary", 0, False),
        ("temporary", 3, False),
    ],
)
async def test_what_follows_an_end_is_the_tree_s_own_table(
    tmp_path: Path, restart: Restart, exit_code: int, comes_back: bool
) -> None:
    host = FakeHost()
    async with kept(tmp_path, host, msgspec.structs.replace(ONE, restart=restart)) as one:
        await one.leaves(exit_code)
        if comes_back:
            assert (await one.until("running", lives=2)).restarts == 1
        else:
            await one.core.until(lambda: not one.row().wanted)
            assert (one.row().status, one.row().exit_code) == ("stopped", exit_code)
            assert (await one.ask(ServiceStart(name="one")))["lives"] == 2


async def test_a_restart_by_command_gives_also_a_temporary_one_another_life(tmp_path: Path) -> None:
    host = FakeHost()
    async with kept(tmp_path, host, msgspec.structs.replace(ONE, restart="temporary")) as one:
        await one.until("running")
        row = await one.ask(ServiceRestart(name="one"))
        assert (row["status"], row["lives"], row["restarts"]) == ("running", 2, 0)


async def test_a_service_that_is_stopped_has_its_own_grace_and_when_everything_stops_not_more_than_there_is(
    tmp_path: Path,
) -> None:
    host = FakeHost()
    async with kept(tmp_path, host) as one:
        await one.until("running")
        process = one.process()
        await one.ask(ServiceStop(name="one"))
        assert process.asked_to_end == [7.0]
        await one.ask(ServiceStart(name="one"))
        process = one.process()
        one.services.limit_grace(2.0)
        one.tree.stop()
        row = await one.until("stopped")
        assert (process.asked_to_end, row.wanted, row.last_error) == ([2.0], True, None)


async def test_a_key_that_comes_twice_restarts_once(tmp_path: Path) -> None:
    host = FakeHost()
    async with kept(tmp_path, host) as one:
        await one.until("running")
        method = service_methods(one.records)["service.restart"]
        for _ in range(2):
            asked = request("service.restart", ServiceRestart(name="one"))
            asked.key, asked.digest = "k", "d"
            with trio.fail_after(PATIENCE_S):
                assert (await method(asked))["lives"] == 2


async def test_a_name_that_is_not_configured_is_not_found(tmp_path: Path) -> None:
    async with kept(tmp_path, FakeHost()) as one:
        for params in (ServiceStart(name="two"), ServiceStop(name="two"), ServiceRestart(name="two")):
            with pytest.raises(NotFound, match="there is no service two"):
                await one.ask(params)


async def test_the_list_shows_them_by_name(tmp_path: Path) -> None:
    async with core_of(tmp_path, FakeHost(), ONE, msgspec.structs.replace(ONE, name="a")) as (core, _records):
        found = await core.ask("runs", ServiceList())
        assert [row["name"] for row in found["services"]] == ["a", "one"]
        assert msgspec.convert(found["services"][1], Service).command == "one"


async def test_a_life_ordered_from_a_host_that_died_meanwhile_is_interrupted_and_not_waited_for(tmp_path: Path) -> None:
    host = FakeHost()
    async with core_of(tmp_path, host) as (core, records):
        with held_disk(core) as gate:
            async with keeping(core, records, host, restarts_max=0) as one:
                await core.until(gate.reached.is_set)
                host.die()
                await core.until(lambda: host.is_attached)
                await core.until(lambda: _has_heard(core, host))
                gate.open()
                row = await one.until("running", lives=2)
                assert row.last_error["kind"] == "interrupted"
    assert host.spawned.total() == 1


def _has_heard(core: Core, host: FakeHost) -> bool:
    """Whether the runs actor knows which host there is."""
    runs = core.behaviours["runs"]
    assert isinstance(runs, Runs)
    return runs._agents.host == (host.pid, host.pid * 100)
