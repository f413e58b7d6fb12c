"""Floor 1: what an actor is. Mailboxes, references, serving and waiting, clocks, and the thread that waits for disks.

Only trio is known here: neither tasks nor disks nor sockets. Supervision lives elsewhere; it reaches an actor through
the small `Context` protocol (`ready`, `beat`, `stopping`).
"""
