"""The runtime process: what it is built of, how it lives under its root, and what it answers about itself.

`assembly` says who is built from what, `actor_tree` who runs whom; `life` runs it and carries out the root's orders;
`methods` answers `runtime.*`, `actor.*` and `rpc.discover` from the `office`, with `health`, `metrics` and `tree_rows`.
None of these answers goes through an actor, so they come while actors crash-loop, recover, or wait for a slow disk.
"""
