"""Sessions that leave and come back: neither time nor text in between keeps their messages away."""

from __future__ import annotations

from pathlib import Path

from actors.messages import records, runtime, sessions
from tests.kit.core import Core, running_core
from tests.kit.held_disk import S1, S2, a_session, messages_of


async def many_snapshots(core: Core) -> None:
    """Let more of them pass than backups are kept."""
    for _ in range(13):
        await core.ask("events", records.EventRecord(type="t", message="m"))
        core.clock.pass_s(10)
        core.wake("writer")
        await core.ask("reports", records.LogAppend(session_id=S2, text="x"))
        await core.ask("writer", runtime.StateSave())


async def test_a_restored_session_takes_messages_when_its_tombstone_is_long_gone(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await a_session(core)
        for n in range(4):
            await core.ask("sessions", sessions.SessionSave(id=S1, messages=({"n": n},)))
        gone_at = (await core.ask("sessions", sessions.SessionGet(id=S1)))["rev"]
        await core.ask("sessions", sessions.SessionDelete(id=S1))
        await many_snapshots(core)
    async with running_core(tmp_path) as core:
        assert not core.ledger.tables.tombstones, "the attack needs the tombstone to be gone"
        restored = await core.ask("sessions", sessions.SessionRestore(id=S1))
        assert restored["rev"] > gone_at
        await core.ask("sessions", sessions.SessionAppend(id=S1, messages=({"n": "after"},)))
        assert await messages_of(core) == [{"n": 3}, {"n": "after"}]


async def test_text_logged_after_a_session_left_does_not_keep_its_messages_away(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await a_session(core, messages=[{"n": 1}])
        await core.ask("reports", records.LogAppend(session_id=S1, text="before "))
        await core.ask("sessions", sessions.SessionDelete(id=S1))
        assert not (await core.ask("sessions", sessions.SessionList()))["sessions"]
        await core.ask("reports", records.LogAppend(session_id=S1, text="after"))
        assert (await core.ask("reports", records.LogRead(session_id=S1)))["text"] == "before after"
        await core.ask("sessions", sessions.SessionRestore(id=S1))
        assert await messages_of(core) == [{"n": 1}]
        assert (await core.ask("reports", records.LogRead(session_id=S1)))["text"] == "before after"


async def test_a_session_made_anew_keeps_its_messages_when_the_tombstone_of_the_other_is_long_gone(
    tmp_path: Path,
) -> None:
    async with running_core(tmp_path) as core:
        await a_session(core, messages=[{"n": "old"}])
        for n in range(4):
            await core.ask("sessions", sessions.SessionAppend(id=S1, messages=({"n": n},)))
        await core.ask("sessions", sessions.SessionDelete(id=S1))
        await many_snapshots(core)
    async with running_core(tmp_path) as core:
        assert not core.ledger.tables.tombstones, "the attack needs the tombstone to be gone"
        await a_session(core, messages=[{"n": "new"}])
        assert await messages_of(core) == [{"n": "new"}]
        await core.ask("sessions", sessions.SessionDelete(id=S1))
        await a_session(core, messages=[{"n": "newest"}])
        await core.ask("sessions", sessions.SessionDelete(id=S1))
    async with running_core(tmp_path) as core:
        await core.ask("sessions", sessions.SessionRestore(id=S1))
        assert await messages_of(core) == [{"n": "newest"}]
