"""Tells how long nobody is answered when the runtime is killed, or an actor crashes.

`.venv/bin/python bench/restart.py [--quick] [--json] [--verify]`: `perdure bench --only restart`.
"""

import sys

from supervisor.__main__ import main

sys.argv[1:1] = ["bench", "--only", "restart"]
main()
