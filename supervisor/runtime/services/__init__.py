"""Services: long-lived agent servers, supervised by the tree that supervises actors and processes.

::

    rows, durable ── wanted? ──► supervisors   one supervisor of the tree for each service that is wanted
        ▲                             │ starts, restarts, delays, gives up
        │ facts                       ▼
    runs actor  ◄── asks ──────── life         its child: begins a life, waits for its end, leaves as the life did

When a life begins and whether another follows is the tree's decision; what is true is the runs actor's. Everything
here looks at rows that are durable and is told when they change, so that it may be begun anew at any moment: a runtime
that comes up after a crash finds a life that goes on and adopts it, or one that ended meanwhile and judges it.

`records` is the way to the rows, `methods` answers `service.start`, `service.stop` and `service.restart`.
"""
