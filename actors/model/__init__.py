"""Floor 0: the pure values of Perdure. No input or output, no clock, no trio.

`errors` and `ids` come first, then one module per noun (`task`, `session`, `run`, `event`), then `facts` (the closed
list of what can become true), then `tables` (where frozen rows live) and `state` (the one way that rows change).
"""
