"""OS processes as children: real processes, real time, every wait bounded generously."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import trio

from supervisor.tree.context import ChildContext
from supervisor.tree.errors import IntensityExceeded, StartFailed
from supervisor.tree.events import ChildExited, ChildReady
from supervisor.tree.policy import Backoff, Intensity
from supervisor.tree.process import ProcessDied, ProcessSpec, process_child, ready_at_once, run_process
from supervisor.tree.rules import ExitKind, Restart
from supervisor.tree.spec import ChildSpec
from supervisor.tree.states import ChildState
from supervisor.tree.supervisor import Supervisor
from tests.supervisor.tree.cast import Show, running, tree

FAIL_SAFE_S = 60


def python(code: str, **options: object) -> ProcessSpec:
    """A process that runs this code."""
    return ProcessSpec(argv=(sys.executable, "-c", code), **options)  # type: ignore[arg-type]


SERVING = "import time\nprint('serving', flush=True)\ntime.sleep(1000)"
DEAF = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SERVING}"


async def until_it_says_so(process: subprocess.Popen[bytes], _context: ChildContext) -> Mapping[str, object]:
    """Wait for the first line on its standard output."""
    assert process.stdout is not None
    await trio.lowlevel.wait_readable(process.stdout)
    return {"said": process.stdout.readline().decode().strip()}


def serving(code: str = SERVING) -> Callable[[ChildContext], object]:
    return process_child(python(code, stdout=subprocess.PIPE), until_it_says_so)


async def wait_for(happened: Callable[[], bool]) -> None:
    """Poll for something that another process does."""
    with trio.fail_after(FAIL_SAFE_S):
        while not happened():  # noqa: ASYNC110  other processes set no events here
            await trio.sleep(0.01)


async def exit_of(spec: ProcessSpec) -> BaseException | None:
    """How the run function ends when nobody asks it to."""
    with trio.fail_after(FAIL_SAFE_S):
        try:
            await run_process(ChildContext(name="p"), spec)
        except (ProcessDied, OSError) as error:
            return error
    return None


@asynccontextmanager
async def supervised(run: Callable[[ChildContext], object], **options: object) -> AsyncIterator[Show]:
    """Run it as the only child, ready."""
    child = ChildSpec(name="p", run=run, **options)  # type: ignore[arg-type]
    with trio.fail_after(FAIL_SAFE_S):
        async with running(tree(child)) as show:
            yield show


def pid_of(show: Show) -> int:
    pid = show.view("p").details["pid"]
    assert isinstance(pid, int)
    return pid


async def test_exit_0_is_a_normal_exit() -> None:
    assert await exit_of(python("pass")) is None


async def test_any_other_status_is_a_death_that_names_it() -> None:
    error = await exit_of(python("raise SystemExit(3)"))
    assert isinstance(error, ProcessDied)
    assert (error.returncode, error.signal) == (3, None)
    assert str(error) == f"process {error.pid} exited with 3"


async def test_a_signal_is_a_death_that_names_it() -> None:
    error = await exit_of(python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert isinstance(error, ProcessDied)
    assert error.signal is signal.SIGKILL
    assert str(error) == f"process {error.pid} was killed by SIGKILL"


async def test_a_program_that_does_not_exist_cannot_be_spawned() -> None:
    assert isinstance(await exit_of(ProcessSpec(argv=("/nonexistent/program",))), FileNotFoundError)


async def test_environment_directory_and_descriptors_reach_the_process_and_nothing_else_does(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    leaked = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(leaked, True)
    try:
        code = (
            "import os, sys\n"
            "open_now = [int(name) for name in os.listdir('/proc/self/fd')]\n"
            f"os.write({theirs}, repr((os.environ['WORD'], os.getcwd(), {leaked} in open_now)).encode())"
        )
        spec = python(code, env={"WORD": "hello"}, cwd=tmp_path, pass_fds=(theirs,))
        assert await exit_of(spec) is None
        assert os.read(ours, 1000).decode() == repr(("hello", str(tmp_path), False))
    finally:
        for descriptor in (ours, theirs, leaked):
            os.close(descriptor)


async def test_it_is_ready_when_the_injected_function_says_so_and_shows_its_pid() -> None:
    async with supervised(serving()) as show:
        details = show.view("p").details
        assert details == {"pid": pid_of(show), "said": "serving"}
        assert psutil.pid_exists(pid_of(show))
        (event,) = show.seen(ChildReady)
        assert event.details == details


async def test_a_killed_process_is_restarted_as_a_new_one() -> None:
    async with supervised(serving()) as show:
        first = pid_of(show)
        os.kill(first, signal.SIGKILL)
        await wait_for(lambda: show.view("p").incarnation == 2 and show.state("p") is ChildState.RUNNING)
        assert pid_of(show) != first
        assert not psutil.pid_exists(first)
        crash = show.view("p").last_crash
        assert crash is not None
        assert (crash.exception_type, crash.message) == ("ProcessDied", f"process {first} was killed by SIGKILL")


async def test_asked_to_stop_it_gets_the_stop_signal_and_its_end_by_that_is_normal() -> None:
    async with supervised(serving()) as show:
        pid = pid_of(show)
        show.supervisor.stop()
        await show.ended.wait()
        assert not psutil.pid_exists(pid)
        (exited,) = show.seen(ChildExited)
        assert (exited.kind, exited.reason) == (ExitKind.NORMAL, "returned")


async def test_the_stop_signal_can_be_another_one() -> None:
    code = f"import signal\nsignal.signal(signal.SIGINT, lambda *_: exit(0))\n{SERVING}"
    spec = python(code, stdout=subprocess.PIPE, stop_signal=signal.SIGINT)
    async with supervised(process_child(spec, until_it_says_so)) as show:
        show.supervisor.stop()
        await show.ended.wait()
        assert show.seen(ChildExited)[0].kind is ExitKind.NORMAL


async def test_one_that_ignores_the_stop_signal_is_killed_after_its_grace() -> None:
    async with supervised(serving(DEAF), stop_grace_s=0.2) as show:
        pid = pid_of(show)
        show.supervisor.stop()
        await show.ended.wait()
        assert not psutil.pid_exists(pid)
        assert show.seen(ChildExited)[0].reason == "killed"


async def test_one_that_is_stopped_by_a_signal_is_killed_all_the_same() -> None:
    async with supervised(serving(), stop_grace_s=0.2) as show:
        pid = pid_of(show)
        os.kill(pid, signal.SIGSTOP)
        show.supervisor.stop()
        await show.ended.wait()
        assert not psutil.pid_exists(pid)


async def test_without_grace_it_is_killed_at_once() -> None:
    async with supervised(serving(DEAF), stop_grace_s=0) as show:
        pid = pid_of(show)
        show.supervisor.stop()
        await show.ended.wait()
        assert not psutil.pid_exists(pid)
        assert show.seen(ChildExited)[0].reason == "brutal_kill"


async def test_an_exit_with_an_error_while_stopping_is_reported() -> None:
    code = f"import signal\nsignal.signal(signal.SIGTERM, lambda *_: exit(4))\n{SERVING}"
    async with supervised(serving(code)) as show:
        show.supervisor.stop()
        await show.ended.wait()
        report = show.seen(ChildExited)[0].report
        assert report is not None
        assert report.message.endswith("exited with 4")


async def test_a_cancelled_supervisor_leaves_no_process() -> None:
    pids: list[int] = []

    async def note_the_pid(process: subprocess.Popen[bytes], _context: ChildContext) -> None:
        pids.append(process.pid)

    child = ChildSpec(name="p", run=process_child(python(DEAF, stdout=subprocess.DEVNULL), note_the_pid))
    with trio.fail_after(FAIL_SAFE_S):
        async with trio.open_nursery() as nursery:
            supervisor = Supervisor(tree(child))
            nursery.start_soon(supervisor.run)
            await supervisor.wait_ready()
            nursery.cancel_scope.cancel()
    assert pids
    assert not psutil.pid_exists(pids[0])


async def test_a_grandchild_that_holds_the_pipe_neither_delays_the_exit_nor_survives_it(tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    code = (
        "import pathlib, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid))\n"
        "raise SystemExit(3)"
    )
    error = await exit_of(python(code, stdout=subprocess.PIPE))
    assert isinstance(error, ProcessDied)
    assert error.returncode == 3
    grandchild = int(note.read_text())
    await wait_for(lambda: not is_running(grandchild))


def is_running(pid: int) -> bool:
    """Whether it exists and is more than an entry that its new parent has not removed yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_without_a_session_of_its_own_only_the_process_itself_is_killed() -> None:
    async with supervised(
        process_child(python(DEAF, stdout=subprocess.PIPE, own_session=False), until_it_says_so), stop_grace_s=0.1
    ) as show:
        pid = pid_of(show)
        assert os.getpgid(pid) == os.getpgid(0)
        show.supervisor.stop()
        await show.ended.wait()
        assert not psutil.pid_exists(pid)


