"""How much memory the agent host needs: idle, while agents flood it with output that has no newline, and afterwards.

`.venv/bin/python bench/host_memory.py [--agents 8] [--megabytes 1000]`. A real Perdure in a temporary directory; what
the agents print goes the whole way, but only its first megabyte is stored (`output_bytes`), so that the disk is not
what is measured. The runtime's memory stands beside the host's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from supervisor.client import Client
from supervisor.trials.stage import Stage

SAMPLE_S = 0.02
STORED_BYTES = 1_000_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=8, help="floods at once (8)")
    parser.add_argument("--megabytes", type=int, default=1000, help="that each of them prints (1000)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as folder:
        config = Path(folder) / "config.toml"
        config.write_text(
            f"[runs]\nconcurrency = {given.agents}\n[tools.SHELL]\nlimits = {{ output_bytes = {STORED_BYTES} }}\n"
        )
        stage = Stage(Path(folder), environment={"PERDURE_CONFIG": str(config)})
        try:
            stage.start()
            with stage.client() as client:
                measure(client, given.agents, given.megabytes * 1_000_000)
        finally:
            stage.close()


def measure(client: Client, agents: int, size_bytes: int) -> None:
    """Let the agents print, and look at the processes meanwhile."""
    pids = client.call("runtime.status")["pids"]
    host, runtime = psutil.Process(pids["host"]), psutil.Process(pids["runtime"])
    peaks = {"host": 0, "runtime": 0}

    def sample() -> None:
        peaks["host"] = max(peaks["host"], host.memory_info().rss)
        peaks["runtime"] = max(peaks["runtime"], runtime.memory_info().rss)

    sample()
    show("idle", peaks)
    argv = ["head", "-c", str(size_bytes), "/dev/zero"]
    begun_s = time.monotonic()
    run_ids = [client.call("run.exec", argv=argv)["id"] for _ in range(agents)]
    until_over(client, run_ids, sample)
    took_s = time.monotonic() - begun_s
    show(f"during {agents} × {size_bytes / 1e6:.0f} MB without a newline (peak)", peaks)
    show("afterwards", {"host": host.memory_info().rss, "runtime": runtime.memory_info().rss})
    print(f"{'passed on':<56}{agents * size_bytes / took_s / 1e6:10.0f} MB/s")
    for run_id in run_ids:
        run = client.call("run.get", id=run_id)
        assert (run["status"], run["exit_code"], run["stdout"]["bytes"]) == ("exited", 0, size_bytes), run


def until_over(client: Client, run_ids: list[str], sample: Callable[[], None]) -> None:
    """Sample until the last run is over."""
    active = list(run_ids)
    while active:
        sample()
        if client.call("run.get", id=active[-1])["status"] in {"queued", "starting", "running"}:
            time.sleep(SAMPLE_S)
        else:
            active.pop()


def show(when: str, memory: dict[str, int]) -> None:
    """Print one line."""
    figures = "   ".join(f"{name} {size_bytes / 1e6:6.1f} MB" for name, size_bytes in memory.items())
    print(f"{when:<56}{figures}", flush=True)


if __name__ == "__main__":
    main()
