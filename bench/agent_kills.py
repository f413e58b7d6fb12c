"""What an agent notices of the runtime's deaths: its own wall time, left alone and with the runtime killed meanwhile.

`.venv/bin/python bench/agent_kills.py [--kills 20] [--lines 4000]`. The agent prints a line every two milliseconds and
takes the time itself. It could only be slowed down by a full pipe: the host goes on reading while there is no runtime,
up to its window.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from supervisor.client import Client
from supervisor.trials.stage import Stage

AGENT = """
import os, sys, time
begun_s = time.monotonic()
longest_s = 0.0
for number in range(int(sys.argv[1])):
    before_s = time.monotonic()
    os.write(1, b"line %d\\n" % number)
    longest_s = max(longest_s, time.monotonic() - before_s)
    time.sleep(0.002)
os.write(1, b"%f %f\\n" % (time.monotonic() - begun_s, longest_s))
"""
RESTLESS = {"PERDURE_SUPERVISOR__PROCESS_RESTARTS_MAX": "1000", "PERDURE_SUPERVISOR__BACKOFF_MAX_S": "0.05"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="of the runtime, while the agent prints (20)")
    parser.add_argument("--lines", type=int, default=4000, help="that the agent prints (4000)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as folder:
        stage = Stage(Path(folder), environment=RESTLESS)
        try:
            stage.start()
            with stage.client() as client:
                alone_s = measure(stage, client, given.lines, 0)
                killed_s = measure(stage, client, given.lines, given.kills)
        finally:
            stage.close()
    print(f"{'ratio':<44}{killed_s / alone_s:10.3f}")


def measure(stage: Stage, client: Client, lines: int, kills: int) -> float:
    """Run the agent once; return its wall time in seconds."""
    run = client.call("run.exec", argv=[sys.executable, "-c", AGENT, str(lines)])
    log = stage.state_path / run["stdout"]["path"]
    for number in range(1, kills + 1):
        while not log.exists() or log.read_bytes().count(b"\n") < lines * number // (kills + 2):
            time.sleep(0.01)
        stage.kill_runtime()
    while client.call("run.get", id=run["id"])["status"] in {"queued", "starting", "running"}:
        time.sleep(0.05)
    *printed, last = log.read_bytes().splitlines()
    assert printed == [b"line %d" % number for number in range(lines)]
    wall_s, longest_s = map(float, last.split())
    name = f"{lines} lines, runtime killed {kills} times"
    print(f"{name:<44}{wall_s:10.3f} s   longest write {longest_s * 1000:6.2f} ms", flush=True)
    return wall_s


if __name__ == "__main__":
    main()