async def test_a_process_that_dies_before_it_is_ready_failed_to_start_with_its_status_as_the_cause() -> None:
    run = process_child(python("raise SystemExit(6)", stdout=subprocess.PIPE), never_ready)
    with trio.fail_after(FAIL_SAFE_S), pytest.raises(StartFailed) as caught:
        await Supervisor(tree(ChildSpec(name="p", run=run))).run()
    assert isinstance(caught.value.__cause__, ProcessDied)
    assert caught.value.__cause__.returncode == 6


async def never_ready(_process: subprocess.Popen[bytes], _context: ChildContext) -> None:
    await trio.sleep_forever()


async def test_the_status_of_a_dying_process_says_more_than_its_broken_channel() -> None:
    async def fail_at_end_of_file(process: subprocess.Popen[bytes], _context: ChildContext) -> None:
        assert process.stdout is not None
        await trio.lowlevel.wait_readable(process.stdout)
        if not process.stdout.read(1):
            raise ConnectionResetError("the channel broke")

    spec = python("import os, time; os.close(1); time.sleep(0.1); os._exit(6)", stdout=subprocess.PIPE)
    with trio.fail_after(FAIL_SAFE_S), pytest.raises(ProcessDied, match="exited with 6"):
        await run_process(ChildContext(name="p"), spec, fail_at_end_of_file)


