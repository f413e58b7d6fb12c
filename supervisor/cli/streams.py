"""
The three standard streams, whatever this process was started with.

Some who start daemons close them. Then their numbers are the next that are given to whatever is opened: what is printed
would go into a socket of ours, and a child that gets one of these numbers on purpose would find its own output there.
So the null device takes the place of what is missing, before anything else is opened.
"""

import os
import sys

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def hold_standard_streams() -> None:
    """Open what is closed of the numbers 0 to 2, and give Python the streams that it has not found."""
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003  the system call's own argument
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  for good
