"""`perdure bench`: how fast, beside the systems that one would take instead, in one run, on one disk.

figures    what a measurement gives: figures and points, as frozen values
goals      the table of goals, and the verdict on each: pure
load       the load generator, a process of its own: closed loop, N connections with D requests in flight
echo       what it is measured against first: a server that only answers
generator  starts the two; refuses a rate of which the load generator was the limit
subject    the Perdure under measurement, and the check that nothing acknowledged is missing
peers      raw append + fdatasync, SQLite; `peers_servers`: PostgreSQL and Redis, instances of their own
questions  one function per question, by name; `throughput`, `sizes`, `restarts`, `shell` hold them
plot       the points as a picture (SVG)

Rates say more about the disk and the machine than about a program, so each is taken in rounds, all contenders one after
the other in every round, and what is told is the median of the rounds' ratios.
"""
