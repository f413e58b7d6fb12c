"""Claims that are sent right behind what sets a task free."""

from __future__ import annotations

from pathlib import Path

from actors.messages import tasks as ask
from tests.kit.core import running_core
from tests.kit.held_disk import offered


async def test_a_claim_sent_after_a_completion_finds_what_that_set_free(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("tasks", ask.TaskCreate(description="d", id="a"))
        await core.ask("tasks", ask.TaskCreate(description="d", id="b", depends_on=("a",)))
        claim = await core.ask("tasks", ask.TaskClaim(worker="w"))
        done = offered(core, "tasks", ask.TaskComplete(id="a", lease=claim["lease"]))
        following = offered(core, "tasks", ask.TaskClaim(worker="w"))
        assert (await done())["status"] == "completed"
        claimed = await following()
        assert claimed is not None
        assert claimed["id"] == "b"
