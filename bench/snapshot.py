"""Tells how much longer a command takes while a snapshot is written.

`.venv/bin/python bench/snapshot.py [--quick] [--json] [--verify]`: `perdure bench --only snapshot`.
"""

import sys

from supervisor.__main__ import main

sys.argv[1:1] = ["bench", "--only", "snapshot"]
main()
