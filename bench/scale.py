"""How Perdure carries a hundred thousand tasks: filling, memory, a snapshot, one command's latency, restarts.

`.venv/bin/python bench/scale.py [--tasks 100000]`. Everything is measured on a real Perdure in a temporary directory,
through its socket. Beside each latency stands that of a bare append + fdatasync on the same disk, taken in the same
run, and their ratio: absolute times say more about the disk than about the program.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from supervisor.trials.stage import Stage, staged

DESCRIPTION = "x" * 300
PIPELINE = 512
PROBES = 200


class Line:
    """A plain socket with JSON lines: no library between the measurement and the program."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._read = self._socket.makefile("rb")
        self._number = 0

    def send(self, method: str, **params: object) -> None:
        """Send one request."""
        self._number += 1
        request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        self._socket.sendall(json.dumps(request).encode() + b"\n")

    def send_many(self, method: str, params: list[dict[str, object]]) -> None:
        """Send many requests in one write."""
        lines = []
        for member in params:
            self._number += 1
            lines.append(json.dumps({"jsonrpc": "2.0", "id": self._number, "method": method, "params": member}))
        self._socket.sendall(("\n".join(lines) + "\n").encode())

    def answer(self) -> dict[str, object]:
        """Take one reply; raises RuntimeError when it is an error."""
        reply = json.loads(self._read.readline())
        if "error" in reply:
            raise RuntimeError(str(reply["error"]))
        result: dict[str, object] = reply["result"]
        return result

    def call(self, method: str, **params: object) -> dict[str, object]:
        """Send one request and take its reply."""
        self.send(method, **params)
        return self.answer()

    def close(self) -> None:
        """Hang up."""
        self._read.close()
        self._socket.close()


def fill(line: Line, tasks: int) -> float:
    """Create tasks, pipelined; return acknowledged commands a second."""
    begun_s = time.monotonic()
    for first in range(0, tasks, PIPELINE):
        count = min(PIPELINE, tasks - first)
        line.send_many("task.create", [{"id": f"t{first + n}", "description": DESCRIPTION} for n in range(count)])
        for _ in range(count):
            line.answer()
    return tasks / (time.monotonic() - begun_s)


def latencies_ms(line: Line, name: str) -> list[float]:
    """Return the latencies of single commands, one in flight."""
    taken = []
    for n in range(PROBES):
        begun_s = time.perf_counter()
        line.call("task.create", id=f"probe-{name}-{n}", description=DESCRIPTION)
        taken.append((time.perf_counter() - begun_s) * 1000)
    return taken


def raw_ms(folder: Path) -> list[float]:
    """Return the latencies of a bare append + fdatasync of a line of the same size."""
    descriptor = os.open(folder / "raw", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    taken = []
    for _ in range(PROBES):
        begun_s = time.perf_counter()
        os.write(descriptor, b"x" * 900)
        os.fdatasync(descriptor)
        taken.append((time.perf_counter() - begun_s) * 1000)
    os.close(descriptor)
    return taken


def stalls_ms(stage: Stage, line: Line) -> tuple[float, float, float]:
    """Return (a snapshot's duration, the longest latency while it is written, the median then), in milliseconds."""
    saver = Line(stage.state_path / "perdure.sock")
    saver.send("state.save")
    taken = latencies_ms(line, f"save-{time.monotonic_ns()}")
    saved = saver.answer()
    saver.close()
    return float(str(saved["duration_s"])) * 1000, max(taken), statistics.median(taken)


def back_ms(stage: Stage, how: str) -> float:
    """Return the milliseconds from a blow to the next acknowledged command."""
    begun_s = time.monotonic()
    if how == "kill":
        stage.kill_runtime()
    else:
        stage.stop()
        begun_s = time.monotonic()
        stage.start()
    stage.back_after_s(f"{how}-{time.monotonic_ns()}")
    return (time.monotonic() - begun_s) * 1000


def show(name: str, value: str) -> None:
    """Print one figure."""
    print(f"{name:<58} {value:>24}", flush=True)


def rss_bytes(pid: int) -> int:
    """Return a process's resident memory."""
    return int(psutil.Process(pid).memory_info().rss)


def measure(stage: Stage, folder: Path, tasks: int) -> None:
    """Print every figure."""
    stage.start()
    idle = rss_bytes(stage.runtime_pid())
    line = Line(stage.state_path / "perdure.sock")
    before = latencies_ms(line, "few")
    show("runtime's memory, idle", f"{idle / 1e6:.1f} MB")
    show(f"task.create/s, 1 connection x {PIPELINE} in flight", f"{fill(line, tasks):.0f}")
    raw = raw_ms(folder)
    after = latencies_ms(line, "many")
    raw_median = statistics.median(raw)
    show("raw append + fdatasync, median", f"{raw_median:.3f} ms")
    for name, taken in (("a few", before), (str(tasks), after)):
        median = statistics.median(taken)
        show(f"one command at {name} tasks, median (ratio to raw)", f"{median:.3f} ms ({median / raw_median:.2f})")
    duration, longest, median = stalls_ms(stage, line)
    show("snapshot, duration", f"{duration:.0f} ms")
    show("one command while a snapshot is written, median / longest", f"{median:.2f} / {longest:.2f} ms")
    used = rss_bytes(stage.runtime_pid())
    show("runtime's memory, and per task above idle", f"{used / 1e6:.0f} MB, {(used - idle) / tasks:.0f} B")
    line.close()
    show("from kill -9 of the runtime to the next acknowledgement", f"{back_ms(stage, 'kill'):.0f} ms")
    show("from a cold start to the first acknowledgement", f"{back_ms(stage, 'start'):.0f} ms")
    show("memory after the cold start", f"{rss_bytes(stage.runtime_pid()) / 1e6:.0f} MB")


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    with tempfile.TemporaryDirectory(prefix="perdure-bench-", dir=Path.cwd()) as folder, staged(Path(folder)) as stage:
        measure(stage, Path(folder), options.tasks)


if __name__ == "__main__":
    main()
