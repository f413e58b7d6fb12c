"""What trials of a whole Perdure share: a stage on which it runs and can be broken, and an agent with known output.

`perdure demo` and `perdure chaos` play on it, and the tests' own Perdure is made of it.
"""
