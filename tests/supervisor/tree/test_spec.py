import math
import subprocess
import sys
from typing import Any

import pytest

from supervisor.tree.context import ChildContext
from supervisor.tree.policy import Backoff, Intensity
from supervisor.tree.rules import AFFECTED, FATES, ExitKind, Fate, Restart, Strategy
from supervisor.tree.spec import BadSpec, ChildSpec, SupervisorSpec
from supervisor.tree.supervisor import Supervisor


async def run(_context: ChildContext) -> None:
    """A child that leaves at once."""


def child(name: str = "a", **options: Any) -> ChildSpec:
    return ChildSpec(**{"name": name, "run": run, **options})


def problems(spec: SupervisorSpec) -> tuple[str, ...]:
    with pytest.raises(BadSpec) as caught:
        Supervisor(spec)
    return caught.value.problems


@pytest.mark.parametrize(
    ("restart", "on_normal", "on_shutdown", "on_abnormal"),
    [
        (Restart.PERMANENT, Fate.RESTART, Fate.RESTART, Fate.RESTART),
        (Restart.TRANSIENT, Fate.KEEP, Fate.KEEP, Fate.RESTART),
        (Restart.TEMPORARY, Fate.REMOVE, Fate.REMOVE, Fate.REMOVE),
    ],
)
def test_the_table_of_fates_is_otps(restart: Restart, on_normal: Fate, on_shutdown: Fate, on_abnormal: Fate) -> None:
    fates = [FATES[restart, kind] for kind in (ExitKind.NORMAL, ExitKind.SHUTDOWN, ExitKind.ABNORMAL)]
    assert fates == [on_normal, on_shutdown, on_abnormal]


@pytest.mark.parametrize(
    ("strategy", "affected"),
    [(Strategy.ONE_FOR_ONE, [2]), (Strategy.ONE_FOR_ALL, [0, 1, 2, 3]), (Strategy.REST_FOR_ONE, [2, 3])],
)
def test_the_table_of_strategies_is_otps(strategy: Strategy, affected: list[int]) -> None:
    assert list(AFFECTED[strategy](2, 4)) == affected


def test_every_combination_has_a_fate_and_every_strategy_a_group() -> None:
    assert set(FATES) == {(restart, kind) for restart in Restart for kind in ExitKind}
    assert set(AFFECTED) == set(Strategy)


def test_a_good_specification_is_taken() -> None:
    inner = SupervisorSpec(name="inner", children=(child(),))
    spec = SupervisorSpec(name="top", children=(inner, child("b", stop_grace_s=math.inf), child("c", stop_grace_s=0)))
    assert Supervisor(spec).__class__ is Supervisor


def test_everything_that_is_wrong_is_named_at_once_with_its_path() -> None:
    bad: Any = "sometimes"
    not_a_function: Any = 3
    inner = SupervisorSpec(name="inner", children=(), strategy=bad, backoff=Backoff(base_s=-1, factor=0.5))
    spec = SupervisorSpec(
        name="top",
        intensity=Intensity(restarts_max=-1, within_s=0),
        slow_retry_s=0,
        children=(
            inner,
            child("twice"),
            child("twice", restart=bad, kind=bad),
            child("", stop_grace_s=-1, start_within_s=0),
            child("x/y", hung_after_s=math.nan, run=not_a_function),
        ),
    )
    expected = [
        "top: intensity.restarts_max is -1",
        "top: intensity.within_s is 0",
        "top: slow_retry_s is 0",
        "top/inner: strategy is 'sometimes', not one of one_for_one, one_for_all, rest_for_one",
        "top/inner: has no children",
        "top/inner: backoff.base_s is -1",
        "top/inner: backoff.factor is 0.5",
        "top: two children are called 'twice'",
        "top/twice: restart is 'sometimes', not one of permanent, transient, temporary",
        "top/twice: kind is 'sometimes'",
        "top/: the name '' is empty",
        "top/: stop_grace_s is -1",
        "top/: start_within_s is 0",
        "top/x/y: the name 'x/y' is empty or has a slash",
        "top/x/y: hung_after_s is nan",
        "top/x/y: run is 3",
    ]
    found = problems(spec)
    assert len(found) == len(expected), found
    for words in expected:
        assert any(problem.startswith(words) for problem in found), (words, found)


@pytest.mark.parametrize("value", ["5", None, True])
def test_a_time_that_is_no_number_is_refused(value: Any) -> None:
    (problem,) = problems(SupervisorSpec(name="top", children=(child(stop_grace_s=value),)))
    assert problem == f"top/a: stop_grace_s is {value!r}, not a number"


def test_reading_specifications_and_policies_loads_no_event_loop() -> None:
    code = "import sys, supervisor.tree.spec, supervisor.tree.policy; sys.exit('trio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
