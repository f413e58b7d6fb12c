"""Tells how much memory a task takes.

`.venv/bin/python bench/memory.py [--quick] [--json] [--verify]`: `perdure bench --only memory`.
"""

import sys

from supervisor.__main__ import main

sys.argv[1:1] = ["bench", "--only", "memory"]
main()
