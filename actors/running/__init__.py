"""What the runs actor decides with, pure: which run is next, what a tool's command is, how a run's end is judged."""
