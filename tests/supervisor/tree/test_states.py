import pytest

from supervisor.tree.states import ALIVE, SETTLED, TRANSITIONS, ChildState, IllegalTransition, check_transition


@pytest.mark.parametrize("now", list(ChildState))
@pytest.mark.parametrize("then", list(ChildState))
def test_a_way_that_is_not_in_the_table_raises(now: ChildState, then: ChildState) -> None:
    if then in TRANSITIONS[now]:
        check_transition("top/a", now, then)
    else:
        with pytest.raises(IllegalTransition, match=f"top/a: no way from {now} to {then}"):
            check_transition("top/a", now, then)


def test_every_state_can_be_reached_from_waiting() -> None:
    reached, waiting = set(), [ChildState.WAITING]
    while waiting:
        state = waiting.pop()
        if state not in reached:
            reached.add(state)
            waiting.extend(TRANSITIONS[state])
    assert reached == set(ChildState)


def test_a_task_can_leave_from_every_state_in_which_it_exists_and_only_from_those() -> None:
    leaving = {state for state, ways in TRANSITIONS.items() if ChildState.STOPPED in ways}
    assert leaving - {ChildState.WAITING, ChildState.BACKING_OFF} == ALIVE


def test_those_who_settled_are_never_about_to_change_by_themselves() -> None:
    assert not SETTLED & {ChildState.WAITING, ChildState.BACKING_OFF, ChildState.STARTING, ChildState.STOPPING}
