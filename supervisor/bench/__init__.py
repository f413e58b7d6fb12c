"""`perdure bench`: how fast, beside the systems that one would take instead, in one run, on one disk.

figures    what a measurement gives: figures with every round, points, as frozen values
goals      the table of goals, and the verdict on each: pure
questions  one by one, by name, with what is left to ask; `throughput`, `growth`, `sizes`, `restarts`, `memory`, `shell`
           hold them; `setting` is how much is measured and where
load       the load generator, a process of its own: closed loop, N connections with D requests in flight
echo       what it is measured against first: a server that only answers
programs   both of them in C (load.c, echo.c) where a compiler is found, else in Python; they take and tell the same
generator  starts the two; refuses a rate of which the load generator was the limit
subject    the Perdure under measurement, and the check that nothing acknowledged is missing
filling    directories with up to a million tasks, made without a command for each
peers      raw append + fdatasync, SQLite; `peers_servers`: PostgreSQL and Redis, instances of their own
cpu        processor time, thread by thread: what a command costs, however busy the machine is
machine    what it was measured on
plot       the points as a picture (SVG)

Rates say more about the disk and the machine than about a program, so each is taken in rounds, all contenders one after
the other in every round, and what is told is the median of the rounds' ratios. Before each the disk is given time to
finish what the one before has left to it.
"""
