"""The agents of this incarnation of the runs actor: orders to the host, news from it, deadlines, ends.

    row starting ──► Spawn ─► Started ─► fact run.started
    Output ─────► written, parsed ─► facts run.identified, run.reported
    row with a reason to end, a deadline ──► End
    Ended ─► all output written ─► synced ─► fact run.ended (and the task's) ─► Bury

Everything hangs on rows as they are durable, and on what the host says it has: at every `Attached` both are compared.
A run that the host does not have is `interrupted`, for agents do not outlive their host; unless its order may have been
lost on the way to this very host, which is then given again: it is idempotent.

`agents` hears and compares; `followed` knows each agent, `output` its output on the way to the disk; `orders` go to the
host, `notes` into the journal, and `ends` sees to it that the second waits for the first.
"""
