"""How long a failed attempt waits before it is repeated: tenacity's exponential ceiling, full jitter below it.

The wait begins when the repeated run is seen waiting, by the monotonic clock; a restart begins it anew. So no jump of
the clock makes it longer than its ceiling, and nothing of it has to be written down.
"""

from __future__ import annotations

from random import Random

from tenacity import RetryCallState, Retrying, wait_exponential

from actors.running.rules import RunRules


def ceiling_s(attempt: int, rules: RunRules) -> float:
    """Return the longest that this attempt may have to wait; the first does not wait."""
    if attempt <= 1:
        return 0.0
    state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempt - 1
    wait = wait_exponential(multiplier=rules.backoff_base_s, exp_base=rules.backoff_factor, max=rules.backoff_max_s)
    return wait(state)


def delay_s(attempt: int, rules: RunRules, rng: Random) -> float:
    """Return how long this attempt waits."""
    return rng.uniform(0.0, ceiling_s(attempt, rules))
