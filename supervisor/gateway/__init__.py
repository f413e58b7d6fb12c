"""Floor 5: clients in, replies out. One pump moves the bytes of all sockets, one dispatch knows what they mean.

`pump` (sockets) → `connection` (one client's queues) → `dispatch` (transport-free: frames to requests, outcomes to
replies) → the actors. `gateway` puts them together and is what boot makes; `Gateway` keeps every connection while the
actors behind it, and its own task, crash and start again.
"""
