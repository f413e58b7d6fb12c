"""Where the processor's time goes under a load: microseconds for each command, thread by thread.

`.venv/bin/python bench/profile.py [SHAPE…] [--seconds 4] [--tasks 0] [--functions 30]`; a shape is CONNECTIONSxDEPTH
(1x1 64x1 16x32). A rate on a busy machine says what was left over; processor time for each command says what it costs,
so two versions can be compared while something else runs.

    all        processor time of the runtime, all threads, for each acknowledged task.create
    user       the part of it that is not the kernel's
    loop …     by thread: the event loop, the commit thread, the background thread (names where py-spy can tell them)
    switches   how often a thread of the runtime went to sleep, for each command: each time costs the kernel's scheduler
    growth     resident memory that came with each command: what stays allocated
    load       the load generator's own time, which does not count as the runtime's

With `--functions N` and py-spy (`pip install py-spy`) whoever holds the interpreter is sampled as well: the N functions
with most time of their own, and with most time in all. Without py-spy, `perf record -p PID` sees the interpreter.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import attrs
import psutil

from supervisor.bench.cpu import CpuTime, cpu_time
from supervisor.bench.generator import Shape
from supervisor.bench.programs import best_programs
from supervisor.bench.setting import WHOLE, Setting
from supervisor.bench.subject import Subject, measured

SAMPLES_PER_S = 400
WARM_SHARE = 0.2
"""Of a load: the generator warms up for so much of its time before it counts."""


@attrs.frozen
class State:
    """What a process has used up to a moment."""

    cpu: CpuTime
    user_s: float
    switches: int
    rss_bytes: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", type=shape, default=[Shape(1, 1), Shape(64, 1), Shape(16, 32)])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load (4)")
    parser.add_argument("--tasks", type=int, default=0, help="that are there before (0)")
    parser.add_argument("--functions", type=int, metavar="N", default=0, help="sample, and tell the N dearest")
    given = parser.parse_args()
    if given.functions and shutil.which("py-spy") is None:
        parser.error("there is no py-spy on the path; pip install py-spy, or leave out --functions")
    with tempfile.TemporaryDirectory(prefix="perdure-profile-", dir=".") as name, best_programs(Path(name).resolve()):
        folder = Path(name).resolve()
        for one in given.shapes:
            with begun(folder, given.tasks) as subject:
                profile(subject, one, given.seconds)
                if given.functions:
                    functions(subject, one, given.seconds, folder / "samples", given.functions)


def shape(text: str) -> Shape:
    """Return CONNECTIONSxDEPTH as a shape; raises ValueError."""
    connections, depth = text.split("x")
    return Shape(int(connections), int(depth))


def begun(folder: Path, tasks: int) -> contextlib.AbstractContextManager[Subject]:
    """Start a Perdure, on so many tasks."""
    return Setting(folder, WHOLE).filled(tasks) if tasks else measured(folder)


def profile(subject: Subject, one: Shape, seconds: float) -> None:
    """Put a load on it; print what each command took."""
    pid = subject.stage.runtime_pid()
    names = thread_names(pid)
    before = state_of(pid)
    outcome = subject.load(one, seconds)
    after = state_of(pid)
    print(f"{one}: {outcome.rate:,.0f}/s, median {outcome.p50_ms:.2f} ms")
    commands = sum(outcome.sent)
    used = after.cpu.since(before.cpu)
    show("all", used.total_s / commands * 1e6, "µs")
    show("user", (after.user_s - before.user_s) / commands * 1e6, "µs")
    for thread, used_s in sorted(used.by_thread.items(), key=lambda item: -item[1]):
        show(names.get(thread, f"thread {thread}"), used_s / commands * 1e6, "µs")
    show("switches", (after.switches - before.switches) / commands, "")
    show("growth", (after.rss_bytes - before.rss_bytes) / commands, "bytes")
    show("load", outcome.cpu_us, "µs")


def state_of(pid: int) -> State:
    """Return what a process has used up to now."""
    process = psutil.Process(pid)
    switches = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for line in (thread / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                switches += int(line.split()[1])
    return State(cpu_time(pid), process.cpu_times().user, switches, process.memory_info().rss)


def thread_names(pid: int) -> dict[int, str]:
    """Return the threads' names as Python has them; only that of the loop without py-spy."""
    names = {pid: "loop"}
    if shutil.which("py-spy") is not None:
        dumped = subprocess.run(["py-spy", "dump", "--json", "--pid", str(pid)], capture_output=True, check=False)
        if dumped.returncode == 0:
            names |= {thread["os_thread_id"]: thread["thread_name"] for thread in json.loads(dumped.stdout)}
    return {**names, pid: "loop"}


def functions(subject: Subject, one: Shape, seconds: float, samples: Path, number: int) -> None:
    """Sample who holds the interpreter under the same load; print the dearest functions of all threads."""
    argv = ["py-spy", "record", "--pid", str(subject.stage.runtime_pid()), "--duration", str(max(1, int(seconds)))]
    argv += ["--rate", str(SAMPLES_PER_S), "--format", "raw", "--function", "--gil"]
    argv += ["--output", str(samples)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sampler:
        time.sleep(seconds * WARM_SHARE)
        subject.load(one, seconds)
        if sampler.wait() != 0:
            raise SystemExit("py-spy may not look at the process: run it as root, or allow ptrace")
    own: collections.Counter[str] = collections.Counter()
    whole: collections.Counter[str] = collections.Counter()
    for line in samples.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        own[frames[-1]] += int(count)
        whole.update(dict.fromkeys(frames, int(count)))
    for title, counted in (("of its own", own), ("in all", whole)):
        print(f"  time {title}, % of {own.total()} samples")
        for function, times in counted.most_common(number):
            show(function, times / own.total() * 100, "%")


def show(name: str, value: float, unit: str) -> None:
    """Print one figure."""
    print(f"  {name:<60}{value:10.1f} {unit}", flush=True)


if __name__ == "__main__":
    main()
