"""supervisor/chaos/schedule.py: what is done when to whom, by the seed alone."""

from __future__ import annotations

import json

import pytest

from supervisor.chaos.schedule import HARMS, Schedule, draw


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_the_same_seed_gives_the_same_schedule(seed: int) -> None:
    assert draw(seed, 30) == draw(seed, 30)


def test_another_seed_gives_another_schedule() -> None:
    assert draw(1, 30).blows != draw(2, 30).blows


def test_a_schedule_lasts_as_long_as_it_is_told_and_comes_in_order() -> None:
    moments = [blow.at_s for blow in draw(3, 20).blows]
    assert moments == sorted(moments)
    assert moments[0] > 0
    assert moments[-1] > 15


def test_half_a_minute_has_every_harm_and_damaged_copies() -> None:
    done = {blow.harm for blow in draw(4, 40).blows}
    assert done == {harm.name for harm in HARMS} | {"damage copy"}


def test_a_long_trial_is_a_mixture_by_weight() -> None:
    blows = draw(5, 600).blows
    counts = {harm.name: sum(blow.harm == harm.name for blow in blows) for harm in HARMS}
    assert counts["crash actor"] > counts["kill runtime"] > counts["kill root"] > 5
    assert {blow.whom for blow in blows if blow.harm == "crash actor"} == set(HARMS[0].whom)


def test_a_schedule_that_was_written_down_is_read_back() -> None:
    schedule = draw(6, 10)
    assert Schedule.from_json(json.loads(json.dumps(schedule.as_json()))) == schedule


def test_a_harm_that_nobody_knows_is_refused() -> None:
    members = draw(6, 10).as_json()
    members["blows"][0]["harm"] = "unplug"
    with pytest.raises(ValueError, match="unplug"):
        Schedule.from_json(members)