async def test_when_becoming_ready_fails_the_process_is_killed_and_the_error_is_told() -> None:
    pids: list[int] = []

    async def fail(process: subprocess.Popen[bytes], _context: ChildContext) -> None:
        pids.append(process.pid)
        raise ValueError("not what was expected")

    child = ChildSpec(name="p", run=process_child(python(DEAF, stdout=subprocess.DEVNULL), fail))
    with trio.fail_after(FAIL_SAFE_S), pytest.raises(StartFailed, match="ValueError: not what was expected"):
        await Supervisor(tree(child)).run()
    assert not psutil.pid_exists(pids[0])


async def test_a_process_whose_heartbeat_stops_is_killed_and_restarted() -> None:
    async def carry_the_heartbeat(process: subprocess.Popen[bytes], context: ChildContext) -> None:
        assert process.stdout is not None
        context.ready({"pid": process.pid})
        while True:
            await trio.lowlevel.wait_readable(process.stdout)
            if os.read(process.stdout.fileno(), 100):
                context.beat()

    beating = "import time\nwhile True:\n    print('beat', flush=True)\n    time.sleep(0.05)"
    run = process_child(python(beating, stdout=subprocess.PIPE), carry_the_heartbeat)
    async with supervised(run, hung_after_s=5) as show:
        first = pid_of(show)
        os.kill(first, signal.SIGSTOP)
        await wait_for(lambda: show.view("p").incarnation == 2)
        assert not psutil.pid_exists(first)
        assert show.seen(ChildExited)[0].reason == "hung"


async def test_a_process_that_keeps_dying_escalates_and_leaves_nothing() -> None:
    spec = tree(
        ChildSpec(name="p", run=process_child(python("raise SystemExit(3)"), ready_at_once), restart=Restart.TRANSIENT),
        intensity=Intensity(restarts_max=2, within_s=60),
        backoff=Backoff(base_s=0.01, max_s=0.01),
    )
    before = set(psutil.Process().children())  # whoever serves several tests, like the interposer's keeper, may live
    with trio.fail_after(FAIL_SAFE_S), pytest.raises(IntensityExceeded):
        await Supervisor(spec).run()
    assert not set(psutil.Process().children()) - before


async def test_where_there_are_no_pidfds_a_thread_waits_for_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.pidfd_open")
    error = await exit_of(python("raise SystemExit(3)"))
    assert isinstance(error, ProcessDied)
    assert error.returncode == 3
    async with supervised(serving(DEAF), stop_grace_s=0.2) as show:
        pid = pid_of(show)
        show.supervisor.stop()
        await show.ended.wait()
        assert not psutil.pid_exists(pid)
