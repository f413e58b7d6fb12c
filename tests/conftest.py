"""What holds for every test: it leaves nothing behind, and property tests judge results, never the machine's speed.

At the end the run says how many crash states, kill points and injected errors it has tried, and with which seed.
"""

import os
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from tests.kit import tally
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send along what the test has tried."""
    report = yield
    if counted := tally.taken():
        report.user_properties.append((tally.PROPERTY, counted))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was tried."""
    tried = tally.total(report for reports in terminalreporter.stats.values() for report in reports)
    if tried:
        told = ", ".join(f"{number} {what}" for what, number in sorted(tried.items()))
        terminalreporter.write_line(
            f"tried: {told}; seed {tally.SEED} (PERDURE_SEED={tally.SEED} tries the same again)"
        )
