"""
The command line: one file per noun, rendering apart from doing.

Theory of operation. `commands` is the table of what there is: name, the module that has it, one line of help. A
command's module is imported when that command is asked for, and what the module does not need in order to parse its
options it imports when it runs: so `perdure status` answers before a person notices a wait. A command parses its
options (`grammar` adds those that all of them have), asks the runtime over the blocking client (`reach`), and gives
what came back either as JSON or to a view: a pure function from JSON values to tables (`paper`). `screen` puts tables
on a terminal or into a pipe. Every failure ends in `faults`, which knows the exit code of each kind and tells it in
one line.

Here stands nothing of Perdure's work: no rule about tasks, no file format, no decision. The row that the
runtime answered is what is shown.
"""

import gc

GC_YOUNG_OBJECTS = 20_000
"""Allocations between two young collections: importing makes tens of thousands of objects, and no garbage."""


def main() -> int:
    """Run the command line on this process's arguments; give the exit code."""
    gc.set_threshold(GC_YOUNG_OBJECTS)
    from supervisor.cli.streams import hold_standard_streams

    hold_standard_streams()
    from supervisor.cli.entry import run

    return run()
