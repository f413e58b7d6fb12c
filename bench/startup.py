"""Tells how long each command takes from the shell.

`.venv/bin/python bench/startup.py [--quick] [--json] [--verify]`: `perdure bench --only startup`.
"""

import sys

from supervisor.__main__ import main

sys.argv[1:1] = ["bench", "--only", "startup"]
main()
