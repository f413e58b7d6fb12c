"""
Floor 1: everything on disk. Synchronous, no trio.

(The disk format is told here in full as its parts arrive.)
"""
