"""`perdure chaos`: a real Perdure at work, everything that can break broken at seeded moments, every promise checked.

schedule   what is done to it, when and to whom: a pure function of the seed
client     one of several processes that work through the socket (`moves`) and write down what they asked and heard
follower   a process that follows the journal all the while and writes down what it was told
harms      the hands: carries out one blow after the other on the stage (`supervisor.trials`)
copies     takes the directory as a kill would leave it, damages the copy, recovers it, compares
watch      looks all the while that no two processes have the journal open
evidence   what is there at the end: the journal read from the disk, and what the socket tells
checks     one checker per promise: pure, from record and evidence to a verdict
trial      the whole; `verdict` is its outcome, which can be saved and replayed
"""
