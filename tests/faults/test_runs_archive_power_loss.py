"""A run that leaves for the archive, with the power cut at every point: its row and every byte of its logs stay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from actors.decisions.decision import encode
from actors.model.facts import Fact
from actors.model.run import Run, Stream, output_path
from tests.kit.disks import RecordingDisk
from tests.kit.powerloss import judge
from tests.kit.stores import Driver, disk_store

RUN: Final = "0191d5a0-0000-7000-8000-000000000001"
PRINTED: Final = {"stdout": b"what it said\n" * 100, "stderr": b"and complained\n"}
ROW: Final = encode(
    Run(
        id=RUN,
        status="exited",
        stdout=Stream(bytes=len(PRINTED["stdout"]), path=output_path(RUN, "stdout")),
        stderr=Stream(bytes=len(PRINTED["stderr"]), path=output_path(RUN, "stderr")),
    )
)


def life(root: Path) -> RecordingDisk:
    """Let a run print, end and leave; marks say what was durable when."""
    disk = RecordingDisk(root)
    driver = Driver(disk_store(root, disk))
    for stream, data in PRINTED.items():
        driver.store.write_output(RUN, stream, 0, data)
    driver.store.sync_output(RUN)
    driver.commit(Fact(op="run.recorded", id=RUN, rev=1, data=msgspec.Raw(ROW)))
    disk.mark(ended=1)
    driver.save()
    driver.commit(Fact(op="run.archived", id=RUN, rev=2, data={"row": msgspec.Raw(ROW)}))
    disk.mark(gone=1)
    driver.save()
    driver.settle_files()
    disk.mark(moved=1)
    driver.save()
    driver.create("another")
    driver.stop()
    return disk


def check(root: Path, marks: Mapping[str, int]) -> None:
    if "ended" not in marks:
        return
    driver = Driver(disk_store(root))
    try:
        is_here = RUN in driver.tables.runs.rows
        assert not (is_here and "gone" in marks), "it came back"
        driver.settle_files()
        found = {stream: driver.store.read_output(RUN, stream, 0, 1 << 20) for stream in PRINTED}
        home = root / "archive" / "runs" / RUN
        if is_here:
            assert found == PRINTED
            assert not home.exists()
            return
        assert found == dict.fromkeys(PRINTED, b""), "the logs are still where they were"
        assert [path.name for path in home.iterdir()] == ["1"]
        assert (home / "1" / "row.archived").read_bytes() == ROW
        for stream, data in PRINTED.items():
            assert (home / "1" / f"run_{RUN}.{stream}.log").read_bytes() == data
    finally:
        driver.store.close()


def test_a_power_cut_while_a_run_leaves_loses_nothing_of_it(tmp_path: Path) -> None:
    root = tmp_path / "state"
    root.mkdir(mode=0o700)
    verdict = judge(life(root).trace, check, seed=1, states_max=400)
    assert verdict.violation is None, str(verdict.violation)
    assert verdict.states > 150
