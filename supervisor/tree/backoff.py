"""
The delay before the next restart: tenacity's exponential ceiling, full jitter below it, reset by health.

tenacity knows ceilings but neither health nor an injected source of randomness (its own jitter draws from the global
one), so those two are added here. Full jitter: the delay is drawn evenly between nothing and the ceiling, so that
children that died together do not come back together.
"""

from random import Random

from tenacity import RetryCallState, Retrying, wait_exponential

from supervisor.tree.policy import Backoff


class Delays:
    """The delays of one child, one after another."""

    def __init__(self, backoff: Backoff, rng: Random) -> None:
        self.backoff = backoff
        self._rng = rng
        self._ceiling = wait_exponential(multiplier=backoff.base_s, exp_base=backoff.factor, max=backoff.max_s)
        self._early_deaths = 0

    def after_death(self, *, healthy: bool) -> float:
        """Seconds to wait after a death; a `healthy` one (see `Backoff.healthy_after_s`) forgets those before it."""
        if healthy:
            self._early_deaths = 0
            return 0.0
        self._early_deaths += 1
        if self._early_deaths == 1:
            return 0.0
        return self._rng.uniform(0, self._ceiling_s(self._early_deaths - 1))

    def _ceiling_s(self, attempt: int) -> float:
        state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
        state.attempt_number = attempt
        return self._ceiling(state)
