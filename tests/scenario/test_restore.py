"""`perdure restore` from the command line, on what a real Perdure has lived."""

import json
from typing import Any

from tests.kit.perdure import Perdure


def messages(whole: Perdure, session: str) -> list[Any]:
    found: list[Any] = whole.call("session.messages", id=session)["messages"]
    return found


def live(whole: Perdure) -> tuple[str, int, int]:
    """Make a past: a session's id, the seq at which all was well, and the seq at the end."""
    whole.start()
    session = whole.call("session.create", title="s", provider="p", model="m", working_directory="/")["id"]
    whole.call("session.append", id=session, messages=[{"n": 1}, {"n": 2}])
    whole.call("task.create", id="kept", description="as it was")
    well = whole.call("runtime.status")["seq"]
    whole.call("task.update", id="kept", description="spoilt")
    whole.call("task.create", id="late", description="made later")
    whole.call("session.save", id=session, messages=[{"n": 0}])
    end = whole.call("runtime.status")["seq"]
    return session, well, end


def test_what_was_spoilt_comes_back_and_the_restore_can_be_taken_back(make: Any) -> None:
    whole: Perdure = make()
    session, well, end = live(whole)
    refused = whole.ended("restore", "--seq", str(well))
    assert (refused.returncode, "perdure down stops it" in refused.stderr) == (5, True)
    whole.stop()
    assert whole.ended("restore", "--seq", str(well)).returncode == 2, "nobody was asked, and nobody said yes"
    looked = whole.ended("restore", "--seq", str(well), "--dry-run")
    assert (looked.returncode, "would change  1 task: kept" in looked.stdout) == (0, True)
    done = json.loads(whole.ended("restore", "--seq", str(well), "--yes", "--json").stdout)
    assert (done["to_seq"], done["restored"], done["removed"]) == (
        well,
        {"tasks": ["kept"], "sessions": [session]},
        {"tasks": ["late"]},
    )
    whole.start()
    assert whole.call("task.get", id="kept")["description"] == "as it was"
    assert [task["id"] for task in whole.call("task.list")["tasks"]] == ["kept"]
    assert messages(whole, session) == [{"n": 1}, {"n": 2}]
    assert json.loads((whole.state_path / "tasks" / "kept.json").read_text())["description"] == "as it was"
    assert whole.call("session.append", id=session, messages=[{"n": 3}])["message_count"] == 3
    whole.stop()
    assert whole.ended("doctor").returncode == 0
    back = whole.ended("restore", "--seq", str(end), "--yes")
    assert (back.returncode, "takes it back" in back.stdout) == (0, True)
    assert [back.stdout.count(word) for word in ("late", "would")] == [1, 0], "what was done is told once"
    whole.start()
    assert whole.call("task.get", id="late")["description"] == "made later"
    assert messages(whole, session) == [{"n": 0}]


def test_a_backup_a_time_and_what_is_neither(make: Any) -> None:
    whole: Perdure = make()
    _session, _well, end = live(whole)
    whole.ended("save")
    whole.stop()
    listed = json.loads(whole.ended("backups", "--json").stdout)["backups"]
    empty = next(backup["name"] for backup in listed if backup["seq"] == 0)
    assert whole.ended("restore", "--backup", empty, "--yes").returncode == 0
    assert json.loads((whole.state_path / "state.json").read_text())["tasks"] == []
    assert whole.ended("restore", "--time", "3d", "--yes").returncode == 4
    assert whole.ended("restore", "--time", "soon", "--yes").returncode == 2
    assert whole.ended("restore").returncode == 2
    gone = whole.ended("restore", "--seq", "999999", "--yes")
    assert (gone.returncode, "what can be reached is seq 0 to" in gone.stderr) == (4, True)
    nothing = whole.ended("restore", "--seq", "0", "--yes")
    assert (nothing.returncode, "nothing to do" in nothing.stdout, end > 0) == (0, True, True)
