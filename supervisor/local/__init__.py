"""What the runtime process answers about itself: `runtime.*`, `actor.*` and `rpc.discover`.

None of it goes through an actor, so it answers while actors crash-loop, recover, or wait for a slow disk.
"""
