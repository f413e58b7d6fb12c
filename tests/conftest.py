"""What holds for every test: it leaves nothing behind, and property tests judge results, never the machine's speed."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

from tests.kit.leaks import held_now, left_behind

hypothesis.settings.register_profile(
    "perdure",
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("thorough", hypothesis.settings.get_profile("perdure"), max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "perdure"))


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a child process, a thread, a socket, a pipe or an open temporary file."""
    before = held_now()
    yield
    left = left_behind(before)
    assert not left, "left behind by this test: " + "; ".join(left)
