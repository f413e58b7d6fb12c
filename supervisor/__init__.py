"""
The processes around the actors: supervision, configuration, the wire, the doors and the command line.

Imports `actors`, never the other way round. This file imports nothing, so that a command costs only what it uses.
"""

__version__ = "0.1.0"

__perdure__ = True
"""
Says that this is Perdure's `supervisor`. supervisord installs a package of the same name; in one environment one of the
two overwrites the other without an error, and `supervisor.__main__` looks for this mark to find out.
"""
