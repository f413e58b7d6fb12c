"""
What the runtime is made of: pure values, the actors that own them, and the one writer that touches the disk.

Knows nothing of `supervisor`. This file imports nothing.
"""
