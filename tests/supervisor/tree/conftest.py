"""What the tests of the tree share."""

import pytest

from tests.supervisor.tree.cast import Cast


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let a module's way of running its tests (`in_virtual_time`) go before the one that trio_mode adds to each."""
    if own := item.get_closest_marker("trio"):
        item.add_marker(pytest.mark.trio(*own.args, **own.kwargs), append=False)


@pytest.fixture
def cast() -> Cast:
    """Children that do what the test tells them."""
    return Cast()
