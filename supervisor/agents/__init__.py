"""
The agent host: a small process under the root that spawns agents, holds their pipes and ends their trees.

It is what lets agents outlive a crash of the runtime. So it knows as little as possible: no event loop but poll, no
domain, no disk. `host` is the process, `agent` one agent's life, `buffers` what was written and not yet acknowledged,
`spawn`, `reaper` and `tree_of` the system's side of it; `protocol` is spoken with the runtime, `control` with the root,
both in `frames`; `sweep` finds what a host that was killed has left behind. Nothing is imported here.
"""
