"""Who is built from what: the tree as it is drawn, the configuration as it arrives, and the end of everything."""

from __future__ import annotations

from pathlib import Path

import msgspec

from actors.messages.tasks import TaskCreate
from supervisor.config.schema import Config
from supervisor.runtime.actor_tree import DOMAIN
from supervisor.runtime.settings import gateway_limits, rules, storage_settings, writer_settings
from supervisor.tree.rules import Strategy
from supervisor.tree.spec import ChildSpec, SupervisorSpec
from supervisor.wire.methods import METHODS
from tests.kit.runtimes import PATHS, config_of, running_runtime


async def test_the_tree_is_the_one_that_is_drawn(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        runtime = running.assembly.spec
        core, gateway, alerts = runtime.children
        assert (runtime.name, runtime.strategy) == ("runtime", Strategy.ONE_FOR_ONE)
        assert (gateway.name, alerts.name) == ("gateway", "alerts")
        assert isinstance(core, SupervisorSpec)
        assert (core.name, core.strategy) == ("core", Strategy.REST_FOR_ONE)
        writer, domain = core.children
        assert isinstance(domain, SupervisorSpec)
        assert (writer.name, domain.name, domain.strategy) == ("writer", "domain", Strategy.ONE_FOR_ONE)
        assert [child.name for child in domain.children] == list(DOMAIN)
        assert {view.path for view in running.runtime._tree.tree().walk()} >= set(PATHS.values())


async def test_supervision_is_as_configured(tmp_path: Path) -> None:
    config = config_of(
        supervisor={
            "restarts_max": 7,
            "within_s": 3.0,
            "hung_after_s": 4.0,
            "stop_grace_s": 2.0,
            "healthy_after_s": 9.0,
        }
    )
    async with running_runtime(tmp_path, config=config) as running:
        core = running.assembly.spec.children[0]
        assert isinstance(core, SupervisorSpec)
        assert (core.intensity.restarts_max, core.intensity.within_s) == (7, 3.0)
        assert core.backoff.healthy_after_s == 9.0
        writer = core.children[0]
        assert isinstance(writer, ChildSpec)
        assert (writer.hung_after_s, writer.stop_grace_s) == (4.0, 2.0)
        assert writer.start_within_s == float("inf"), "a recovery takes as long as it takes"


async def test_whoever_the_table_of_methods_names_is_there(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        named = {row.actor for row in METHODS.values()} - {"local"}
        assert named <= set(running.assembly.mailboxes)


def test_every_part_gets_its_part_of_the_configuration() -> None:
    config = config_of(
        state={
            "durability": "interval",
            "durability_interval_s": 0.5,
            "task_files_delay_s": 0.1,
            "snapshot_after_facts": 11,
            "backups_kept": 3,
            "journal_keep": 2,
            "journal_bytes_max": 1 << 20,
            "segment_bytes_max": 1 << 16,
        },
        gateway={"frame_bytes_max": 2048, "connections_max": 5, "in_flight_max": 6, "half_frame_s": 7.0},
        tasks={"logs_kept": 8, "archive_after_days": 9, "lease_s": 10.0},
        sessions={"max": 11, "keep_days": 12},
        runs={"ageing_s": 13.0},
        supervisor={"stop_grace_s": 9.0},
    )
    writer = writer_settings(config)
    assert (writer.durability, writer.durability_interval_s, writer.files_delay_s) == ("interval", 0.5, 0.1)
    assert (writer.snapshot_after_facts, writer.last_files_within_s, writer.answer_bytes_max) == (11, 3.0, 2048)
    storage = storage_settings(config)
    assert (storage.durability, storage.backups_kept, storage.journal_keep_s) == ("interval", 3, 2 * 86_400)
    assert (storage.journal_bytes_max, storage.segment_bytes_max) == (1 << 20, 1 << 16)
    limits = gateway_limits(config)
    assert (limits.frame_bytes_max, limits.connections_max, limits.in_flight_max) == (2048, 5, 6)
    assert limits.half_frame_s == 7.0
    decided = rules(config, Path("/state"), "")
    assert (decided.logs_kept, decided.archive_tasks_after_days, decided.lease_s) == (8, 9, 10.0)
    assert (decided.sessions_max, decided.sessions_keep_days, decided.ageing_s) == (11, 12, 13.0)


async def test_what_is_live_holds_at_once(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        running.assembly.take_live(
            config_of(state={"backups_kept": 2, "autosave_interval_s": 3.0}, tasks={"logs_kept": 4})
        )
        store = running.assembly.desk.store
        assert store is not None
        assert running.assembly.storage_settings.backups_kept == 2
        assert msgspec.structs.asdict(running.assembly.places["tasks"].rules)["logs_kept"] == 4
        assert running.assembly.watch.interval_s == 3.0


async def test_at_the_end_whatever_still_comes_is_answered(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.stop()
        assert await running.send(TaskCreate(description="too late")).kind() == "shutting_down"


def test_a_runtime_of_defaults_can_be_configured() -> None:
    assert storage_settings(Config()).backups_kept == 10
    assert writer_settings(Config()).durability == "commit"
