"""
When to give up, and how long to wait: the two policies of a restart, as values and one sliding window.

The intensity is OTP's: *more than* `restarts_max` restarts within `within_s` seconds and the supervisor gives up. Every
restart that was tried counts, also one that failed. Times come from the caller's monotonic clock, so a wall clock that
jumps changes nothing. What the delays come to is told by `backoff`.
"""

from collections import deque

from attrs import frozen


@frozen
class Intensity:
    """More than `restarts_max` restarts within `within_s` seconds are too many."""

    restarts_max: int
    within_s: float


@frozen
class Backoff:
    """
    Exponential delays with full jitter between restarts.

    The first restart is immediate. After that only deaths sooner than `healthy_after_s` seconds after being ready
    count: the n-th of them in a row waits between 0 and `base_s * factor ** (n - 2)` seconds, at most `max_s`.
    """

    base_s: float = 0.05
    factor: float = 2
    max_s: float = 5
    healthy_after_s: float = 5


class RestartWindow:
    """The restarts of the last `within_s` seconds; at most `restarts_max + 1` times are remembered."""

    def __init__(self, intensity: Intensity) -> None:
        self._intensity = intensity
        self._times_s: deque[float] = deque(maxlen=intensity.restarts_max + 1)

    def record(self, now_s: float) -> bool:
        """Count a restart at `now_s` (monotonic seconds); True when it is one too many."""
        self._times_s.append(now_s)
        full = len(self._times_s) == self._intensity.restarts_max + 1
        return full and now_s - self._times_s[0] <= self._intensity.within_s


ACTORS_INTENSITY = Intensity(restarts_max=10, within_s=10)
PROCESSES_INTENSITY = Intensity(restarts_max=20, within_s=10)
"""A process takes longer to come back than an actor does; more tries fit what its death may have broken."""
