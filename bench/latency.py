"""Tells how long a command takes, over the number of clients.

`.venv/bin/python bench/latency.py [--quick] [--json] [--verify]`: `perdure bench --only latency`.
"""

import sys

from supervisor.__main__ import main

sys.argv[1:1] = ["bench", "--only", "latency"]
main()
