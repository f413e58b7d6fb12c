"""Floor 2: what a command does, as pure functions: rows and parameters in, facts out.

A decision reads a `Draft`, changes nothing, and returns the facts that it wants to become true, or raises a typed
error. It takes no clock and no configuration of its own: both are in `At`. So the same decision can be made again when
somebody else was quicker, collected into a batch, or tested from a table.
"""
