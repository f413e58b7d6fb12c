"""The sessions actor takes in what the hook left, once, however often it is interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.messages import sessions as ask
from tests.kit.core import Core, running_core
from tests.kit.powerloss import scratch
from tests.kit.spoiled import contents

EARLIER = "2020-01-01T00:00:00.000Z"


def leave(root: Path, name: str, external_id: str = "claude-1", *, key: str | None = None, **members: Any) -> Path:
    (root / "spool").mkdir(parents=True, exist_ok=True)
    spooled = {
        "v": 1,
        "at": EARLIER,
        "key": key or f"hook-{name}",
        "method": "session.seen",
        "params": {"external_id": external_id},
        **members,
    }
    path = root / "spool" / f"{name}.json"
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(spooled))
    return beside.rename(path)  # as the hook does: what has its name is whole


def spooled(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "spool").iterdir())


async def taken_in(core: Core) -> None:
    """Let time pass until nothing is left: how often the spool is looked into is the actor's business."""
    with trio.fail_after(60):
        while spooled(core.root):
            core.clock.pass_s(6)
            core.wake("sessions")
            await trio.sleep(0.01)


async def found(core: Core) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await core.ask("sessions", ask.SessionFind()))["sessions"]
    return rows


async def test_what_was_left_is_recorded_with_its_time_and_removed(tmp_path: Path) -> None:
    leave(tmp_path, "a")
    leave(tmp_path, "b", "claude-2")
    async with running_core(tmp_path) as core:
        await taken_in(core)
        rows = await found(core)
    assert sorted(row["external_ids"] for row in rows) == [["claude-1"], ["claude-2"]]
    assert {row["last_progress_at"] for row in rows} == {EARLIER}


async def test_more_than_one_look_takes_is_taken_in_by_several(tmp_path: Path) -> None:
    for number in range(120):
        leave(tmp_path, f"{number:03d}", f"claude-{number % 60}")
    async with running_core(tmp_path) as core:
        await taken_in(core)
        assert len(await found(core)) == 60


async def test_what_the_runtime_had_heard_after_all_is_recorded_once(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("sessions", ask.SessionSeen(external_id="claude-1"), key="hook-x")
        row = (await found(core))[0]
        leave(tmp_path, "x", key="hook-x")
        await taken_in(core)
        assert await found(core) == [row]


async def test_a_late_sighting_undoes_nothing_that_happened_since(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        reply = await core.ask("sessions", ask.SessionSeen(external_id="claude-1"))
        leave(tmp_path, "late")
        await taken_in(core)
        (row,) = await found(core)
        assert row["last_progress_at"] == reply["session"]["last_progress_at"]


@pytest.mark.parametrize(
    "members",
    [
        {"v": 2},
        {"method": "task.delete"},
        {"params": {"external_id": ""}},
        {"params": {"external_id": "x", "brunch": 1}},
        {"at": "soon"},
        {"more": 1},
    ],
)
async def test_what_says_nothing_that_can_be_understood_goes_to_quarantine(
    tmp_path: Path, members: dict[str, Any]
) -> None:
    leave(tmp_path, "bad", **members)
    leave(tmp_path, "good")
    async with running_core(tmp_path) as core:
        await taken_in(core)
        assert len(await found(core)) == 1
    assert len(list((tmp_path / "quarantine").rglob("bad.json"))) == 1


async def test_an_actor_that_crashes_meanwhile_loses_none(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        for number in range(20):
            leave(tmp_path, f"{number:02d}", f"claude-{number}")
        core.clock.pass_s(6)
        core.wake("sessions")
        await core.restart("sessions")
        await taken_in(core)
        assert len(await found(core)) == 20


WHOLE = {
    "v": 1,
    "at": EARLIER,
    "key": "hook-1",
    "method": "session.seen",
    "params": {
        "external_id": "claude-1",
        "cwd": "/w",
        "git": {"worktree": "/w", "worktree_realpath": "/w", "branch": "main", "head": "0" * 40},
        "transcript": {"path": "/t.jsonl", "first_uuid": "a", "last_uuid": "b", "first_parent_uuid": "c"},
        "fingerprints": {"first_human_prompt_v1": "x"},
        "first_prompt_preview": "Fix the login",
        "store_first_prompt": True,
    },
}


@settings(max_examples=settings().max_examples // 2)
@example(left=[json.dumps(WHOLE).encode().replace(b"Fix", b"\xff")])
@example(left=[b'{"v":1,"at":"x","key":' + b"[" * 100_000])
@given(left=st.lists(contents([json.dumps(WHOLE).encode()]), min_size=1, max_size=10))
def test_whatever_is_left_is_recorded_or_set_aside_and_nobody_crashes(left: list[bytes]) -> None:
    async def take_in(root: Path) -> None:
        leave(root, "good", "good-one")
        for number, content in enumerate(left):
            (root / "spool" / f"{number}.json").write_bytes(content)
        async with running_core(root) as core:
            await taken_in(core)
            assert not core.crashes
            rows = await found(core)
        aside = len([path for path in (root / "quarantine").rglob("*.json") if path.name != "report.json"])
        assert 1 <= len(rows) <= 1 + len(left) - aside
        assert any("good-one" in row["external_ids"] for row in rows)

    with scratch() as folder:
        trio.run(take_in, folder)
