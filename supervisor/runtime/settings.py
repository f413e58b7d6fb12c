"""What each part of the runtime needs of the configuration, in the part's own words."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Final

from actors.decisions.decision import Rules
from actors.running.rules import RunRules
from actors.storage.settings import StorageSettings
from actors.writer.desk import WriterSettings
from supervisor.config.schema import Config
from supervisor.config.services import services_of
from supervisor.config.tools import tools_of
from supervisor.gateway.limits import Limits as GatewayLimits
from supervisor.tree.policy import Backoff, Intensity

PASSED_ON: Final = re.compile(r"PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|TMPDIR|LANG|LC_\w+|XDG_\w+|\w+_PROXY|\w+_proxy")
"""What of Perdure's own environment every agent gets; a tool's `pass_env` names more."""

DAY_S: Final = 86_400


def rules(config: Config, state_path: Path, up_at: str) -> Rules:
    """Return the part of the configuration on which decisions depend; `up_at` is when this Perdure came up."""
    return Rules(
        logs_kept=config.tasks.logs_kept,
        lease_s=config.tasks.lease_s,
        ageing_s=config.runs.ageing_s,
        sessions_max=config.sessions.max,
        sessions_keep_days=config.sessions.keep_days,
        archive_tasks_after_days=config.tasks.archive_after_days,
        runs=run_rules(config, state_path, up_at),
    )


def run_rules(config: Config, state_path: Path, up_at: str) -> RunRules:
    """Return the part of the configuration on which runs depend.

    Agents get what every program needs of this process's environment, and what their tool names: no secrets by chance.
    """
    return RunRules(
        concurrency=config.runs.concurrency,
        interruptions_max=config.runs.interruptions_max,
        grace_s=config.runs.grace_s,
        backoff_base_s=config.runs.backoff_base_s,
        backoff_factor=config.runs.backoff_factor,
        backoff_max_s=config.runs.backoff_max_s,
        keep_days=config.runs.keep_days,
        runs_max=config.runs.max,
        tools=tools_of(config.tools, os.environ),
        env={name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)},
        services=services_of(config.services, os.environ),
        up_at=up_at,
        cwd=str(state_path.parent),
        results=os.path.join(tempfile.gettempdir(), f"perdure-{os.getuid()}"),  # noqa: PTH118  it becomes text
    )


def writer_settings(config: Config) -> WriterSettings:
    """Return the part of the configuration on which the writer depends."""
    return WriterSettings(
        durability=config.state.durability,
        durability_interval_s=config.state.durability_interval_s,
        files_delay_s=config.state.task_files_delay_s,
        snapshot_after_facts=config.state.snapshot_after_facts,
        last_files_within_s=config.supervisor.stop_grace_s / 3,
        answer_bytes_max=config.gateway.frame_bytes_max,
    )


def storage_settings(config: Config) -> StorageSettings:
    """Return the part of the configuration on which the storage depends."""
    return StorageSettings(
        durability=config.state.durability,
        backups_kept=config.state.backups_kept,
        journal_keep_s=config.state.journal_keep * DAY_S,
        journal_bytes_max=config.state.journal_bytes_max,
        disk_reserve_bytes=config.state.disk_reserve_bytes,
        segment_bytes_max=config.state.segment_bytes_max,
        fallback_path=config.state.fallback_path,
    )


def gateway_limits(config: Config) -> GatewayLimits:
    """Return the part of the configuration on which the gateway depends."""
    return GatewayLimits(
        frame_bytes_max=config.gateway.frame_bytes_max,
        nesting_max=config.gateway.nesting_max,
        half_frame_s=config.gateway.half_frame_s,
        connections_max=config.gateway.connections_max,
        in_flight_max=config.gateway.in_flight_max,
        unsent_bytes_max=config.gateway.unsent_bytes_max,
        memory_bytes_max=config.gateway.memory_bytes_max,
    )


def actors_intensity(config: Config) -> Intensity:
    """Return how many restarts of actors are too many."""
    return Intensity(restarts_max=config.supervisor.restarts_max, within_s=config.supervisor.within_s)


def processes_intensity(config: Config) -> Intensity:
    """Return how many restarts of processes are too many; services are processes."""
    return Intensity(restarts_max=config.supervisor.process_restarts_max, within_s=config.supervisor.process_within_s)


def backoff(config: Config) -> Backoff:
    """Return the pauses between restarts."""
    return Backoff(
        base_s=config.supervisor.backoff_base_s,
        factor=config.supervisor.backoff_factor,
        max_s=config.supervisor.backoff_max_s,
        healthy_after_s=config.supervisor.healthy_after_s,
    )
