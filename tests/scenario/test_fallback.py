"""Real processes on a real disk that runs full: the journal goes on in the fallback, is merged, and nothing is lost."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

from supervisor.client import Client
from tests.kit.perdure import Perdure, eventually, perdure
from tests.kit.small_disks import fill, small_disk

MIB = 1 << 20

SETTINGS = {"state__disk_reserve_bytes": "0", "supervisor__process_restarts_max": "1000"}


def create(whole: Perdure, name: str, size_bytes: int = 10) -> None:
    """Create a task, sending it again with its key for as long as the disk refuses: as clients do."""
    description = "x" * size_bytes

    def taken() -> bool:
        reply = whole_wire.ask("task.create", id=name, description=description, idempotency_key=name)
        assert "result" in reply or reply["error"]["data"]["retryable"], reply
        return "result" in reply

    with whole.wire() as whole_wire:
        eventually(taken, f"{name} is taken")


def there(client: Client) -> set[str]:
    found: set[str] = set()
    cursor = None
    while True:
        page = client.call("task.list", limit=1000, cursor=cursor)
        found |= {task["id"] for task in page["tasks"]}
        if (cursor := page["next_cursor"]) is None:
            return found


def beside(whole: Perdure) -> bool:
    reasons: list[str] = whole.call("runtime.health")["reasons"]
    return any("the journal goes on in" in reason for reason in reasons)


def exported(whole: Perdure, folder: Path) -> set[str]:
    """The tasks of a Perdure that starts on what was exported, far from the fallback directory."""
    folder.mkdir()
    assert whole.ended("export", "archive", str(folder / "all.tar")).returncode == 0
    with perdure(folder / "p") as again:
        again.state_path.mkdir(mode=0o700)
        with tarfile.open(folder / "all.tar") as tar:
            tar.extractall(again.state_path, filter="data")
        again.start()
        with again.client() as client:
            return there(client)


def test_a_state_directory_that_fails_mid_run_is_left_and_taken_up_again_and_kills_change_nothing(
    tmp_path: Path,
) -> None:
    names: set[str] = set()

    def more(whole: Perdure, size_bytes: int = 10) -> None:
        name = f"t{len(names)}"
        create(whole, name, size_bytes)
        names.add(name)

    with small_disk(tmp_path, 32 * MIB) as place:
        ballast = place / "ballast"
        fallback = tmp_path / "fallback"
        with perdure(place / "p", state__fallback_path=str(fallback), **SETTINGS) as whole:
            whole.start()
            for _ in range(5):
                more(whole)
            fill(ballast, 64 << 10)
            for _ in range(40):
                more(whole, 64 << 10)
            assert eventually(lambda: beside(whole), "the state directory is left")
            assert list((fallback / "journal").glob("*.jsonl"))
            assert exported(whole, tmp_path / "running") == names
            whole.kill_runtime()
            more(whole)
            assert beside(whole), "the next runtime goes on beside too"
            whole.kill_root()
            assert exported(whole, tmp_path / "killed") == names
            ballast.unlink()
            whole.start()
            assert not beside(whole), "the next start merges"
            assert whole.call("runtime.status")["recovery"]["fallback"][0]["outcome"] == "merged"
            more(whole)
            fill(ballast, 64 << 10)
            for _ in range(40):
                more(whole, 64 << 10)
            assert eventually(lambda: beside(whole), "it is left again")
            ballast.unlink()
            assert eventually(lambda: not beside(whole), "it is taken up while it runs")
            with whole.client() as client:
                assert there(client) == names
            assert whole.stop() == 0
            assert list((fallback / "journal").glob("*.jsonl")) == []
            doctor = whole.ended("doctor")
            assert doctor.returncode == 0, doctor.stdout


def test_a_fallback_that_cannot_be_reached_is_named_with_what_to_do_and_can_be_ignored(
    make: Any, tmp_path: Path
) -> None:
    fallback = tmp_path / "elsewhere"
    whole: Perdure = make(state__fallback_path=str(fallback))
    whole.start()
    create(whole, "one")
    assert whole.stop() == 0
    fallback.rename(tmp_path / "away")
    refused = whole.ended("up")
    assert refused.returncode == 2
    assert str(fallback) in refused.stderr
    assert "--ignore-fallback" in refused.stderr
    doctor = whole.ended("doctor")
    assert doctor.returncode == 1
    assert str(fallback) in doctor.stdout
    whole.start("--ignore-fallback")
    with whole.client() as client:
        assert there(client) == {"one"}
