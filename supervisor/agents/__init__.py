"""
The agent host: a small process under the root that spawns agents, holds their pipes and ends their trees.

It is what lets agents outlive a crash of the runtime. So it knows as little as possible: no event loop but poll, no
domain, no disk. `host` is the process, `runs` its table, `agent` one agent's life, `buffers` what was written and not
yet acknowledged; `spawn`, `reaper`, `tree_of` and `strays` are the system's side of it. `protocol` is spoken with the
runtime, `control` with the root, both in `frames` over a `connection`. `sweep` finds what a host that was killed has
left behind. Nothing is imported here.
"""
