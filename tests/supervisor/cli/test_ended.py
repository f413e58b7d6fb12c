"""supervisor/cli/ended.py: SIGTERM ends a block as an exception would."""

import os
import signal

import pytest

from supervisor.cli.ended import ended_in_order


def test_what_is_under_way_is_put_in_order_before_the_command_ends_as_told() -> None:
    before = signal.getsignal(signal.SIGTERM)
    put_in_order = False
    with pytest.raises(SystemExit) as ended, ended_in_order():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.sigtimedwait([], 30)  # never takes that long: the handler ends it
        finally:
            put_in_order = True
    assert (ended.value.code, put_in_order) == (143, True)
    assert signal.getsignal(signal.SIGTERM) is before
