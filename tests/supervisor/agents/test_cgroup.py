"""Control groups: where they may be made, what lives in them, and that none is left."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.messages.agents import Started
from supervisor.agents import cgroup
from supervisor.agents.cgroup import Group, Groups, base_of
from supervisor.agents.tree_of import place_of
from tests.kit.agents import agent, alive, running_host, wait_dead

UNIFIED = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
HYBRID = "31 24 0:27 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw"
LEGACY = "32 24 0:28 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory"
BOUND = "33 24 0:26 /box/one /sys/fs/cgroup ro - cgroup2 cgroup rw"
ODD = "34 24 0:26 / /mnt/my\\040groups rw - cgroup2 none rw"


@pytest.mark.parametrize(
    ("mountinfo", "own", "base"),
    [
        (UNIFIED, "0::/user.slice/me.scope", "/sys/fs/cgroup/user.slice/me.scope"),
        (UNIFIED, "0::/", "/sys/fs/cgroup"),
        (f"{LEGACY}\n{HYBRID}", "4:memory:/m\n1:name=systemd:/s\n0::/u", "/sys/fs/cgroup/unified/u"),
        (LEGACY, "4:memory:/m", None),
        (LEGACY, "4:memory:/m\n0::/", None),
        (UNIFIED, "4:memory:/m", None),
        (UNIFIED, "0::/../other", None),
        (BOUND, "0::/box/one/here", "/sys/fs/cgroup/here"),
        (BOUND, "0::/box/one", "/sys/fs/cgroup"),
        (BOUND, "0::/box/oneself", None),
        (ODD, "0::/a b", "/mnt/my groups/a b"),
        ("", "", None),
        ("nonsense\n - cgroup2 ", "0::/", None),
    ],
)
def test_groups_are_made_below_the_hosts_own(mountinfo: str, own: str, base: str | None) -> None:
    assert base_of(mountinfo, own, lambda _path: False) == base


@pytest.mark.parametrize(
    ("delegated", "base"),
    [
        ({"/sys/fs/cgroup/perdure.service"}, "/sys/fs/cgroup/perdure.service"),
        ({"/sys/fs/cgroup/perdure.service/main"}, "/sys/fs/cgroup/perdure.service/main"),
        ({"/sys/fs/cgroup"}, "/sys/fs/cgroup/perdure.service/main"),
        (set(), "/sys/fs/cgroup/perdure.service/main"),
    ],
)
def test_beside_the_hosts_own_where_the_group_above_was_given_away(delegated: set[str], base: str) -> None:
    assert base_of(UNIFIED, "0::/perdure.service/main", delegated.__contains__) == base


class FakeKernel:
    """A directory that behaves like a hierarchy of groups, as far as making and removing them goes."""

    FILES = ("cgroup.kill", "cgroup.procs", "cgroup.events", "memory.max", "memory.oom.group")

    def __init__(self, base: Path) -> None:
        self.base = base
        self.files: tuple[str, ...] = self.FILES
        self._mkdir, self._rmdir = os.mkdir, os.rmdir
        (base / "cgroup.subtree_control").touch()

    def mkdir(self, path: str, mode: int) -> None:
        self._mkdir(path, mode)
        for name in self.files:
            Path(path, name).touch()

    def rmdir(self, path: str) -> None:
        if Path(path, "cgroup.procs").read_text():
            raise OSError(errno.EBUSY, "somebody lives there")
        for name in self.files:
            Path(path, name).unlink(missing_ok=True)
        self._rmdir(path)

    def groups(self) -> list[str]:
        return sorted(entry.name for entry in self.base.iterdir() if entry.is_dir())


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    fake = FakeKernel(tmp_path)
    monkeypatch.setattr(cgroup.os, "mkdir", fake.mkdir)  # type: ignore[attr-defined]
    monkeypatch.setattr(cgroup.os, "rmdir", fake.rmdir)  # type: ignore[attr-defined]
    return fake


def test_a_group_is_made_for_an_agent_with_its_memory_limit_and_removed_again(kernel: FakeKernel) -> None:
    groups = Groups.at(str(kernel.base), "place")
    assert groups is not None
    assert groups.limits_memory
    assert kernel.groups() == [], "the one that was made to find out is gone"
    group = groups.make(1 << 30)
    assert group is not None
    assert kernel.groups() == [Path(group.path).name]
    assert Path(group.path).name.startswith(f"perdure-place-{os.getpid()}-")
    assert Path(group.path, "memory.max").read_text() == str(1 << 30)
    assert (Path(group.path, "memory.oom.group").read_text(), group.limits_memory) == ("1", True)
    groups.remove(group)
    assert kernel.groups() == []


@pytest.mark.parametrize("missing", ["cgroup.kill", "cgroup.procs"])
def test_a_kernel_that_cannot_kill_groups_gets_none(kernel: FakeKernel, missing: str) -> None:
    kernel.files = tuple(name for name in kernel.FILES if name != missing)
    if missing == "cgroup.procs":
        kernel.rmdir = Path.rmdir  # type: ignore[method-assign, assignment]
    assert Groups.at(str(kernel.base), "place") is None


def test_without_the_memory_controller_groups_limit_nothing(kernel: FakeKernel) -> None:
    kernel.files = ("cgroup.kill", "cgroup.procs", "cgroup.events")
    groups = Groups.at(str(kernel.base), "place")
    assert groups is not None
    group = groups.make(1 << 30)
    assert group is not None
    assert (groups.limits_memory, group.limits_memory) == (False, False)


def test_a_group_in_which_somebody_lives_is_removed_with_a_later_one(kernel: FakeKernel) -> None:
    groups = Groups.at(str(kernel.base), "place")
    assert groups is not None
    first, second = groups.make(None), groups.make(None)
    assert first is not None
    assert second is not None
    Path(first.path, "cgroup.procs").write_text("1\n")
    groups.remove(first)
    assert kernel.groups() == sorted(Path(one.path).name for one in (first, second))
    Path(first.path, "cgroup.procs").write_text("")
    groups.remove(second)
    assert kernel.groups() == []


def test_what_an_earlier_host_of_the_place_left_is_killed_and_removed_and_nothing_else(kernel: FakeKernel) -> None:
    for name in ("perdure-place-7-1", "perdure-other-7-1", "system.slice"):
        kernel.mkdir(str(kernel.base / name), 0o700)
    kernel.mkdir(str(kernel.base / "perdure-place-7-1" / "inner"), 0o700)
    assert Groups.at(str(kernel.base), "place") is not None
    assert kernel.groups() == ["perdure-other-7-1", "system.slice"]
    assert (kernel.base / "perdure-other-7-1" / "cgroup.kill").read_text() == ""


def test_where_nothing_may_be_made_there_are_no_groups(tmp_path: Path) -> None:
    assert Groups.at(str(tmp_path / "missing"), "place") is None


def test_a_directory_that_is_no_hierarchy_is_left_as_it_was(tmp_path: Path) -> None:
    assert Groups.at(str(tmp_path), "place") is None
    assert list(tmp_path.iterdir()) == []


# The real ones.


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Groups]:
    """Groups as a host finds them here."""
    groups = Groups.detect(place_of(tmp_path))
    if groups is None:
        pytest.skip("no control groups (version 2) can be made here")
    yield groups
    left = [name for name in os.listdir(groups.base) if place_of(tmp_path) in name]  # noqa: PTH208  no links there
    for name in left:
        Group(f"{groups.base}/{name}", limits_memory=False).remove()
    assert not left


def test_what_hides_from_every_other_rule_dies_with_its_agent(tmp_path: Path, real: Groups) -> None:
    """Its environment is cleared, it has its own session, its parents are dead, and another agent is older than it."""
    with running_host(tmp_path, cgroups=True) as host:
        link = host.link()
        link.attach()
        link.spawn("early", agent("deaf"))
        link.first_line("early")
        link.spawn("r", agent("leaves", "setsid double env silent", "goes"))
        ended = link.ended("r")
        assert (ended.exit_code, ended.left) == (0, ())
        assert not alive(int(link.text("r")))
        link.end("early")
        link.ended("early")


def test_every_agent_has_its_own_and_it_goes_with_the_agent(tmp_path: Path, real: Groups) -> None:
    def groups() -> list[str]:
        return [name for name in os.listdir(real.base) if place_of(tmp_path) in name]  # noqa: PTH208

    with running_host(tmp_path, cgroups=True) as host:
        link = host.link()
        link.attach()
        for number in range(3):
            started = link.spawn(f"r{number}", agent("deaf"))
            assert isinstance(started, Started)
            link.first_line(f"r{number}")
            assert len(groups()) == number + 1
            own = Path(f"/proc/{started.pid}/cgroup").read_text()
            assert any(name in own for name in groups())
        link.spawn("lost", ("/no/such/command",))
        assert len(groups()) == 3
        for number in range(3):
            link.end(f"r{number}")
            link.ended(f"r{number}")
            assert len(groups()) == 2 - number


def test_a_host_that_ends_leaves_no_group_though_agents_resist(tmp_path: Path, real: Groups) -> None:
    with running_host(tmp_path, cgroups=True) as host:
        link = host.link()
        link.attach()
        for number in range(3):
            link.spawn(f"r{number}", agent("leaves", "setsid double env silent", "stays"))
            link.first_line(f"r{number}")
        host.root.close()
        assert host.wait() == 0
        assert not [name for name in os.listdir(real.base) if place_of(tmp_path) in name]  # noqa: PTH208


def test_a_tree_that_goes_on_forking_is_ended_at_once(tmp_path: Path, real: Groups) -> None:
    with running_host(tmp_path, cgroups=True) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("breeds"))
        link.first_line("r")
        link.until(lambda: len(host.left()) > 10, "it has bred")
        link.end("r")
        assert link.ended("r").left == ()
        assert [line for line in host.left() if "supervisor.agents.host" not in line] == []


def test_what_a_host_that_was_killed_left_without_any_other_trace_is_ended_by_the_next(
    tmp_path: Path, real: Groups
) -> None:
    with running_host(tmp_path, cgroups=True) as host:
        link = host.link()
        link.attach()
        started = link.spawn("r", agent("leaves", "setsid double env silent", "stays"))
        assert isinstance(started, Started)
        pid = int(link.first_line("r"))
        host.process.kill()
        host.wait()
        wait_dead(started.pid)
    assert alive(pid), "nobody else can know whose it is"
    with running_host(tmp_path, cgroups=True) as host:
        host.link().attach()
        wait_dead(pid)


def test_a_tree_that_wants_more_memory_than_it_may_have_is_ended(tmp_path: Path, real: Groups) -> None:
    if not real.limits_memory:
        pytest.skip(f"the memory controller is not to be had in {real.base}")
    with running_host(tmp_path, cgroups=True) as host:
        link = host.link()
        link.attach()
        link.spawn("r", ("python3", "-c", "x = bytearray(b'1') * (1 << 30)"), memory_bytes_max=64 << 20)
        assert link.ended("r").signal == 9
