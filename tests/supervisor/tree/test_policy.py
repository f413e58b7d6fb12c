from hypothesis import given
from hypothesis import strategies as st

from supervisor.tree.policy import Intensity, RestartWindow


def test_exactly_the_allowed_number_of_restarts_is_not_too_many() -> None:
    window = RestartWindow(Intensity(restarts_max=3, within_s=10))
    assert [window.record(0) for _ in range(3)] == [False, False, False]


def test_one_restart_more_is_too_many() -> None:
    window = RestartWindow(Intensity(restarts_max=3, within_s=10))
    assert [window.record(now_s) for now_s in (0, 1, 2, 3)] == [False, False, False, True]


def test_a_restart_exactly_as_old_as_the_window_still_counts() -> None:
    window = RestartWindow(Intensity(restarts_max=1, within_s=10))
    assert [window.record(0), window.record(10)] == [False, True]


def test_with_no_restarts_allowed_the_first_is_too_many() -> None:
    assert RestartWindow(Intensity(restarts_max=0, within_s=10)).record(0)


@given(st.integers(1, 20), st.floats(0.01, 1000), st.integers(1, 200))
def test_restarts_spaced_wider_than_the_intensity_never_are_too_many(
    restarts_max: int, within_s: float, count: int
) -> None:
    window = RestartWindow(Intensity(restarts_max, within_s))
    spacing_s = within_s / restarts_max * 1.001
    assert not any(window.record(turn * spacing_s) for turn in range(count))


@given(st.integers(0, 6), st.integers(1, 50), st.lists(st.integers(0, 30), max_size=60))
def test_the_window_agrees_with_counting_everything(restarts_max: int, within_s: int, gaps_s: list[int]) -> None:
    window = RestartWindow(Intensity(restarts_max, within_s))
    times_s: list[int] = []
    for gap_s in gaps_s:
        now_s = (times_s[-1] if times_s else 0) + gap_s
        times_s.append(now_s)
        recent = [time_s for time_s in times_s if now_s - time_s <= within_s]
        assert window.record(now_s) == (len(recent) > restarts_max)
